/*
 * `rgtp serve` as a service manager runs it: a process with the permissions that its help names, told by signals.
 */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "../_assert.ts";
import { makeFile, sha256Of, TestFolder } from "./_files.ts";
import type { MadeFile } from "./_files.ts";
import { RgtpProcess, startPuller } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";

const HOST = "127.0.0.1";
const WAIT_MS = 60_000;

type Said = Record<string, unknown>;

/** What it has said of a kind, oldest first. */
function said(process: RgtpProcess, event: string): Said[] {
  return (process.events as unknown as Said[]).filter((one) => one.event === event);
}

function heard(process: RgtpProcess, event: string, count = 1): Promise<void> {
  return process.until(() => said(process, event).length >= count, `${count} of '${event}'`, WAIT_MS);
}

/** A service in a folder of its own. */
class Place {
  readonly folder: TestFolder;
  readonly config: string;

  constructor(folder: TestFolder) {
    this.folder = folder;
    this.config = folder.file("serve.jsonc");
  }

  get permissions(): string[] {
    const { path } = this.folder;
    return ["--allow-net", `--allow-read=${path}`, `--allow-write=${path}`];
  }

  /** Writes the configuration: names of files in the folder, one exposure for each, with a ticket beside it. */
  async write(names: readonly string[], port: Said = {}, drain = "30s"): Promise<void> {
    const exposures = names.map((name) => ({ name, path: name, ticketFile: `${name}.ticket` }));
    const listen = [{ host: HOST, port: 0, ...port, exposures }];
    await Deno.writeTextFile(
      this.config,
      `// made by a test\n${JSON.stringify({ stateDir: "state", drain, listen })}`,
    );
  }

  async start(): Promise<RgtpProcess> {
    const service = new RgtpProcess(["serve", this.config, "--json"], { permissions: this.permissions });
    try {
      await heard(service, "started");
      return service;
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
  }

  pull(name: string, out: string): RgtpProcess {
    return startPuller(`@${this.folder.file(`${name}.ticket`)}`, this.folder.file(out));
  }
}

Deno.test("a configuration that names what is not there is refused with its place, and nothing is served", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  await place.write(["missing"]);
  const end = await rgtp(["serve", place.config, "--json"], place.permissions);
  assertEquals(end.code, 16);
  assertEquals(end.events()[0].name, "NOT_FOUND");
  assertStringIncludes(String(end.events()[0].message), `${place.config}:2:`);
  await Deno.writeTextFile(place.config, '{\n  "listen": [\n    {"prot": 1}\n  ]\n}');
  const wrong = await rgtp(["serve", place.config, "--check", "--json"], place.permissions);
  assertEquals(wrong.code, 2);
  assertStringIncludes(String(wrong.events()[0].message), `${place.config}:3:6: listen[0].prot: `);
  assertStringIncludes(String(wrong.events()[0].message), "did you mean 'port'?");
  const none = await rgtp(["serve", folder.file("no.jsonc"), "--json"], place.permissions);
  assertEquals(none.code, 16);
});

Deno.test("the same file under two names on one port is refused, not served once", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  await makeFile(folder.file("a"), 10_000, 1);
  const exposures = ["one", "other"].map((name) => ({ name, path: "a" }));
  await Deno.writeTextFile(
    place.config,
    JSON.stringify({ stateDir: "state", listen: [{ host: HOST, port: 0, exposures }] }),
  );
  const end = await rgtp(["serve", place.config, "--json"], place.permissions);
  assertEquals(end.code, 2);
  assertStringIncludes(String(end.events().at(-1)!.message), "exposed on this port already");
});

Deno.test("a reload takes what is new and drops what has gone, and a pull of what stays is not cut", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  const made: Record<string, MadeFile> = {};
  for (const [i, name] of ["stays", "goes", "comes"].entries()) {
    made[name] = await makeFile(folder.file(name), name === "stays" ? 12_000_000 : 100_000, i);
  }
  const rate = { limitRate: "4MB/s" };
  await place.write(["stays", "goes"], rate);
  await using service = await place.start();
  assertEquals(said(service, "ready").map(({ name }) => name), ["stays", "goes"]);
  assertEquals(said(service, "ready").filter((one) => "ticket" in one), []);
  assertEquals((await Deno.stat(folder.file("goes.ticket"))).mode! & 0o777, 0o600);
  assertEquals((await place.pull("goes", "out goes").done()).sha256, made.goes.sha256);

  await using puller = place.pull("stays", "out stays");
  await puller.until(() => puller.progress > 0, "its first bytes", WAIT_MS);
  // What is wrong changes nothing.
  await Deno.writeTextFile(place.config, "{");
  Deno.kill(service.pid, "SIGHUP");
  await heard(service, "refused");
  await place.write(["stays", "comes"], rate);
  Deno.kill(service.pid, "SIGHUP");
  await heard(service, "reloaded");
  assertEquals(said(service, "reloaded"), [
    { event: "reloaded", added: ["comes"], removed: ["goes"], kept: 1, failed: [] },
  ]);
  assert(!puller.isOver, "the reload came while the pull ran");
  assertEquals((await place.pull("comes", "out comes").done()).sha256, made.comes.sha256);
  assertEquals((await puller.done()).sha256, made.stays.sha256);
  assertEquals(await sha256Of(folder.file("out stays")), made.stays.sha256);
  const gone = startPuller(`@${folder.file("goes.ticket")}`, folder.file("again"), ["--timeout", "2s"]);
  assert((await gone.failed()).code < 0);
  assertEquals((await service.kill("SIGTERM")).code, 0);
});

Deno.test("a file that has changed is made anew by a reload", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  await makeFile(folder.file("a"), 50_000, 1);
  await place.write(["a"]);
  await using service = await place.start();
  await Deno.remove(folder.file("a"));
  const { sha256 } = await makeFile(folder.file("a"), 60_000, 2);
  Deno.kill(service.pid, "SIGHUP");
  await heard(service, "reloaded");
  assertEquals((await place.pull("a", "out").done()).sha256, sha256);
  const [before, after] = said(service, "ready");
  assert(before.id !== after.id);
});

Deno.test("SIGTERM waits for who pulls, says so, and ends well", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  const { sha256 } = await makeFile(folder.file("a"), 8_000_000, 1);
  await place.write(["a"], { limitRate: "4MB/s" });
  await using service = await place.start();
  await using puller = place.pull("a", "out");
  await puller.until(() => puller.progress > 0, "its first bytes", WAIT_MS);
  const { code } = await service.kill("SIGTERM");
  assertEquals((await puller.done()).sha256, sha256);
  assertEquals(code, 0);
  assertEquals(said(service, "draining"), [{ event: "draining", pullers: 1, seconds: 30 }]);
  assertEquals(said(service, "stopped"), [{ event: "stopped", cut: 0 }]);
});

Deno.test("a drain that is over cuts off who still pulls, and tells both", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  await makeFile(folder.file("a"), 8_000_000, 1);
  await place.write(["a"], { limitRate: "200kB/s" }, "300ms");
  await using service = await place.start();
  await using puller = place.pull("a", "out");
  await puller.until(() => puller.progress > 0, "its first bytes", WAIT_MS);
  assertEquals((await service.kill("SIGTERM")).code, 0);
  assertEquals(said(service, "stopped"), [{ event: "stopped", cut: 1 }]);
  const { name } = await puller.failed();
  assertEquals(name, "WITHDRAWN");
  assertGreater(puller.progress, 0);
});

Deno.test("who pulls what, and the figures of all of it, are told while it serves", async () => {
  await using folder = await TestFolder.make();
  const place = new Place(folder);
  await makeFile(folder.file("one"), 8_000_000, 1);
  await makeFile(folder.file("other"), 100_000, 2);
  await place.write(["one", "other"], { limitRate: "4MB/s" });
  const flags = ["--json", "--stats", "--metrics", "0"];
  await using service = new RgtpProcess(["serve", place.config, ...flags], {
    permissions: place.permissions,
  });
  await heard(service, "started");
  await place.pull("other", "out other").done();
  await using puller = place.pull("one", "out one");
  const pulled = () => said(service, "stats").flatMap(({ pullers }) => pullers as Said[]);
  await service.until(
    () => pulled().some(({ name, rate }) => name === "one" && Number(rate) > 0),
    "a rate",
    WAIT_MS,
  );
  await puller.done();
  const [{ url }] = said(service, "metrics");
  const figures = async () => await (await fetch(String(url))).text();
  for (let i = 0; i < 100 && !(await figures()).includes('rgtp_pulls_total{outcome="completed"} 2'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assertStringIncludes(await figures(), 'rgtp_pulls_total{outcome="completed"} 2');
  // What is withdrawn stays in the counters.
  await place.write(["one"], { limitRate: "4MB/s" });
  Deno.kill(service.pid, "SIGHUP");
  await heard(service, "reloaded");
  assertStringIncludes(await figures(), 'rgtp_pulls_total{outcome="completed"} 2');
  assertEquals((await service.kill("SIGTERM")).code, 0);
});
