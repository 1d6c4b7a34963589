import { assert, assertEquals } from "../../tests/_assert.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { SealedCache } from "./sealed_cache.ts";

const CHUNK = 4096;
const facts = { chunkSize: CHUNK, totalSize: 40 * CHUNK };
const sealed = (chunk: number) => new Uint8Array(CHUNK + 16).fill(chunk + 1);

function cacheOf(diskBytesMax: number, asked: number[] = []): SealedCache {
  const options = { facts, hash: nativeEngine.sha256, diskBytesMax, memoryBytesMax: 1 };
  return new SealedCache(options, (chunk) => asked.push(chunk));
}

Deno.test("sealed cache: gives out chunks as they were put, from its file", () => {
  const cache = cacheOf(1e9);
  for (let chunk = 0; chunk < 40; chunk++) cache.put(chunk, sealed(chunk));
  for (const chunk of [0, 17, 39]) assertEquals(cache.piece(chunk), sealed(chunk));
  assert(cache.counters.spillReads > 0, "only one piece fits its memory");
  assertEquals(cache.piece(40), undefined);
  cache.close();
  assertEquals(cache.piece(0), undefined);
});

Deno.test("sealed cache: its bound holds, what goes is said to be gone, and the runs are what is here", () => {
  const asked: number[] = [];
  const cache = cacheOf(20 * 4300, asked);
  assert(cache.slots < 25);
  const before = cache.version;
  for (let chunk = 0; chunk < 40; chunk++) cache.put(chunk, sealed(chunk));
  assert(cache.version > before);
  const here = Array.from({ length: 40 }, (_, chunk) => chunk).filter((chunk) => cache.has(chunk));
  assertEquals(here.length, cache.slots);
  const listed = cache.runs(100).flatMap(({ first, count }) =>
    Array.from({ length: count }, (_, i) => first + i)
  );
  assertEquals(listed, here);
  assertEquals(cache.piece(0), undefined);
  cache.want(0);
  assertEquals(asked, [0]);
  cache.put(0, sealed(0));
  assertEquals(cache.piece(0), sealed(0));
  assertEquals(cache.runs(1).length, 1);
  cache.close();
});
