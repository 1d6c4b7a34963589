/*
 * The command line as people meet it: processes of their own, with exactly the permissions that `--help` names and no prompt, over
 * loopback. What they print, where, and their exit status.
 */
import { join } from "node:path";
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "../_assert.ts";
import { isThere, makeFile, sha256Of, TestFolder } from "./_files.ts";
import type { MadeFile } from "./_files.ts";

const root = join(import.meta.dirname ?? ".", "..", "..");
const HOST = "127.0.0.1";
const END_MS = 60_000;

type Line = Readonly<Record<string, unknown>>;

/** How a program ended. */
interface End {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A running program of `cli/`. Left behind by a test that failed, it is killed. */
class Program implements AsyncDisposable {
  out = "";
  err = "";
  readonly #child: Deno.ChildProcess;
  readonly #pumps: Promise<unknown>;
  #isOver = false;

  constructor(args: readonly string[], permissions: readonly string[], options: {
    file?: string;
    cwd?: string;
    stdin?: string;
    env?: Record<string, string>;
  } = {}) {
    const { file = "main.ts", cwd, stdin, env } = options;
    const config = `--config=${join(root, "deno.json")}`;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        config,
        ...permissions,
        join(root, "cli", file),
        ...args,
      ],
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...env },
      ...(cwd !== undefined && { cwd }),
    }).spawn();
    if (stdin !== undefined) feed(this.#child, stdin);
    this.#pumps = Promise.all([
      this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeTo(sink((text) => this.out += text)),
      this.#child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(sink((text) => this.err += text)),
      this.#child.status.then(() => this.#isOver = true),
    ]);
  }

  /** Waits until its standard output, or standard error, holds something. */
  async until(what: RegExp, from: "out" | "err" = "out"): Promise<RegExpExecArray> {
    const end = performance.now() + END_MS;
    for (;;) {
      const found = what.exec(this[from]);
      if (found) return found;
      if (this.#isOver || performance.now() > end) {
        throw new Error(`no ${what} in:\n${this.out}\n${this.err}`);
      }
      await sleep(20);
    }
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async end(): Promise<End> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_MS);
    await this.#pumps;
    clearTimeout(timer);
    return { code: (await this.#child.status).code, out: this.out, err: this.err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) this.#child.kill("SIGKILL");
    await this.#pumps;
  }
}

async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
}

function sink(take: (text: string) => void): WritableStream<string> {
  return new WritableStream({ write: take });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** As `rgtp expose --help` has it, with `--host` and `--state-dir`. */
function exposer(path: string, flags: readonly string[], stateDir: string): Program {
  const permissions = ["--allow-net", `--allow-read=${path},${stateDir}`, `--allow-write=${stateDir}`];
  return new Program(["expose", path, "--host", HOST, "--state-dir", stateDir, ...flags], permissions);
}

/** As `rgtp pull --help` has it: all that it may touch is the folder. */
function puller(
  args: readonly string[],
  folder: string,
  options?: { stdin?: string; cwd?: string },
): Program {
  return new Program(
    ["pull", ...args],
    ["--allow-net", `--allow-read=${folder}`, `--allow-write=${folder}`],
    options,
  );
}

async function run(program: Program): Promise<End> {
  await using it = program;
  return await it.end();
}

/** A program without any permission. */
function bare(args: readonly string[], file?: string): Promise<End> {
  return run(new Program(args, [], file === undefined ? {} : { file }));
}

/** Standard output as JSON lines: each one must be one. */
function lines(text: string): Line[] {
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}

function event(text: string, kind: string): Line {
  const found = lines(text).findLast((line) => line.event === kind);
  assert(found, `no '${kind}' in ${text}`);
  return found;
}

function hasTypes(line: Line, types: Readonly<Record<string, string>>): void {
  assertEquals(Object.fromEntries(Object.entries(line).map(([key, value]) => [key, typeof value])), types);
}

interface Scene {
  readonly folder: string;
  readonly source: MadeFile;
  readonly exposed: Program;
  readonly ticket: string;
  /** Where a puller may write. */
  readonly downloads: string;
}

/** A file, its exposer, and an empty folder. */
async function withScene(
  play: (scene: Scene) => Promise<void>,
  { bytes = 300_000, flags = [] as readonly string[], json = true } = {},
): Promise<void> {
  await using folder = await TestFolder.make();
  const source = await makeFile(folder.file("source.bin"), bytes, 1);
  const downloads = folder.file("downloads");
  await Deno.mkdir(downloads);
  const all = ["--port", "0", ...(json ? ["--json"] : []), ...flags];
  await using exposed = exposer(source.path, all, folder.file("state"));
  const [ticket] = await exposed.until(/rgtp:\/\/[^\s"]+\/(?=["\s])/);
  await play({ folder: folder.path, source, exposed, ticket, downloads });
}

/** Fails with this status and says this. */
async function refused(program: Program, code: number, says: RegExp): Promise<void> {
  const end = await run(program);
  assertEquals(end.code, code, end.out + end.err);
  assertMatch(end.err, says);
  assertEquals(end.err.includes("    at "), false, "a stack is shown");
}

Deno.test("cli: --help, --version and help need no permission, and each help names flags, an example and permissions", async () => {
  for (
    const [args, file] of [
      [["expose", "--help"], "main.ts"],
      [["help", "pull"], "main.ts"],
      [["--help"], "rgtp-expose.ts"],
      [["-h"], "rgtp-pull.ts"],
    ] as const
  ) {
    const { code, out, err } = await bare(args, file);
    assertEquals([code, err], [0, ""]);
    for (const part of ["Usage:", "--json", "--limit-rate RATE", "Example", "--allow-net", "Exit status"]) {
      assertStringIncludes(out, part);
    }
  }
  const { version } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  assertEquals(await bare(["--version"]), { code: 0, out: `rgtp ${version}\n`, err: "" });
  const overview = await bare(["--help"]);
  assertMatch(overview.out, /expose .*\n *pull /);
});

Deno.test("cli: what is not understood ends with status 2 and a hint, or a JSON line", async () => {
  const none = await bare([]);
  assertEquals([none.code, none.out], [2, ""]);
  assertStringIncludes(none.err, "Usage:");
  await refused(new Program(["exposse"], []), 2, /did you mean 'rgtp expose'/);
  await refused(new Program(["expose", "x", "--prot", "1"], []), 2, /did you mean --port\?/);
  await refused(new Program(["expose", "x", "--port", "70000"], []), 2, /'70000'.*1 to 65535/);
  await refused(new Program(["expose"], []), 2, /PATH is missing/);
  await refused(new Program(["expose", "x", "--chunk-size", "5000"], []), 2, /power of two/);
  const json = await bare(["pull", "--json", "--tiemout", "3"]);
  assertEquals(json.code, 2);
  const error = event(json.out, "error");
  hasTypes(error, { event: "string", code: "number", name: "string", message: "string" });
  assertEquals([error.code, error.name], [-2, "INVALID_ARG"]);
});

Deno.test("cli: expose and pull for people: ticket and SHA-256 on standard output, the rest on standard error", () =>
  withScene(async ({ source, exposed, ticket, downloads }) => {
    const out = `${downloads}/copy.bin`;
    const pulled = await run(puller([ticket, out], downloads));
    assertEquals(pulled.code, 0, pulled.err);
    assertEquals(pulled.out, `${source.sha256}  ${out}\n`);
    assertStringIncludes(pulled.err, "is complete: 300 kB (300000 bytes)");
    assertEquals(await sha256Of(out), source.sha256);
    const unhashed = await run(puller([ticket, `${out}.2`, "--no-sha256"], downloads));
    assertEquals([unhashed.code, unhashed.out], [0, `${out}.2\n`], unhashed.err);
    assertEquals(await sha256Of(`${out}.2`), source.sha256);
    await exposed.until(/has everything/, "err");
    exposed.kill("SIGINT");
    const { code, out: said, err } = await exposed.end();
    assertEquals([code, said], [130, `${ticket}\n`]);
    assertMatch(err, /exposing source\.bin: 300 kB/);
    assertMatch(err, /stopped: .* served, 2 complete pulls/);
  }, { json: false }));

Deno.test("cli: expose and pull with --json: each line is JSON with its fields", () =>
  withScene(async ({ source, exposed, ticket, downloads }) => {
    const ready = event(exposed.out, "ready");
    hasTypes(ready, {
      event: "string",
      ticket: "string",
      id: "string",
      bytes: "number",
      chunks: "number",
      sealSeconds: "number",
      access: "string",
    });
    assertEquals([ready.bytes, ready.chunks], [300_000, 5]);
    const { code, out, err } = await run(puller([ticket, downloads, "--json"], downloads));
    assertEquals([code, err], [0, ""]);
    hasTypes(event(out, "progress"), { event: "string", bytes: "number", total: "number", rate: "number" });
    const done = event(out, "done");
    hasTypes(done, {
      event: "string",
      bytes: "number",
      seconds: "number",
      handshake: "string",
      handshakeSeconds: "number",
      wireBytes: "number",
      shared: "number",
      id: "string",
      path: "string",
      sha256: "string",
      reused: "number",
      alreadyComplete: "boolean",
    });
    assertEquals([done.id, done.sha256, done.path], [ready.id, source.sha256, `${downloads}/source.bin`]);
    exposed.kill("SIGTERM");
    const end = await exposed.end();
    assertEquals([end.code, end.err], [143, ""]);
    const served = event(end.out, "served");
    hasTypes(served, { event: "string", bytes: "number", pullers: "number", shared: "number" });
    assertGreater(Number(served.bytes), 300_000);
  }));

Deno.test("cli: a ticket from @FILE and from standard input, and an OUT by default", () =>
  withScene(async ({ source, ticket, downloads }) => {
    await Deno.writeTextFile(`${downloads}/ticket.txt`, `\n  ${ticket}  \n`);
    const fromFile = await run(puller([`@${downloads}/ticket.txt`, `${downloads}/a`], downloads));
    assertEquals(fromFile.code, 0, fromFile.err);
    const piped = await run(puller(["-", `${downloads}/b`], downloads, { stdin: `${ticket}\n` }));
    assertEquals(piped.code, 0, piped.err);
    const byDefault = await run(puller(["-"], ".", { cwd: downloads, stdin: ticket }));
    assertEquals([byDefault.code, byDefault.out], [0, `${source.sha256}  source.bin\n`], byDefault.err);
    for (const name of ["a", "b", "source.bin"]) {
      assertEquals(await sha256Of(`${downloads}/${name}`), source.sha256);
    }
    await refused(puller([`@${downloads}/none`], downloads), 16, /no file/);
    await refused(puller(["-"], downloads, { stdin: "\n" }), 2, /standard input.*empty/);
  }));

Deno.test("cli: a name from another machine is made safe, and shown without its control characters", () =>
  withScene(async ({ ticket, downloads }) => {
    const { code, out, err } = await run(puller(["-"], ".", { cwd: downloads, stdin: ticket }));
    assertEquals(code, 0, err);
    assertMatch(out, / {2}_\.__x_\[2J\n$/);
    assertEquals([...Deno.readDirSync(downloads)].map(({ name }) => name), ["_.__x_[2J"]);
  }, { flags: ["--name", "../\\x\x1b[2J"] }));

Deno.test("cli: an identical OUT is already complete; another one is kept without --force", () =>
  withScene(async ({ source, ticket, downloads }) => {
    const out = `${downloads}/out`;
    await Deno.copyFile(source.path, out);
    const same = await run(puller([ticket, out, "--json"], downloads));
    assertEquals([same.code, event(same.out, "done").alreadyComplete], [0, true]);
    await Deno.writeTextFile(out, "mine");
    await refused(puller([ticket, out], downloads), 19, /--force/);
    assertEquals(await Deno.readTextFile(out), "mine");
    const forced = await run(puller([ticket, out, "--force"], downloads));
    assertEquals(forced.code, 0, forced.err);
    assertEquals(await sha256Of(out), source.sha256);
  }));

Deno.test("cli: bad tickets: 2 for none, 10 for one that is cut off, 7 for another exposer's key", () =>
  withScene(async ({ ticket, downloads }) => {
    await refused(puller(["hello", downloads], downloads), 2, /not a ticket/);
    await refused(puller([ticket.slice(0, -8), downloads], downloads), 10, /cut off/);
    const wrong = formatTicket({ ...parseTicket(ticket), exposerKey: new Uint8Array(32).fill(9) });
    await refused(puller([wrong, downloads], downloads), 7, /key/);
    assertEquals([...Deno.readDirSync(downloads)], []);
  }));

Deno.test("cli: an exposer that is gone: TIMEOUT (12) within --timeout", () =>
  withScene(async ({ exposed, ticket, downloads }) => {
    exposed.kill("SIGKILL");
    await exposed.end();
    const started = performance.now();
    await refused(puller([ticket, downloads, "--timeout", "2s"], downloads), 12, /no answer from 127/);
    assertLess(performance.now() - started, 10_000);
  }));

Deno.test("cli: a port that is taken: 23 when it was asked for, else the next free one", () =>
  withScene(async ({ folder, source, ticket }) => {
    const { port } = parseTicket(ticket).addresses[0];
    await refused(exposer(source.path, ["--port", `${port}`], `${folder}/state`), 23, /taken/);
    // Whoever has port 9000 on this machine, two that do not ask get two.
    await using first = exposer(source.path, [], `${folder}/state`);
    const [one] = await first.until(/rgtp:\S+/);
    await using second = exposer(source.path, [], `${folder}/state`);
    const [two] = await second.until(/rgtp:\S+/);
    const ports = [one, two].map((text) => parseTicket(text).addresses[0].port);
    assert(ports.every((one) => one >= 9000 && one < 9100), `ports ${ports}`);
    assertGreater(ports[1], ports[0]);
  }));

Deno.test("cli: a PATH that is missing (16) or cannot be carried (14), and a permission that is missing (20), with the flag to add", async () => {
  await using folder = await TestFolder.make();
  const state = folder.file("state");
  await refused(exposer(folder.file("none"), ["--port", "0"], state), 16, /no file/);
  await Deno.mkdir(folder.file("trap"));
  await Deno.writeTextFile(folder.file("trap/aux.c"), "");
  await refused(exposer(folder.file("trap"), ["--port", "0"], state), 14, /aux\.c.*device/);
  const args = ["expose", folder.file("x"), "--state-dir", state];
  await refused(
    new Program(args, ["--allow-net"]),
    20,
    /--allow-read=.*x --allow-read=.*state --allow-write=.*state/,
  );
  await refused(new Program(["expose", folder.file("x")], ["--allow-net"]), 20, /--allow-env/);
});

Deno.test("cli: the state folder is found in the environment, with the permissions of the help", async () => {
  await using folder = await TestFolder.make();
  const source = await makeFile(folder.file("f"), 10, 1);
  const state = folder.file("xdg/red-giant");
  await using exposed = new Program(
    ["expose", source.path, "--port", "0", "--for", "100ms", "--json"],
    [
      "--allow-net",
      `--allow-read=${source.path},${state}`,
      `--allow-write=${state}`,
      "--allow-sys=networkInterfaces",
      "--allow-env=XDG_STATE_HOME,HOME",
    ],
    { env: { XDG_STATE_HOME: folder.file("xdg"), HOME: folder.path } },
  );
  const { code, err } = await exposed.end();
  assertEquals([code, err], [0, ""]);
  assert(await isThere(`${state}/identity`));
});

Deno.test("cli: --for ends with status 0, and --once after the first complete pull", async () => {
  await withScene(async ({ exposed }) => {
    const { code, out } = await exposed.end();
    assertEquals([code, lines(out).map((line) => line.event)], [0, ["ready", "served"]]);
  }, { flags: ["--for", "1s"] });
  await withScene(async ({ exposed, ticket, downloads }) => {
    const { code, err } = await run(puller([ticket, downloads], downloads));
    assertEquals(code, 0, err);
    assertEquals((await exposed.end()).code, 0);
  }, { flags: ["--once"] });
});

Deno.test("cli: Ctrl-C in the middle of a pull: 130, and the same command goes on from there", () =>
  withScene(async ({ source, ticket, downloads }) => {
    const args = [ticket, `${downloads}/out`, "--json"];
    {
      await using pull = puller([...args, "--limit-rate", "2MB/s"], downloads);
      await pull.until(/"progress","bytes":[1-9]\d{6}/);
      pull.kill("SIGINT");
      const { code, out } = await pull.end();
      assertEquals(code, 130);
      assertMatch(String(event(out, "error").message), /kept in '.*out\.part'.*goes on from there/);
      assertEquals(await isThere(`${downloads}/out`), false);
    }
    const { code, out, err } = await run(puller(args, downloads));
    assertEquals(code, 0, err);
    const { reused, sha256 } = event(out, "done");
    assertGreater(Number(reused), 500_000);
    assertEquals(sha256, source.sha256);
    assertEquals([...Deno.readDirSync(downloads)].map(({ name }) => name), ["out"]);
  }, { bytes: 8_000_000 }));

Deno.test("cli: a puller with the narrowest network permission, on each kind of link", () =>
  withScene(async ({ ticket, downloads }) => {
    const address = `${HOST}:${parseTicket(ticket).addresses[0].port}`;
    const kinds: Record<string, string[]> = { datagram_conn: [], node_dgram: [] };
    if (Deno.build.os === "linux") kinds.linux_udp = ["--allow-ffi=/lib,/lib64"];
    for (const [link, more] of Object.entries(kinds)) {
      const files = [`--allow-read=${downloads}`, `--allow-write=${downloads}`, ...more];
      const args = ["pull", ticket, `${downloads}/${link}`, "--link", link];
      const { code, err } = await run(new Program(args, [`--allow-net=${address},0.0.0.0:0`, ...files]));
      assertEquals(code, 0, err);
      await refused(new Program(args, [`--allow-net=${address}`, ...files]), 3, /--allow-net=0\.0\.0\.0:0/);
    }
  }));

Deno.test("cli: a symbolic link takes the permission of what it points to as well, and the message says so", async () => {
  await using folder = await TestFolder.make();
  const source = await makeFile(folder.file("target"), 10, 1);
  const link = folder.file("link");
  await Deno.symlink(source.path, link);
  const state = folder.file("state");
  await refused(exposer(link, ["--port", "0"], state), 20, /--allow-read=.*target/);
  const permissions = [
    "--allow-net",
    `--allow-read=${link},${source.path},${state}`,
    `--allow-write=${state}`,
  ];
  const args = ["expose", link, "--host", HOST, "--port", "0", "--state-dir", state, "--for", "1ms"];
  assertEquals((await run(new Program(args, permissions))).code, 0);
});
