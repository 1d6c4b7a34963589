import { decodeManifest } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertLess, assertLessOrEqual } from "../../tests/_assert.ts";
import { MappedFile } from "../link/mapped_file.ts";
import { pagePiece, sealedChunkBytes } from "./pieces.ts";
import { reopenSealed, sealSource } from "./seal.ts";
import type { SealOptions } from "./seal.ts";
import { bytesSource, openFileSource } from "./source.ts";
import type { ByteSource } from "./source.ts";
import type { MapFile } from "./spill_file.ts";
import type { ChunkStore } from "./store.ts";

const CHUNK = 4096;
const CHUNKS = 50;
const options = {
  engine: nativeEngine,
  secret: new Uint8Array(32).fill(1),
  salt: new Uint8Array(32).fill(2),
  chunkSize: CHUNK,
} satisfies SealOptions;
/** Room for ten chunks, and leaf pages. */
const memoryBytesMax = Math.ceil((10 * (CHUNK + 16)) / (14 / 16));

function sample(): Uint8Array<ArrayBuffer> {
  return new Uint8Array((CHUNKS - 1) * CHUNK + 77).map((_, i) => (i * 31 + (i >> 8) * 7) & 255);
}

async function lazy(source: ByteSource, more: Partial<SealOptions> = {}) {
  const sealed = await sealSource(source, { ...options, memoryBytesMax, ...more, expectedLeaves: undefined });
  assert(sealed.store.holdsSource);
  return sealed;
}

function hexOf(store: ChunkStore, piece: number): string | undefined {
  return store.piece(piece)?.toHex();
}

Deno.test("a lazy store serves the same pieces as one that holds everything, in any order", async () => {
  const whole = await sealSource(bytesSource(sample()), options);
  const part = await lazy(bytesSource(sample()));
  assertEquals([part.id, part.leaves], [whole.id, whole.leaves]);
  for (let i = 0; i < 3 * CHUNKS; i++) {
    const chunk = (i * 17) % CHUNKS;
    assertEquals(hexOf(part.store, chunk), hexOf(whole.store, chunk));
  }
  assertEquals(hexOf(part.store, pagePiece(0)), hexOf(whole.store, pagePiece(0)));
  assertLessOrEqual(part.store.memoryBytes, memoryBytesMax);
  for (const piece of [CHUNKS, -1, 0.5, NaN, pagePiece(1)]) {
    assertEquals(part.store.piece(piece), undefined);
    assertEquals(part.store.coldBytes(piece), 0);
  }
});

Deno.test("what fits is held from the sealing on; each chunk that does not costs one sealing, and says so before", async () => {
  const { store } = await lazy(bytesSource(sample()));
  assertEquals(store.counters, { seals: CHUNKS, reseals: 0, spillReads: 0 });
  for (let chunk = 0; chunk < 10; chunk++) assertEquals(store.coldBytes(chunk), 0);
  for (const chunk of [10, CHUNKS - 1]) {
    assertEquals(store.coldBytes(chunk), chunk === 10 ? CHUNK : 77);
    for (let again = 0; again < 3; again++) store.piece(chunk);
    assertEquals(store.coldBytes(chunk), 0);
  }
  assertEquals(store.coldBytes(pagePiece(0)), 0);
  assertEquals(store.counters.reseals, 2);
  assertEquals(store.counters.seals, CHUNKS + 2);
});

Deno.test("ten scans at different places seal each chunk about once each; those that go together share", async () => {
  const { store } = await lazy(bytesSource(sample()));
  for (let step = 0; step < CHUNKS; step++) {
    for (let puller = 0; puller < 5; puller++) store.piece((step + puller * 10) % CHUNKS);
  }
  assertLessOrEqual(store.counters.reseals, 5 * CHUNKS);
  const before = store.counters.reseals;
  for (let step = 0; step < CHUNKS; step++) {
    for (let puller = 0; puller < 5; puller++) store.piece(Math.max(0, step - puller));
  }
  assertLess(store.counters.reseals - before, 1.3 * CHUNKS);
});

/** A lazy store over a real file, what it said when it was lost, and a way to change the file. */
async function overFile(
  use: (scene: {
    path: string;
    losses: RgtpError[];
    sealed: Awaited<ReturnType<typeof lazy>>;
  }) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  await Deno.writeFile(path, sample());
  const losses: RgtpError[] = [];
  const sealed = await lazy(openFileSource(path), { onLost: (reason) => losses.push(reason) });
  try {
    await use({ path, losses, sealed });
  } finally {
    sealed.store.close();
    sealed.store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

function poke(path: string, offset: number): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of(255, 254, 253));
}

Deno.test("a byte that was changed: never sent, and from then on nothing is", () =>
  overFile(({ path, losses, sealed: { store } }) => {
    poke(path, 30 * CHUNK + 9);
    assert(store.piece(29), "what is as it was goes out");
    assertEquals(store.piece(30), undefined);
    assertEquals(losses.map(({ condition }) => condition), ["SOURCE_CHANGED"]);
    assert(losses[0].message.includes(path) && losses[0].message.includes("expose it again"));
    for (const piece of [0, 29, 30, pagePiece(0)]) assertEquals(store.piece(piece), undefined);
    assertEquals(losses.length, 1, "said once");
    assertEquals(store.memoryBytes, 0);
  }));

Deno.test("a file that was cut short: SOURCE_CHANGED", () =>
  overFile(({ path, losses, sealed: { store } }) => {
    Deno.truncateSync(path, 20 * CHUNK);
    assert(store.piece(19));
    assertEquals(store.piece(20), undefined);
    assertEquals(losses.map(({ condition }) => condition), ["SOURCE_CHANGED"]);
  }));

Deno.test("a file that another one took the place of goes on as it was; so does one that was touched", () =>
  overFile(({ path, losses, sealed: { store } }) => {
    Deno.utimeSync(path, 1, 1);
    Deno.writeFileSync(`${path}.new`, new Uint8Array(sample().length));
    Deno.renameSync(`${path}.new`, path);
    for (let chunk = 0; chunk < CHUNKS; chunk++) assert(store.piece(chunk));
    assertEquals(losses, []);
  }));

Deno.test("a disk that fails is told each time, and is not a change", async () => {
  const bytes = bytesSource(sample());
  let fails = false;
  const losses: RgtpError[] = [];
  const source: ByteSource = {
    ...bytes,
    read(offset, into) {
      if (fails) throw new RgtpError("IO", "the device failed");
      bytes.read(offset, into);
    },
  };
  const { store } = await lazy(source, { onLost: (reason) => losses.push(reason) });
  fails = true;
  assertEquals([store.piece(40), store.piece(40)], [undefined, undefined]);
  assertEquals(losses.map(({ condition }) => condition), ["IO", "IO"]);
  fails = false;
  assert(store.piece(40));
});

Deno.test("with a spill file everything is sealed once, and the source is not needed any more", async () => {
  await spilled();
  const before = MappedFile.open(import.meta.filename!, 1);
  before?.close();
  if (before) await spilled((path, bytes) => MappedFile.open(path, bytes));
});

async function spilled(mapFile?: MapFile): Promise<void> {
  const folder = await Deno.makeTempDir();
  const whole = await sealSource(bytesSource(sample()), options);
  const bytes = sample();
  const { store } = await lazy(bytesSource(bytes), { spillFolder: folder, ...(mapFile && { mapFile }) });
  bytes.fill(0);
  assert(!mapFile || store.isAtHand(CHUNKS - 1), "what is mapped moves nothing");
  const run = { block: 0, first: 0, count: 2 };
  for (let round = 0; round < 2; round++) {
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      assertEquals(store.coldBytes(chunk), 0);
      assertEquals(hexOf(store, chunk), hexOf(whole.store, chunk));
      assertEquals(
        store.parity(chunk, 1428, run)?.slice(),
        whole.store.parity(chunk, 1428, run)?.slice(),
      );
    }
  }
  assertEquals(store.counters.reseals, 0);
  assert(store.counters.spillReads >= CHUNKS);
  store.close();
  assertEquals([...Deno.readDirSync(folder)], []);
  await Deno.remove(folder);
}

Deno.test("reopened from a row: nothing is read, all is as it was; another row, secret or size is refused", async () => {
  const { leaves, id, manifest } = await lazy(bytesSource(sample()));
  let reads = 0;
  const bytes = bytesSource(sample());
  const source: ByteSource = { ...bytes, read: (at, into) => (reads++, bytes.read(at, into)) };
  const row = { expectedLeaves: leaves, expectedId: id };
  const cold = reopenSealed(source, { ...options, memoryBytesMax, ...row });
  assert(cold);
  assertEquals([cold.id, cold.manifest, reads], [id, manifest, 0]);
  assertEquals(cold.store.counters, { seals: 0, reseals: 0, spillReads: 0 });
  const whole = await sealSource(bytesSource(sample()), options);
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    assertEquals(hexOf(cold.store, chunk), hexOf(whole.store, chunk));
  }
  assertEquals(reads, CHUNKS);
  const wrong: Partial<SealOptions & typeof row>[] = [
    { salt: new Uint8Array(32) },
    { secret: new Uint8Array(32) },
    { expectedLeaves: leaves.with(5, leaves[5] ^ 1) },
    { expectedLeaves: leaves.subarray(32) },
    { expectedId: new Uint8Array(32) },
    { memoryBytesMax: 10 ** 9 },
  ];
  for (const change of wrong) {
    assertEquals(reopenSealed(source, { ...options, memoryBytesMax, ...row, ...change }), undefined);
  }
});

Deno.test("a bound below four chunks holds four", async () => {
  const { store, manifest } = await lazy(bytesSource(sample()), { memoryBytesMax: 1 });
  for (let chunk = 0; chunk < CHUNKS; chunk++) assert(store.piece(chunk));
  assertEquals(store.memoryBytes, 4 * sealedChunkBytes(decodeManifest(manifest), 0));
});
