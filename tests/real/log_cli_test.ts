/*
 * `--log` and `--metrics` as people run them: under every policy, with the permissions that the help names, and nothing secret in either.
 */
import { assert, assertEquals } from "../_assert.ts";
import { makeFile, TestFolder } from "./_files.ts";
import { RgtpProcess, startExposer, startPuller } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";

const HOST = "127.0.0.1";
const READY_MS = 30_000;
const PASSPHRASE = "four words nobody joins";

/** Anything with the look of a key, a secret, a token or an ID: 16 bytes or more, in base64url or hex. */
const LONG_WORD = /[A-Za-z0-9_-]{22,}/g;

interface Policy {
  readonly name: string;
  readonly exposing: readonly string[];
  readonly pulling?: readonly string[];
}

Deno.test("a log under every policy tells who pulled, and holds no ticket, key, secret or passphrase", async () => {
  await using folder = await TestFolder.make();
  const { path, bytes } = await makeFile(folder.file("source"), 300_000, 7);
  const [words, node, logs] = [folder.file("words"), folder.file("node"), folder.file("logs")];
  await Deno.writeTextFile(words, `${PASSPHRASE}\n`);
  await Deno.mkdir(logs);
  const made = await rgtp(["id", "create", "--json", "--state-dir", node], [
    `--allow-read=${node}`,
    `--allow-write=${node}`,
  ]);
  const { key } = made.events()[0] as { key: string };
  const policies: readonly Policy[] = [
    { name: "tickets", exposing: [] },
    { name: "open", exposing: ["--open"] },
    { name: "allow", exposing: ["--allow", key], pulling: ["--state-dir", node] },
    { name: "passphrase", exposing: ["--password-file", words], pulling: ["--password-file", words] },
  ];
  await Promise.all(policies.map(async ({ name, exposing, pulling = [] }) => {
    const [log, stateDir] = [`${logs}/${name}.log`, folder.file(`state ${name}`)];
    const { exposer, ready } = await startExposer(path, {
      host: HOST,
      stateDir,
      flags: [...exposing, "--log", log, "--log-level", "debug", "--metrics", "0"],
      permissions: [
        "--allow-net",
        `--allow-read=${path},${stateDir},${logs},${words}`,
        `--allow-write=${stateDir},${logs}`,
      ],
    });
    await using _exposer = exposer;
    await using puller = startPuller(ready.ticket, folder.file(`out ${name}`), pulling);
    await puller.done();
    const { url } = exposer.events.map((event) => event as { event: string; url?: string })
      .find(({ event }) => event === "metrics")! as { url: string };
    const page = await (await fetch(url)).text();
    assert(page.includes('rgtp_pulls_total{outcome="completed"} 1\n'), page);
    await exposer.kill("SIGTERM");

    const records = Deno.readTextFileSync(log).trim().split("\n").map((line) => JSON.parse(line));
    const told = records.map(({ message }) => message as string);
    assertEquals([told[0], told.at(-1)], ["serving", "stopped"]);
    assert(told.includes("pull granted") && told.includes("pull completed"), told.join(", "));
    assertEquals([records[0].properties.bytes, records.at(-1).properties.completed], [bytes, 1]);
    const text = `${Deno.readTextFileSync(log)}\n${page}`.replaceAll(ready.id, "");
    // The names of metrics are long words too.
    const suspicious = (text.match(LONG_WORD) ?? []).filter((word) => !/^(rgtp|process)_[a-z_]+$/.test(word));
    assertEquals(suspicious, []);
    for (const word of [PASSPHRASE, key, "rgtp:"]) assert(!text.includes(word), `${name}: ${word}`);
  }));
});

Deno.test("an edge keeps a log too, and how it failed stands in it", async () => {
  await using folder = await TestFolder.make();
  const { path } = await makeFile(folder.file("source"), 300_000, 8);
  const { exposer, ready } = await startExposer(path, { host: HOST, stateDir: folder.file("state") });
  await using _exposer = exposer;
  const log = folder.file("edge.log");
  const where = ["--host", HOST, "--port", "0", "--state-dir", folder.file("edge")];
  await Deno.writeTextFile(folder.file("ticket"), ready.ticket);
  await using edge = new RgtpProcess([
    "edge",
    `@${folder.file("ticket")}`,
    ...[...where, "--json", "--log", log, "--log-format", "text"],
  ]);
  const { ticket } = await edge.next("ready", READY_MS);
  await using puller = startPuller(ready.ticket, folder.file("out"), ["--edge", ticket]);
  await puller.done();
  await exposer.kill("SIGINT");
  await edge.failed(READY_MS);
  const lines = Deno.readTextFileSync(log).trim().split("\n");
  const words = lines.map((line) => /msg=(?:"([^"]*)"|(\S+))/.exec(line)?.slice(1).join(""));
  assertEquals(words[0], "serving");
  assert(words.includes("pull granted"), words.join(", "));
  assertEquals(words.slice(-2), ["stopped", "failed"]);
  assert(lines.at(-1)!.includes("WITHDRAWN"));
  assert(!lines.join("\n").includes("rgtp:"));
});
