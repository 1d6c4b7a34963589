/*
 * A folder of ten thousand files, by processes of their own over loopback: all of it, one file of it, again, and killed half-way.
 */
import { createHash } from "node:crypto";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../_assert.ts";
import { isThere, TestFolder } from "./_files.ts";
import type { EntryEvent, ReadyEvent } from "./_processes.ts";
import { RgtpProcess, startExposer, startPuller, stopExposer } from "./_processes.ts";

const FILES = 10_000;
const FILE_BYTES_MAX = 100_000;
const CHUNK_BYTES = 65_536;
const isUnix = Deno.build.os !== "windows";

/** Names that are a trial for shells, terminals, globs and parsers, and for whoever thinks that names are letters. */
const ODD_NAMES: readonly string[] = [
  ..."-rf|--force|-|~|..a|.hidden|%2e%2e|%00|#|!|@x|a b| lead|a;b|a&b|$(id)|`id`|$HOME|{a,b}|[x]|'q'|a=b"
    .split("|"),
  ...(isUnix ? ["*", "?", "a:b", "C:", '"q"', "<a>", "a|b", "12:30:00"] : []),
  ..."日本語|Ünïcödé|e\u0301|ﬁ|🌍🏴‍☠️|\u202egpj.exe|\u200b|\u2028|ǅ|𝕏|\u00a0|नमस्ते|שלום".split("|"),
  "x".repeat(255),
  "ü".repeat(127),
  "index",
  "journal",
];

/** Files of all sizes in folders of folders, the odd names among them. The bytes of all. */
function makeFolder(root: string): number {
  const block = new Uint8Array(FILE_BYTES_MAX);
  let sum = 0;
  for (let i = 0; i < FILES; i++) {
    const folder = `${root}/${i % 7}/${(i % 7) * 11 + i % 11} ${ODD_NAMES[4 + i % 5]}`;
    if (i < 7 * 11 * 5) Deno.mkdirSync(folder, { recursive: true });
    const odd = ODD_NAMES[Math.floor(i / 77)] ?? "";
    const name = i % 77 === 5 && odd !== "" ? odd : `${i}.bin`;
    const size = i % 100 === 7 ? 0 : (i * 7919) % (FILE_BYTES_MAX + 1);
    crypto.getRandomValues(block.subarray(0, 65_536));
    Deno.writeFileSync(`${folder}/${name}`, block.subarray(0, size), { mode: i % 10 === 0 ? 0o755 : 0o644 });
    sum += size;
  }
  Deno.mkdirSync(`${root}/empty/and/deep`, { recursive: true });
  if (isUnix) Deno.symlinkSync("../0", `${root}/empty/link`);
  return sum;
}

/** What stands at each path: its kind, hash, executable bit and time. */
function summary(root: string, below = "", into = new Map<string, string>()): Map<string, string> {
  for (const { name } of Deno.readDirSync(`${root}${below}`)) {
    const path = `${below}/${name}`;
    const info = Deno.lstatSync(root + path);
    if (info.isSymlink) into.set(path, `-> ${Deno.readLinkSync(root + path)}`);
    else if (info.isDirectory) {
      into.set(path, `folder ${info.mtime?.getTime()}`);
      summary(root, path, into);
    } else {
      const sha256 = createHash("sha256").update(Deno.readFileSync(root + path)).digest("hex");
      into.set(path, `${sha256} ${(info.mode ?? 0) & 0o777} ${info.mtime?.getTime()}`);
    }
  }
  return into;
}

function assertSame(out: string, expected: ReadonlyMap<string, string>): void {
  const actual = summary(out);
  // Printed whole, ten thousand lines would help nobody.
  for (const [path, what] of expected) assertEquals(actual.get(path), what, path);
  assertEquals(actual.size, expected.size);
}

Deno.test(`a folder of ${FILES} files with odd names`, async (t) => {
  await using folder = await TestFolder.make();
  const source = folder.file("source");
  const bytes = makeFolder(source);
  const expected = summary(source);
  const { exposer, ready } = await startExposer(source, {
    host: "127.0.0.1",
    stateDir: folder.file("state"),
    flags: ["--memory", "2GiB"],
  });
  await using _exposer = exposer;
  const context = { folder, ready, bytes, expected };
  await t.step("it arrives the same, and is synced", () => whole(context));
  await t.step("pulled again, only the index moves", () => again(context));
  await t.step("its list names everything", () => list(context));
  await t.step("one file of it moves its chunks and the index", () => oneFile(context));
  await t.step("killed twice, it goes on with what is missing", () => killed(context));
  await stopExposer(exposer);
});

interface Context {
  readonly folder: TestFolder;
  readonly ready: ReadyEvent;
  readonly bytes: number;
  readonly expected: ReadonlyMap<string, string>;
}

async function whole({ folder, ready, bytes, expected }: Context): Promise<void> {
  await using puller = startPuller(ready.ticket, folder.file("out"));
  const done = await puller.done();
  assertEquals([done.bytes, done.files, done.path], [bytes, FILES, folder.file("out")]);
  assertSame(folder.file("out"), expected);
  console.log(`${(bytes / 1e6).toFixed(0)} MB in ${done.seconds.toFixed(1)} s`);
}

async function again({ folder, ready, bytes }: Context): Promise<void> {
  await using puller = startPuller(ready.ticket, folder.file("out"));
  const done = await puller.done();
  assertEquals([done.alreadyComplete, done.reused], [true, bytes]);
  assertLess(done.wireBytes, indexBytes(ready, bytes) * 1.1 + 2 * CHUNK_BYTES);
}

async function list({ ready, expected }: Context): Promise<void> {
  await using lister = new RgtpProcess(["pull", ready.ticket, "--list", "--json"]);
  await lister.next("listed");
  assertEquals((await lister.ended()).code, 0);
  const entries = lister.events.filter((event): event is EntryEvent => event.event === "entry");
  assertEquals(entries.length, expected.size);
  for (const { path, kind, sha256 } of entries) {
    const what = expected.get(`/${path}`);
    assert(what?.startsWith(kind === "file" ? sha256! : kind === "folder" ? "folder" : "->"), path);
  }
}

async function oneFile({ folder, ready, bytes, expected }: Context): Promise<void> {
  const [path] = [...expected.keys()].filter((one) => one.endsWith("/-rf"));
  const out = folder.file("one");
  await using puller = startPuller(ready.ticket, out, ["--files", path.slice(1)]);
  const done = await puller.done();
  assertEquals(done.files, 1);
  assertEquals(summary(out).get(path), expected.get(path));
  // A file of less than 1 MiB shares its first and its last chunk; leaf pages come with them.
  assertLessOrEqual(done.wireBytes, 1.1 * (indexBytes(ready, bytes) + done.bytes + 4 * CHUNK_BYTES));
}

async function killed({ folder, ready, bytes, expected }: Context): Promise<void> {
  const out = folder.file("killed");
  let wireBytes = 0;
  for (const share of [0.25, 0.6]) {
    await using puller = startPuller(ready.ticket, out, ["--limit-rate", "100MB/s"]);
    await puller.until(() => puller.progress >= share * bytes, `${share} of it`);
    assertEquals((await puller.kill("SIGKILL")).signal, "SIGKILL");
    wireBytes = Math.max(wireBytes, puller.progress);
  }
  assertGreater(summary(out).size, FILES / 4);
  await using last = startPuller(ready.ticket, out);
  const done = await last.done();
  assertSame(out, expected);
  assertEquals(await isThere(`${out}/.rgtp-part`), false);
  // More than half was there, and what had arrived last is all that may have been lost.
  assertLess(done.wireBytes, 1.1 * (bytes - 0.5 * wireBytes));
}

/** What is no content of files: all chunks, less theirs. */
function indexBytes({ bytes }: ReadyEvent, contents: number): number {
  return bytes - contents;
}
