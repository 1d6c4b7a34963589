import { DatabaseSync } from "node:sqlite";
import type { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertNotEquals } from "../../tests/_assert.ts";
import { makeTree, noise } from "./_trees.ts";
import { openCatalog } from "./catalog.ts";
import { openCollectionSource } from "./collection_source.ts";
import { bytesSource } from "./source.ts";
import type { ByteSource } from "./source.ts";
import { openState } from "./state.ts";
import type { ExposerState, StateSealOptions } from "./state.ts";

const options = { aead: "chacha20-poly1305", chunkSize: 4096, memoryBytesMax: 50_000 } as const;

function sample(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(300_000).map((_, i) => (i * 31 + (i >> 8)) & 255);
}

/** A file that has been at rest since 1970, and that counts what is read. */
class OldFile implements ByteSource {
  reads = 0;
  readonly bytes = sample();
  readonly size = 300_000;
  readonly fingerprint = {
    path: "/data/old",
    device: 1,
    inode: 2,
    size: 300_000,
    mtimeMs: 1000,
    ctimeMs: 1000,
  };

  read(offset: number, into: Uint8Array): void {
    this.reads++;
    bytesSource(this.bytes).read(offset, into);
  }

  unchanged(): boolean {
    return true;
  }

  close(): void {}
}

async function withStates(
  use: (open: () => ExposerState, stateDir: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const states: ExposerState[] = [];
  try {
    await use(() => {
      const state = openState(nativeEngine, systemRandom, folder);
      states.push(state);
      return state;
    }, folder);
  } finally {
    for (const state of states) state.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a large file that is at rest is exposed again without being read, and is the same", () =>
  withStates(async (open) => {
    const first = await open().seal(new OldFile(), options);
    const file = new OldFile();
    const again = await open().seal(file, options);
    assertEquals([again.id, again.manifest, file.reads], [first.id, first.manifest, 0]);
    assertEquals(again.store.piece(9)?.length, first.store.piece(9)?.length);
    assertEquals(file.reads, 1);
    // One that fits the memory is held there from the beginning: what becomes of its file is all one then.
    const whole = await open().seal(file, { ...options, memoryBytesMax: 10 ** 9 });
    assertEquals([whole.id, whole.store.holdsSource], [first.id, false]);
  }));

Deno.test("a file that was written shortly before it was sealed is read again, until its row is old enough", () =>
  withStates(async (open) => {
    const young = (ageMs: number) => {
      const file = new OldFile();
      const at = Date.now() - ageMs;
      Object.assign(file.fingerprint, { mtimeMs: at, ctimeMs: at });
      return file;
    };
    const file = young(0);
    const first = await open().seal(file, options);
    const again = Object.assign(new OldFile(), { fingerprint: file.fingerprint });
    assertEquals((await open().seal(again, options)).id, first.id);
    assert(again.reads > 70, "all of it is read, and every leaf compared");
    const rest = young(10_000);
    const sealed = await open().seal(rest, options);
    const later = Object.assign(new OldFile(), { fingerprint: rest.fingerprint });
    assertEquals([(await open().seal(later, options)).id, later.reads], [sealed.id, 0]);
  }));

Deno.test("content that changed behind its time stamps: found out when it is sent, and sealed anew the next time", () =>
  withStates(async (open) => {
    const first = await open().seal(new OldFile(), options);
    const file = new OldFile();
    file.bytes[10 * 4096] ^= 1;
    const losses: RgtpError[] = [];
    const again = await open().seal(file, { ...options, onLost: (reason) => losses.push(reason) });
    assertEquals([again.id, file.reads], [first.id, 0]);
    assert(again.store.piece(9));
    assertEquals(again.store.piece(10), undefined);
    assertEquals(losses.map(({ condition }) => condition), ["SOURCE_CHANGED"]);
    const next = await open().seal(file, options);
    assertNotEquals(next.id, first.id);
    assert(next.store.piece(10));
  }));

Deno.test("rekey makes a new exposure, whose predecessor's tickets end; reproducible has a row of its own", () =>
  withStates(async (open) => {
    const state = open();
    const seal = (more: Partial<StateSealOptions> = {}) => state.seal(new OldFile(), { ...options, ...more });
    const first = await seal();
    state.shelf(first.id)!.add({ ticketId: new Uint8Array(8), psk: new Uint8Array(32), label: "" });
    const second = await seal({ rekey: true });
    assertNotEquals(second.id, first.id);
    assertEquals(state.shelf(first.id)!.load(), []);
    assertEquals((await seal()).id, second.id);
    const own = await seal({ reproducible: true });
    assertNotEquals(own.id, second.id);
    const file = new OldFile();
    assertEquals((await state.seal(file, { ...options, reproducible: true })).id, own.id);
    assertEquals(file.reads, 0);
    assertEquals((await seal()).id, second.id);
  }));

/** A folder of 400 kB on a disk, which is gone in the end. */
async function withFolder(use: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "rgtp-state-" });
  try {
    makeTree(root, {
      "a/one": noise(250_000, 1),
      "a/two": noise(5000, 2),
      "three": noise(150_000, 3),
      "none": "",
    });
    await use(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const folderOf = (root: string) =>
  openCollectionSource([root], { chunkSize: options.chunkSize, hash: nativeEngine.sha256 });

/** As if all rows had been sealed when their files were long at rest. */
function age(stateDir: string): void {
  const database = new DatabaseSync(`${stateDir}/catalog.sqlite`);
  database.exec("UPDATE exposures SET sealed_at_ms = sealed_at_ms + 100000");
  database.close();
}

Deno.test("a large folder that is at rest is exposed again without a file of it being read, and is the same", () =>
  withFolder((root) =>
    withStates(async (open, stateDir) => {
      const first = await open().seal(await folderOf(root), options);
      age(stateDir);
      const source = await folderOf(root);
      // What is not there cannot be read.
      await Deno.rename(`${root}/a`, `${root}-away`);
      const again = await open().seal(source, options);
      assertEquals([again.id, again.manifest], [first.id, first.manifest]);
      assertEquals(again.store.counters.seals, 0);
      assert(again.store.piece(0), "the index is at hand");
      await Deno.rename(`${root}-away`, `${root}/a`);
      for (let chunk = 0; chunk < again.chunkCount; chunk++) {
        assertEquals(again.store.piece(chunk), first.store.piece(chunk), `chunk ${chunk}`);
      }
      again.store.close();
      first.store.close();
    })
  ));

Deno.test("a folder whose file changed behind its times just after it was sealed is read again, and is another exposure", () =>
  withFolder((root) =>
    withStates(async (open) => {
      const path = `${root}/three`;
      const { atime, mtime } = await Deno.stat(path);
      const first = await open().seal(await folderOf(root), options);
      await Deno.writeFile(path, noise(150_000, 4));
      await Deno.utime(path, atime!, mtime!);
      // The same size and time; ctime, in whole seconds, is the same or nearly so.
      const again = await open().seal(await folderOf(root), options);
      assertNotEquals(again.id, first.id);
      assert(again.store.piece(again.chunkCount - 1));
      again.store.close();
    })
  ));

Deno.test("a folder that changed behind its times after it was at rest: found out when it is sent, and sealed anew the next time", () =>
  withFolder((root) =>
    withStates(async (open, stateDir) => {
      const first = await open().seal(await folderOf(root), options);
      age(stateDir);
      const source = await folderOf(root);
      const losses: RgtpError[] = [];
      const again = await open().seal(source, { ...options, onLost: (reason) => losses.push(reason) });
      assertEquals(again.id, first.id);
      // "a/one" begins behind the index, which is one chunk.
      assert(again.store.piece(1));
      // Written through the handle that is open, so that nothing of its state is looked at again.
      using file = await Deno.open(`${root}/a/one`, { write: true });
      await file.seek(30 * 4096, Deno.SeekMode.Start);
      await file.write(new Uint8Array(4096));
      assertEquals(again.store.piece(31), undefined);
      assertEquals(losses.map(({ condition }) => condition), ["SOURCE_CHANGED"]);
      assertEquals(again.store.piece(1), undefined, "nothing of it is sent from then on");
      const next = await open().seal(await folderOf(root), options);
      assertNotEquals(next.id, first.id);
      assert(next.store.piece(31));
      for (const { store } of [again, next]) store.close();
    })
  ));

Deno.test("an index that was damaged in the catalog is not believed: all is read, and the exposure is the same", () =>
  withFolder((root) =>
    withStates(async (open, stateDir) => {
      const first = await open().seal(await folderOf(root), options);
      age(stateDir);
      const database = new DatabaseSync(`${stateDir}/catalog.sqlite`);
      for (const value of ["zeroblob(length(content_index))", "x''", "NULL"]) {
        database.exec(`UPDATE exposures SET content_index = ${value}`);
        const again = await open().seal(await folderOf(root), options);
        assertEquals(again.id, first.id);
        assert(again.store.counters.seals >= again.chunkCount, "it was read");
        again.store.close();
        age(stateDir);
      }
      database.close();
    })
  ));

Deno.test("a stream is known to others while its state is open; its tickets end with it", () =>
  withStates(async (open, stateDir) => {
    const [state, other] = [open(), openCatalog(stateDir)];
    const { id } = await state.seal(bytesSource(sample()), options);
    state.shelf(id)!.add({ ticketId: new Uint8Array(8), psk: new Uint8Array(32), label: "" });
    assertEquals(other.list().map(({ path, size }) => [path, size]), [["-", 300_000]]);
    state.close();
    assertEquals([other.list(), other.tickets(id)], [[], []]);
    other.close();
  }));

Deno.test("a row of another identity is of no use, and is replaced", async () => {
  const folder = await Deno.makeTempDir();
  const open = () => openState(nativeEngine, systemRandom, folder);
  const first = open();
  const { id } = await first.seal(new OldFile(), options);
  first.close();
  await Deno.remove(`${folder}/identity`);
  const second = open();
  const sealed = await second.seal(new OldFile(), options);
  assertNotEquals(sealed.id, id);
  second.close();
  await Deno.remove(folder, { recursive: true });
});
