import { limits } from "../../core/limits.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { assert, assertEquals, assertRejects } from "../../tests/_assert.ts";
import type { ChunkKey } from "../crew/chunk_cipher.ts";
import { Crew } from "../crew/crew.ts";
import { ManifestKind } from "../../codec/manifest.ts";
import { ChunkSealer } from "./_chunk_sealer.ts";
import { Sealing } from "./_sealing.ts";
import { bytesSource } from "./source.ts";

const CHUNK = 4096;
const CHUNKS = 500;
const plain = new Uint8Array(CHUNK * (CHUNKS - 1) + 77).map((_, i) => (i * 31 + (i >> 8)) & 255);
const zeros = new Uint8Array(32);
const chunkKey = {
  aead: "chacha20-poly1305",
  key: new Uint8Array(32).fill(3),
  aad: new Uint8Array(88),
} satisfies ChunkKey;
const facts = {
  version: 2,
  kind: ManifestKind.BLOB,
  aead: 0,
  hash: 0,
  chunkSize: CHUNK,
  totalSize: plain.length,
  indexSize: 0,
  reserved: 0,
  keyCheck: zeros,
  root: zeros,
};

function sealer(): ChunkSealer {
  return new ChunkSealer(defaultEngine(), { facts, chunkKey }, bytesSource(plain));
}

/** A crew that has begun to work. */
async function readyCrew(): Promise<Crew> {
  const crew = new Crew(chunkKey, new URL("../crew/chunk_worker.ts", import.meta.url), limits.sealThreadsMax);
  const bytes = crew.memory(CHUNK);
  for (let tries = 0; !crew.seal(0, bytes, () => {}); tries++) {
    assert(tries < 3000, "no thread took a job in half a minute");
    await new Promise((wake) => setTimeout(wake, 10));
  }
  while (crew.busy > 0) await crew.settled();
  return crew;
}

Deno.test("a crew seals what one thread does, each chunk once", async () => {
  const crew = await readyCrew();
  try {
    const expected = sealer();
    const seen = new Set<number>();
    const sealing = new Sealing(sealer(), crew, (chunk, sealed, leaf) => {
      const right = expected.seal(chunk);
      assertEquals([sealed?.slice(), leaf], [right.sealed.slice(), right.leaf]);
      seen.add(chunk);
    });
    for (let chunk = 0; chunk < CHUNKS; chunk++) sealing.seal(chunk);
    await sealing.finish();
    assertEquals(seen.size, CHUNKS);
  } finally {
    crew.close();
  }
});

Deno.test("a crew puts what it seals into its place, as soon as it reaches that", async () => {
  const crew = await readyCrew();
  try {
    const expected = sealer();
    const memory = new Uint8Array(new SharedArrayBuffer(CHUNKS * (CHUNK + 16)));
    const placeOf = (chunk: number) => {
      const bytes = Math.min(CHUNK, plain.length - chunk * CHUNK) + 16;
      return memory.subarray(chunk * (CHUNK + 16), chunk * (CHUNK + 16) + bytes);
    };
    let placed = 0;
    const sealing = new Sealing(sealer(), crew, (chunk, sealed, leaf) => {
      const right = expected.seal(chunk);
      assertEquals([(sealed ?? placeOf(chunk)).slice(), leaf], [right.sealed.slice(), right.leaf]);
      if (!sealed) placed++;
    }, placeOf);
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      sealing.seal(chunk);
      // The threads hear of the memory in between.
      if (chunk % 50 === 0) await sealing.finish();
    }
    await sealing.finish();
    assert(placed > 0, "nothing was put into its place");
  } finally {
    crew.close();
  }
});

Deno.test("what goes wrong where a chunk is taken ends the sealing", async () => {
  const crew = await readyCrew();
  try {
    const sealing = new Sealing(sealer(), crew, () => {
      throw new RangeError("no room");
    });
    await assertRejects(
      async () => {
        for (let chunk = 0; chunk < CHUNKS; chunk++) sealing.seal(chunk);
        await sealing.finish();
      },
      RangeError,
      "no room",
    );
  } finally {
    crew.close();
  }
});

Deno.test("without a crew chunks are sealed several together, each as one alone", async () => {
  const expected = sealer();
  const seen: number[] = [];
  const sealing = new Sealing(sealer(), undefined, (chunk, sealed, leaf) => {
    const right = expected.seal(chunk);
    assertEquals([sealed?.slice(), leaf], [right.sealed.slice(), right.leaf]);
    seen.push(chunk);
  });
  const order = [7, 2, ...Array.from({ length: CHUNKS }, (_, chunk) => chunk), CHUNKS - 1];
  for (const chunk of order) sealing.seal(chunk);
  await sealing.finish();
  assertEquals(seen, order);
});
