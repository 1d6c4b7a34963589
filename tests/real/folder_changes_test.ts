/*
 * A folder that is served in parts, and a file of it that changes meanwhile in one way or another: pulls get what was sealed or
 * SOURCE_CHANGED, never a wrong or half-new file; and exposed again, it is what stands there now.
 */
import { assert, assertEquals, assertMatch } from "../_assert.ts";
import { isThere, makeFile, sha256Of, TestFolder } from "./_files.ts";
import { startExposer, startPuller } from "./_processes.ts";
import type { RgtpProcess } from "./_processes.ts";

const HOST = "127.0.0.1";
const FILES = 12;
const FILE_BYTES = 2_000_000;
/** Holds a part of it, and its front first. */
const MEMORY = ["--memory", "16MiB"];
/** In a part that memory does not hold. */
const LATE = "f10";

interface Scene {
  readonly folder: TestFolder;
  readonly source: string;
  readonly exposer: RgtpProcess;
  readonly ticket: string;
  /** SHA-256 of what was sealed, by name. */
  readonly sealed: ReadonlyMap<string, string>;
  again(): ReturnType<typeof startExposer>;
}

async function withScene(play: (scene: Scene) => Promise<void>): Promise<void> {
  await using folder = await TestFolder.make();
  const source = folder.file("source");
  await Deno.mkdir(source);
  const sealed = new Map<string, string>();
  for (let i = 0; i < FILES; i++) {
    const name = `f${String(i).padStart(2, "0")}`;
    sealed.set(name, (await makeFile(`${source}/${name}`, FILE_BYTES, i)).sha256);
  }
  const options = { host: HOST, stateDir: folder.file("state"), flags: MEMORY };
  const again = () => startExposer(source, options);
  const { exposer, ready: { ticket } } = await again();
  await using _exposer = exposer;
  await play({ folder, source, exposer, ticket, sealed, again });
}

/** Every file that has its name is one that was sealed. */
async function assertNothingNew(out: string, sealed: Scene["sealed"]): Promise<void> {
  if (!await isThere(out)) return;
  for (const { name } of Deno.readDirSync(out)) {
    if (name !== ".rgtp-part") assertEquals(await sha256Of(`${out}/${name}`), sealed.get(name), name);
  }
}

/** What becomes of a file, and whether what was sealed may still be had. */
const changes: Readonly<Record<string, (path: string, folder: TestFolder) => Promise<void>>> = {
  "a few bytes are written": async (path) => {
    using file = await Deno.open(path, { write: true });
    await file.seek(1_500_000, Deno.SeekMode.Start);
    await file.write(Uint8Array.of(1, 2, 3, 4, 5));
  },
  "it is cut short": async (path) => await Deno.truncate(path, FILE_BYTES / 2),
  "it is removed": async (path) => await Deno.remove(path),
  "another one takes its place": async (path, folder) => {
    await makeFile(folder.file("new"), FILE_BYTES, 99);
    await Deno.rename(folder.file("new"), path);
  },
};

for (const [what, change] of Object.entries(changes)) {
  Deno.test(`a file of a folder that is served in parts changes: ${what}`, () =>
    withScene(async ({ folder, source, exposer, ticket, sealed, again }) => {
      await change(`${source}/${LATE}`, folder);
      for (const out of ["out", "other"]) {
        await using puller = startPuller(ticket, folder.file(out));
        await puller.until(
          () => puller.last("done") !== undefined || puller.last("error") !== undefined,
          "its end",
        );
        const { code } = await puller.ended();
        // An exposer may hold the file that has lost its name, and serves what it has sealed.
        const mayBeWhole = what === "another one takes its place" || what === "it is removed";
        assert(code === 18 || (code === 0 && mayBeWhole), `${code} ${puller.stderr}`);
        assertEquals(await isThere(folder.file(`${out}/${LATE}`)), code === 0);
        await assertNothingNew(folder.file(out), sealed);
        if (code === 18) assertMatch(exposer.stderr, /changed|became shorter|no such/i);
      }
      await exposer.kill("SIGINT");
      const { exposer: second, ready } = await again();
      await using _second = second;
      await using puller = startPuller(ready.ticket, folder.file("out"), ["--force"]);
      await puller.done();
      for (const { name } of Deno.readDirSync(source)) {
        assertEquals(await sha256Of(folder.file(`out/${name}`)), await sha256Of(`${source}/${name}`), name);
      }
    }));
}
