import { limits } from "../../core/limits.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { AEAD_TAG_BYTES } from "../../crypto/engine.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { ChunkCipher } from "./chunk_cipher.ts";
import type { ChunkKey } from "./chunk_cipher.ts";
import { Crew, hireCrew } from "./crew.ts";
import type { Outcome } from "./crew.ts";

const key: ChunkKey = {
  aead: "chacha20-poly1305",
  key: new Uint8Array(32).fill(7),
  aad: new TextEncoder().encode("parameters"),
};
const cipher = new ChunkCipher(defaultEngine(), key);
const file = new URL("./chunk_worker.ts", import.meta.url);
const CHUNK_BYTES = 65_536;

/** A chunk in memory of the crew, with room for its tag: plaintext. */
function plain(crew: Crew, chunk: number): Uint8Array {
  const bytes = crew.memory(CHUNK_BYTES + AEAD_TAG_BYTES);
  return bytes.fill(chunk + 1, 0, CHUNK_BYTES);
}

/** What came of one job, which is given as soon as a thread is ready for it. */
async function outcomeOf(crew: Crew, give: (done: (outcome: Outcome) => void) => boolean): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  for (let tries = 0; !give(resolve); tries++) {
    assert(tries < 3000, "no thread took a job in half a minute");
    await new Promise((wake) => setTimeout(wake, 10));
  }
  await crew.settled();
  return await promise;
}

Deno.test("a crew seals and opens what one thread would, in the same memory", async () => {
  const crew = new Crew(key, file, 2);
  try {
    const bytes = plain(crew, 5);
    const expected = bytes.slice();
    const leaf = cipher.seal(5, expected);
    const sealed = await outcomeOf(crew, (done) => crew.seal(5, bytes, done));
    assertEquals(sealed, { ok: true, leaf });
    assertEquals(bytes.slice(), expected);
    const opened = await outcomeOf(crew, (done) => crew.open(5, bytes, leaf, done));
    assertEquals(opened?.ok, true);
    assertEquals(bytes.slice(0, CHUNK_BYTES), new Uint8Array(CHUNK_BYTES).fill(6));
  } finally {
    crew.close();
  }
});

Deno.test("a crew does not open what has another leaf hash, or another chunk's place", async () => {
  const crew = new Crew(key, file, 1);
  try {
    const bytes = plain(crew, 0);
    const leaf = cipher.seal(0, bytes);
    const sealed = bytes.slice();
    assertEquals((await outcomeOf(crew, (done) => crew.open(1, bytes, leaf, done)))?.ok, false);
    bytes.set(sealed);
    bytes[100] ^= 1;
    assertEquals((await outcomeOf(crew, (done) => crew.open(0, bytes, leaf, done)))?.ok, false);
    // Nothing has the leaf hash of a page that is not there.
    assertEquals(crew.open(0, bytes, new Uint8Array(0), () => {}), false);
  } finally {
    crew.close();
  }
});

Deno.test("a crew says whether a plaintext has a leaf hash, and leaves it as it is", async () => {
  const crew = new Crew(key, file, 1);
  try {
    const bytes = plain(crew, 3);
    const leaf = cipher.seal(3, bytes.slice());
    const plaintext = bytes.subarray(0, CHUNK_BYTES);
    const check = (chunk: number, hash = leaf) =>
      outcomeOf(crew, (done) => crew.check(chunk, plaintext, hash, done));
    assertEquals((await check(3))?.ok, true);
    assertEquals((await check(4))?.ok, false);
    assertEquals((await check(3, leaf.map((byte) => byte ^ 1)))?.ok, false);
    assertEquals(plaintext.slice(), new Uint8Array(CHUNK_BYTES).fill(4));
    assert(cipher.isChunk(3, plaintext, leaf) && !cipher.isChunk(2, plaintext, leaf));
    assertEquals(crew.check(3, plaintext, new Uint8Array(0), () => {}), false);
  } finally {
    crew.close();
  }
});

Deno.test("a crew takes so many jobs and no more, in any memory that it gave, and none after its end", async () => {
  const crew = new Crew(key, file, 1);
  const first = plain(crew, 0);
  await outcomeOf(crew, (done) => crew.seal(0, first, done));
  // More memory than one slab holds.
  const chunks = Array.from({ length: 128 }, (_, i) => plain(crew, i));
  const leaves: Outcome[] = [];
  let taken = 0;
  let refused = 0;
  for (const [i, bytes] of chunks.entries()) {
    const isTaken = crew.seal(i, bytes, (outcome) => leaves[i] = outcome);
    if (isTaken) taken++;
    else {
      refused++;
      leaves[i] = { ok: true, leaf: cipher.seal(i, bytes) };
    }
    assert(crew.busy <= limits.crewJobsMax);
  }
  while (crew.busy > 0) await crew.settled();
  assertEquals(taken + refused, chunks.length);
  for (const [i, bytes] of chunks.entries()) {
    assertEquals(leaves[i], { ok: true, leaf: cipher.leaf(bytes) });
    const expected = new Uint8Array(bytes.length).fill(i + 1, 0, CHUNK_BYTES);
    assertEquals(leaves[i]?.leaf, cipher.seal(i, expected));
  }
  assertEquals(crew.seal(0, new Uint8Array(CHUNK_BYTES), () => {}), false, "memory that no thread reaches");
  crew.close();
  crew.close();
  assertEquals(crew.seal(0, first, () => {}), false);
});

Deno.test("a thread that cannot begin is done without, and what it was given comes back", async () => {
  const crew = new Crew(key, new URL("./no_such_worker.ts", import.meta.url), 1);
  const bytes = plain(crew, 0);
  for (let tries = 0; crew.busy > 0 && tries < 3000; tries++) {
    await new Promise((wake) => setTimeout(wake, 10));
  }
  assertEquals(crew.busy, 0);
  assertEquals(crew.seal(0, bytes, () => {}), false);
  crew.close();
});

Deno.test("nobody is hired for a few bytes", () => {
  assertEquals(hireCrew(key, limits.crewBytesMin - 1, 1), undefined);
});

Deno.test("several chunks are opened, and compared, as each would be alone, and one that is wrong holds up no other", () => {
  const chunks = Array.from({ length: 700 }, (_, chunk) => {
    const bytes = new Uint8Array(1000 + AEAD_TAG_BYTES).fill(chunk);
    return { chunk, bytes, leaf: cipher.seal(chunk, bytes) };
  });
  const fresh = new ChunkCipher(defaultEngine(), key);
  // Enough of them for what hashes side by side, where that is there.
  for (let first = 0; first < chunks.length; first += 35) {
    const some = chunks.slice(first, first + 35);
    some[3].bytes[first % 1016] ^= 1;
    some[4].leaf = some[5].leaf;
    const isRight = some.map((_, index) => index !== 3 && index !== 4);
    assertEquals([...fresh.openAll(some)], isRight);
    const plain = some.map(({ chunk, leaf }) => ({ chunk, leaf, bytes: new Uint8Array(1000).fill(chunk) }));
    some.forEach(({ bytes }, index) => {
      if (isRight[index]) assertEquals(bytes.subarray(0, 1000), plain[index].bytes);
    });
    plain[3].bytes[first % 1000] ^= 1;
    const before = plain.map(({ bytes }) => bytes.slice());
    assertEquals(fresh.areChunks(plain), isRight);
    assertEquals(plain.map(({ bytes }) => bytes), before);
  }
});
