import { leafHash, merkleRoot } from "../../crypto/merkle.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertStrictEquals } from "../../tests/_assert.ts";
import { pagePiece, sealedChunkBytes } from "./pieces.ts";
import type { MemoryStoreOptions } from "./store.ts";
import { memoryStore } from "./store.ts";

const hash = nativeEngine.sha256;

/** A store over chunks that are not sealed really: it must not care. */
function filled(totalSize: number, more: Partial<MemoryStoreOptions> = {}) {
  const facts = { chunkSize: 4096, totalSize };
  const filler = memoryStore({ facts, hash, ...more });
  const chunks = Array.from({ length: Math.ceil(totalSize / 4096) }, (_, chunk) => {
    return new Uint8Array(sealedChunkBytes(facts, chunk)).map((_, i) => (chunk * 7 + i) & 255);
  });
  // The same memory for each, as sealing does it.
  const scratch = new Uint8Array(4096 + 16);
  for (const [i, chunk] of chunks.entries()) {
    scratch.set(chunk);
    filler.put(scratch.subarray(0, chunk.length), i);
  }
  const leaves = new Uint8Array(chunks.length * 32);
  chunks.forEach((chunk, i) => leaves.set(leafHash(hash, chunk), i * 32));
  const { store, root } = filler.finish(leaves);
  assertEquals(root, merkleRoot(hash, leaves));
  return { store, chunks, leaves };
}

Deno.test("a memory store gives every chunk as it was put, and leaf pages", () => {
  const { store, chunks, leaves } = filled(5 * 4096 + 3);
  chunks.forEach((chunk, i) => assertEquals(store.piece(i), chunk));
  assertEquals(store.piece(pagePiece(0)), leaves);
});

Deno.test("a memory store of several slabs", () => {
  // A slab holds 4,080 chunks of this size; the last slab and the last chunk are short.
  const { store, chunks } = filled(8200 * 4096 + 1);
  for (const i of [0, 4079, 4080, 8159, 8160, 8199, 8200]) {
    assertEquals(store.piece(i)?.toHex(), chunks[i].toHex(), `chunk ${i}`);
  }
  assertEquals(store.memoryBytes, chunks.reduce((sum, chunk) => sum + chunk.length, 0));
});

Deno.test("serving again costs no sealing, and gives the same memory", () => {
  const { store } = filled(3 * 4096);
  const [chunk, page] = [store.piece(1)!, store.piece(pagePiece(0))!];
  assertEquals(store.counters, { seals: 3, reseals: 0, spillReads: 0 });
  assertStrictEquals(store.piece(1)!.buffer, chunk.buffer);
  assertStrictEquals(store.piece(pagePiece(0)), page);
  assertEquals(store.counters, { seals: 3, reseals: 0, spillReads: 0 });
});

Deno.test("leaf pages are bounded; those used longest ago go first", () => {
  const { store } = filled(4096 * 4096, { pageBytesMax: 70_000 });
  const base = store.memoryBytes;
  const made = new Map<number, Uint8Array>();
  const isNew = (number: number) => {
    const page = store.piece(pagePiece(number))!;
    assert(store.memoryBytes <= base + 70_000);
    const before = made.get(number);
    made.set(number, page);
    return before !== page;
  };
  assertEquals([0, 1, 0, 2, 0, 1, 0].map(isNew), [true, true, false, true, false, true, false]);
});

Deno.test("what is not there is undefined", () => {
  const { store } = filled(4096 + 1);
  for (const piece of [2, -1, 0.5, NaN, pagePiece(1), 2 ** 32]) assertEquals(store.piece(piece), undefined);
  store.close();
  store.close();
  assertEquals(store.piece(0), undefined);
  assertEquals(store.memoryBytes, 0);
  assertEquals(filled(0).store.piece(0), undefined);
  assertEquals(filled(0).store.piece(pagePiece(0)), undefined);
});
