import { symbolSizes } from "../../codec/geometry.ts";
import { stampChunkHeader } from "../../codec/packet.ts";
import { leafHash, merkleRoot } from "../../crypto/merkle.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../../tests/_assert.ts";
import { packetise, packetisedBytes } from "./packetise.ts";
import { pagePiece, sealedChunkBytes } from "./pieces.ts";
import type { MemoryStoreOptions } from "./store.ts";
import { memoryStore } from "./store.ts";

const hash = nativeEngine.sha256;

/** A store over chunks that are not sealed really: it must not care. */
function filled(totalSize: number, more: Partial<MemoryStoreOptions> = {}) {
  const facts = { chunkSize: 4096, totalSize };
  const filler = memoryStore({ facts, hash, symbolSize: 1428, ...more });
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

Deno.test("a memory store serves every chunk in every symbol size", () => {
  const { store, chunks } = filled(5 * 4096 + 3);
  for (const symbolSize of symbolSizes) {
    chunks.forEach((chunk, i) => {
      assertEquals(store.packets(i, symbolSize), packetise(i, chunk, symbolSize));
    });
  }
});

Deno.test("a memory store of several slabs", () => {
  // A slab holds 3,995 chunks of this size; the last slab and the last chunk are short.
  const { store, chunks } = filled(8100 * 4096 + 1);
  for (const i of [0, 3994, 3995, 7989, 7990, 8099, 8100]) {
    assertEquals(store.packets(i, 1428)?.toHex(), packetise(i, chunks[i], 1428).toHex(), `chunk ${i}`);
  }
  const bytes = chunks.reduce((sum, chunk) => sum + packetisedBytes(chunk.length, 1428), 0);
  assertEquals(store.memoryBytes, bytes);
});

Deno.test("serving again costs neither sealing nor packing, also for what is packed on demand", () => {
  const { store, leaves } = filled(3 * 4096);
  assertEquals(store.counters, { seals: 3, reseals: 0, packings: 3, spillReads: 0 });
  for (let i = 0; i < 3; i++) {
    store.packets(1, 1428);
    store.packets(1, 1200);
    assertEquals(store.packets(pagePiece(0), 1428), packetise(pagePiece(0), leaves, 1428));
  }
  assertEquals(store.counters, { seals: 3, reseals: 0, packings: 5, spillReads: 0 });
});

Deno.test("a stamp stays in the store's memory and spoils nothing", () => {
  const { store, chunks } = filled(4096);
  const packets = store.packets(0, 1428)!;
  stampChunkHeader(packets, 0, new Uint8Array(8).fill(9), 1, 2);
  assertStrictEquals(store.packets(0, 1428)!.buffer, packets.buffer);
  assertEquals(store.packets(0, 1428)![4], 9);
  assertEquals(store.packets(0, 1200), packetise(0, chunks[0], 1200));
});

Deno.test("pieces on demand are bounded; those used longest ago go first", () => {
  const each = packetisedBytes(4112, 1200);
  const { store } = filled(4 * 4096, { onDemandBytesMax: 2 * each });
  const base = store.memoryBytes;
  const packings = (piece: number) => {
    const before = store.counters.packings;
    store.packets(piece, 1200);
    assert(store.memoryBytes <= base + 2 * each);
    return store.counters.packings - before;
  };
  assertEquals([0, 1, 0, 2, 0, 1, 0].map(packings), [1, 1, 0, 1, 0, 1, 0]);
});

Deno.test("what is not there is undefined", () => {
  const { store } = filled(4096 + 1);
  for (const piece of [2, -1, 0.5, NaN, pagePiece(1), 2 ** 32]) {
    assertEquals(store.packets(piece, 1428), undefined);
    assertEquals(store.packets(piece, 1200), undefined);
  }
  for (const size of [0, 1, 1427, 65_535, NaN]) assertEquals(store.packets(0, size), undefined);
  store.close();
  store.close();
  assertEquals(store.packets(0, 1428), undefined);
  assertEquals(store.memoryBytes, 0);
  assertEquals(filled(0).store.packets(0, 1428), undefined);
  assertEquals(filled(0).store.packets(pagePiece(0), 1428), undefined);
});

Deno.test("a symbol size that no request can name is a mistake", () => {
  const facts = { chunkSize: 4096, totalSize: 1 };
  assertThrows(() => memoryStore({ facts, hash, symbolSize: 1400 }), RangeError, "1400");
});
