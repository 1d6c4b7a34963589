/*
 * `rgtp expose -` and `rgtp pull TICKET -`: pipes between processes of their own, over loopback.
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "../_assert.ts";
import { projectRoot } from "../../tools/project_files.ts";
import { whyNoMounts, withTmpfs } from "./_mounts.ts";
import { isThere, makeFile, sha256Of, TestFolder } from "./_files.ts";

const END_MS = 120_000;

/** `rgtp`, as a word of a shell command. */
function rgtp(permissions: readonly string[]): string {
  const config = `--config=${projectRoot}deno.json`;
  const words = [Deno.execPath(), "run", "--quiet", "--no-prompt", config, ...permissions];
  return [...words, `${projectRoot}cli/main.ts`].map((word) => `'${word}'`).join(" ");
}

/** A shell command, ended when the test ends. */
class Shell implements AsyncDisposable {
  out = "";
  err = "";
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(command: string, cwd: string) {
    this.#child = new Deno.Command("bash", {
      args: ["-o", "pipefail", "-c", command],
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1" },
    }).spawn();
    const take = (stream: ReadableStream<Uint8Array>, to: (text: string) => void) =>
      stream.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write: to }));
    this.#ended = Promise.all([
      take(this.#child.stdout, (text) => this.out += text),
      take(this.#child.stderr, (text) => this.err += text),
    ]);
  }

  async until(what: RegExp, from: "out" | "err" = "out"): Promise<string> {
    const end = performance.now() + END_MS;
    for (;;) {
      const found = what.exec(this[from]);
      if (found) return found[0];
      if (performance.now() > end) throw new Error(`no ${what} in:\n${this.out}\n${this.err}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async end(): Promise<{ code: number; out: string; err: string }> {
    await this.#ended;
    return { code: (await this.#child.status).code, out: this.out, err: this.err };
  }

  kill(signal: Deno.Signal = "SIGKILL"): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#ended;
  }
}

const TICKET = /rgtp:\/\/[^\s"]+\/(?=["\s])/;
const PULL = ["--allow-net"];

/** Exposes what a command writes, with the permissions that the help names. */
function exposed(command: string, folder: string, flags = ""): Shell {
  const state = `${folder}/state`;
  const permissions = ["--allow-net", `--allow-read=${state}`, `--allow-write=${state}`];
  const where = `--host 127.0.0.1 --port 0 --state-dir '${state}'`;
  // One process is killed at the end, not the shell before it.
  return new Shell(`exec ${rgtp(permissions)} expose - ${where} ${flags} < <(${command})`, folder);
}

async function run(command: string, folder: string): Promise<{ code: number; out: string; err: string }> {
  await using shell = new Shell(command, folder);
  return await shell.end();
}

Deno.test("streams: tar c | rgtp expose -, rgtp pull - | tar x", async () => {
  await using folder = await TestFolder.make();
  await Deno.mkdir(folder.file("in/tree/deep"), { recursive: true });
  const one = await makeFile(folder.file("in/tree/deep/one.bin"), 3_000_000, 1);
  await Deno.writeTextFile(folder.file("in/tree/two.txt"), "two");
  await Deno.mkdir(folder.file("out"));
  await using exposer = exposed("tar c -C in tree", folder.path, "--name tree.tar");
  const ticket = await exposer.until(TICKET);
  const names = [...Deno.readDirSync(folder.file("state"))].map(({ name }) => name);
  assertEquals(names.filter((name) => name.includes("spool")), []);
  const pulled = await run(`${rgtp(PULL)} pull '${ticket}' - | tar x -C out`, folder.path);
  assertEquals(pulled.code, 0, pulled.err);
  assertMatch(pulled.err, /complete: .* verified/);
  assertEquals(await sha256Of(folder.file("out/tree/deep/one.bin")), one.sha256);
  assertEquals(await Deno.readTextFile(folder.file("out/tree/two.txt")), "two");
});

Deno.test("streams: more than the memory goes through both pipes, byte for byte, also to a slow reader", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("f"), 60_000_000, 2);
  await using exposer = exposed("cat f", folder.path, "--memory 16MiB");
  const ticket = await exposer.until(TICKET);
  const pulled = await run(
    `${rgtp(PULL)} pull '${ticket}' - | { head -c 1000000; sleep 1; cat; } > copy`,
    folder.path,
  );
  assertEquals(pulled.code, 0, pulled.err);
  assertEquals(await sha256Of(folder.file("copy")), made.sha256);
});

Deno.test("streams: nothing at all, a ticket from standard input, and a file named stdin", async () => {
  await using folder = await TestFolder.make();
  await using exposer = exposed("true", folder.path);
  const ticket = await exposer.until(TICKET);
  assertStringIncludes(ticket, "/stdin/");
  const { code, out, err } = await run(`echo '${ticket}' | ${rgtp(PULL)} pull - -`, folder.path);
  assertEquals([code, out], [0, ""], err);
});

Deno.test("streams: a pull that ends early has a status other than 0, and wrote the front and nothing else", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("f"), 20_000_000, 3);
  await using exposer = exposed("cat f", folder.path);
  const ticket = await exposer.until(TICKET);
  const pulls = `${rgtp(PULL)} pull '${ticket}' - --limit-rate 4MB/s --timeout 2s > part`;
  await using puller = new Shell(pulls, folder.path);
  while (!(await isThere(folder.file("part"))) || (await Deno.stat(folder.file("part"))).size < 2_000_000) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  exposer.kill();
  const { code, err } = await puller.end();
  assertEquals(code, 12, err);
  const part = await Deno.readFile(folder.file("part"));
  assertLess(part.length, made.bytes);
  assertEquals(part, (await Deno.readFile(made.path)).subarray(0, part.length));
});

Deno.test("streams: a reader that goes away ends the pull", async () => {
  await using folder = await TestFolder.make();
  await makeFile(folder.file("f"), 5_000_000, 4);
  await using exposer = exposed("cat f", folder.path);
  const ticket = await exposer.until(TICKET);
  const { code, err } = await run(`${rgtp(PULL)} pull '${ticket}' - | head -c 10 > ten`, folder.path);
  assertEquals(code, 20, err);
  assertStringIncludes(err, "standard output");
  assertEquals((await Deno.stat(folder.file("ten"))).size, 10);
});

Deno.test("streams: status, ticket new and revoke know one while it runs, and no more when it was stopped or killed", async () => {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("f"), 200_000, 8);
  const state = folder.file("state");
  const may = rgtp([`--allow-read=${state}`, `--allow-write=${state}`]);
  const admin = (command: string) => run(`${may} ${command} --state-dir '${state}'`, folder.path);
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    await using exposer = exposed("cat f", folder.path, "--name f.bin");
    const ticket = await exposer.until(TICKET);
    const listed = await admin("status");
    assertMatch(
      listed.out,
      /^- \(a stream.*\n {2}\S{43}\n {2}200 kB \(200000 bytes\).* as f\.bin on 127\.0\.0\.1:/,
    );
    const another = await admin("ticket new - --label more");
    assertEquals(another.code, 0, another.err);
    // The exposer looks once a second.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const pulled = await run(`${rgtp(PULL)} pull '${another.out.trim()}' - > copy`, folder.path);
    assertEquals([pulled.code, await sha256Of(folder.file("copy"))], [0, made.sha256], pulled.err);
    assertMatch((await admin(`revoke '${ticket}'`)).out, /^revoked/);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assertEquals((await run(`${rgtp(PULL)} pull '${ticket}' -`, folder.path)).code, 17);
    exposer.kill(signal);
    await exposer.end();
    assertMatch((await admin("status")).err, /nothing has been exposed/);
    assertEquals((await admin("ticket new -")).code, 16);
    const names = [...Deno.readDirSync(state)].map(({ name }) => name);
    assertEquals(names.filter((name) => name.startsWith("running-")), []);
  }
});

Deno.test("streams: standard input among paths, --json with -, and a collection to - are refused", async () => {
  await using folder = await TestFolder.make();
  await Deno.mkdir(folder.file("in"));
  await makeFile(folder.file("f"), 10, 5);
  const all = rgtp(["--allow-net", "--allow-read", "--allow-write"]);
  const among = await run(`${all} expose - f --state-dir state < f`, folder.path);
  assertEquals(among.code, 2);
  assertStringIncludes(among.err, "./-");
  await using exposer = new Shell(
    `exec ${all} expose in --host 127.0.0.1 --port 0 --state-dir state`,
    folder.path,
  );
  const ticket = await exposer.until(TICKET);
  const json = await run(`${rgtp(PULL)} pull '${ticket}' - --json`, folder.path);
  assertEquals(json.code, 2);
  const collection = await run(`${rgtp(PULL)} pull '${ticket}' -`, folder.path);
  assertEquals([collection.code, collection.out], [14, ""]);
  assert(collection.err.includes("collection"), collection.err);
});

Deno.test("streams: Ctrl-C while standard input is read, and while standard output is written: 130", async () => {
  await using folder = await TestFolder.make();
  await makeFile(folder.file("f"), 20_000_000, 6);
  await using reading = exposed("exec 2> writer; head -c 1000000 f; exec sleep 9", folder.path);
  // The identity is there before anything is read.
  while (!(await isThere(folder.file("state/identity")))) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  const asked = performance.now();
  reading.kill("SIGINT");
  const stopped = await reading.end();
  assertEquals([stopped.code, stopped.out], [130, ""], stopped.err);
  assertStringIncludes(stopped.err, "nothing was exposed");
  assertLess(performance.now() - asked, 5000);
  await using exposer = exposed("cat f", folder.path);
  const ticket = await exposer.until(TICKET);
  await using puller = new Shell(
    `exec ${rgtp(PULL)} pull '${ticket}' - --limit-rate 2MB/s > part`,
    folder.path,
  );
  await puller.until(/pulling/, "err");
  puller.kill("SIGINT");
  const { code, err } = await puller.end();
  assertEquals(code, 130, err);
  assertStringIncludes(err, "is a part");
});

const noMounts = await whyNoMounts();

Deno.test({
  name: "streams: more than the disk of the spool file holds: NO_SPACE (21), and nothing stays there" +
    (noMounts === "" ? "" : ` [skipped: ${noMounts}]`),
  ignore: noMounts !== "",
  fn: async () => {
    await using folder = await TestFolder.make();
    await makeFile(folder.file("f"), 30_000_000, 7);
    await withTmpfs(folder.file("disk"), "8m", async ({ path }) => {
      const state = folder.file("state");
      const places = `${state},${path}`;
      const may = ["--allow-net", `--allow-read=${places}`, `--allow-write=${places}`];
      // Found by the system when it is full, or before, where Deno lets the free space be seen.
      for (const permissions of [may, [...may, "--allow-sys=statfs"]]) {
        const command = `${
          rgtp(permissions)
        } expose - --spool '${path}' --state-dir '${state}' --port 0 --host 127.0.0.1 < f`;
        const { code, out, err } = await run(command, folder.path);
        assertEquals([code, out], [21, ""], err);
        assertStringIncludes(err, "spool folder on another disk");
        assertEquals([...Deno.readDirSync(path)], []);
      }
    });
  },
});
