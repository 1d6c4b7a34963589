import { RgtpError } from "../../core/errors.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import type { PartFile } from "./part_file.ts";
import { openPart } from "./part_file.ts";

// A part file against the system: other processes, full disks, disks that may not be written.

const chunkSize = 65_536;
const hash = nativeEngine.sha256;
const id = new Uint8Array(32).fill(1);

function open(path: string, totalSize: number): PartFile {
  return openPart({ path, manifest: { chunkSize, totalSize }, id, hash });
}

function refusal(fn: () => unknown, condition: string): RgtpError {
  const error = assertThrows(fn, RgtpError);
  assertEquals(error.condition, condition, error.message);
  return error;
}

/** Another process that holds a part and has written its first two of ten chunks. */
async function otherPull(folder: string): Promise<Deno.ChildProcess> {
  const code = `
    import { openPart } from ${JSON.stringify(import.meta.resolve("./part_file.ts"))};
    import { nativeEngine } from ${JSON.stringify(import.meta.resolve("../../crypto/native_engine.ts"))};
    const manifest = { chunkSize: ${chunkSize}, totalSize: 10 * ${chunkSize} };
    const [path, id, hash] = [Deno.args[0], new Uint8Array(32).fill(1), nativeEngine.sha256];
    const part = openPart({ path, manifest, id, hash });
    for (const chunk of [0, 1]) part.write(chunk, new Uint8Array(${chunkSize}).fill(chunk + 1));
    console.log("ready");
    setTimeout(() => part.close(), 60_000);`;
  await Deno.writeTextFile(`${folder}/other.ts`, code);
  // From the folder of the tests, whose deno.json maps the imports.
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--config",
      configPath(),
      `${folder}/other.ts`,
      `${folder}/out`,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  let said = "";
  while (!said.includes("ready")) {
    const { value, done } = await reader.read();
    assert(!done, "the other process ended early");
    said += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return child;
}

function configPath(): string {
  return new URL("../../deno.json", import.meta.url).pathname;
}

Deno.test("a part that another process works on is BUSY until that one is killed; then all it wrote is there", async () => {
  const folder = await Deno.makeTempDir();
  const child = await otherPull(folder);
  try {
    const error = refusal(() => open(`${folder}/out`, 10 * chunkSize), "BUSY");
    assertStringIncludes(error.message, `${folder}/out`);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  const part = open(`${folder}/out`, 10 * chunkSize);
  assertEquals(part.candidateKinds, ["journal"]);
  assertEquals([...part.candidates(0)!.subarray(0, 10)], [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const into = new Uint8Array(chunkSize);
  for (const chunk of [0, 1]) {
    assert(part.read(chunk, into));
    assertEquals(into.every((byte) => byte === chunk + 1), true);
  }
  part.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("two parts in one process are BUSY to each other, until the first is closed or finished", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/out`;
  const first = open(path, 1);
  refusal(() => open(path, 1), "BUSY");
  first.close();
  const second = open(path, 1);
  second.write(0, new Uint8Array(1));
  refusal(() => open(path, 1), "BUSY");
  await second.finish();
  // Finished, but not closed: another pull finds the output, and no part.
  const third = open(path, 1);
  assertEquals(third.candidateKinds, ["same-size"]);
  third.close();
  second.close();
  await Deno.remove(folder, { recursive: true });
});

/** Why file systems cannot be mounted here; empty when they can. */
function mountLack(): string {
  if (Deno.build.os !== "linux") return "no tmpfs";
  const folder = Deno.makeTempDirSync();
  try {
    if (!mount(folder, "size=1m")) return "may not mount";
    unmount(folder);
    return "";
  } finally {
    Deno.removeSync(folder);
  }
}

function mount(folder: string, options: string): boolean {
  const args = ["-t", "tmpfs", "-o", options, "none", folder];
  return run("mount", args);
}

function unmount(folder: string): void {
  run("umount", [folder]);
}

function run(command: string, args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

const lack = mountLack();
const skipped = lack && ` [skipped: ${lack}]`;

function withMount(options: string, use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  assert(mount(folder, options));
  try {
    use(folder);
  } finally {
    unmount(folder);
    Deno.removeSync(folder);
  }
}

Deno.test({
  name: `a disk without room is refused before the first byte, with numbers${skipped}`,
  ignore: lack !== "",
  fn: () =>
    withMount("size=1m", (folder) => {
      const error = refusal(() => open(`${folder}/out`, 2 ** 21), "NO_SPACE");
      assertEquals(error.data.lacking, 2 ** 21);
      assert(error.data.free as number <= 2 ** 20);
      assertStringIncludes(error.message, "2097152");
    }),
});

Deno.test({
  name: `a disk that fills up in the middle leaves a part to go on with, and no output${skipped}`,
  ignore: lack !== "",
  fn: () =>
    withMount("size=1m", (folder) => {
      const path = `${folder}/out`;
      const part = open(path, 14 * chunkSize);
      Deno.writeFileSync(`${folder}/other`, new Uint8Array(2 ** 19));
      let written = 0;
      const error = refusal(() => {
        for (; written < 14; written++) part.write(written, new Uint8Array(chunkSize).fill(written + 1));
      }, "NO_SPACE");
      assert(written > 2 && part.chunksHeld === written);
      assertStringIncludes(error.message, "what has arrived is kept");
      part.close();
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
        "other",
        "out.part",
        "out.part.rgtp",
      ]);
      Deno.removeSync(`${folder}/other`);
      const again = open(path, 14 * chunkSize);
      assertEquals(again.candidates(0)?.reduce((sum, flag) => sum + flag, 0), written);
      for (; written < 14; written++) again.write(written, new Uint8Array(chunkSize));
      again.close();
    }),
});

Deno.test({
  name: `a part counts as room that is there already${skipped}`,
  ignore: lack !== "",
  fn: () =>
    withMount("size=1m", (folder) => {
      const first = open(`${folder}/out`, 14 * chunkSize);
      for (let chunk = 0; chunk < 13; chunk++) first.write(chunk, new Uint8Array(chunkSize).fill(1));
      first.close();
      const again = open(`${folder}/out`, 14 * chunkSize);
      again.write(13, new Uint8Array(chunkSize));
      again.close();
    }),
});

Deno.test({
  name: `a read-only file system is named${skipped}`,
  ignore: lack !== "",
  fn: () =>
    withMount("size=1m,ro", (folder) => {
      assertStringIncludes(refusal(() => open(`${folder}/out`, 1), "IO").message, "read-only");
    }),
});
