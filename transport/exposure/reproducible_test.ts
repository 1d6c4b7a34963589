import { RgtpError } from "../../core/errors.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assertEquals, assertNotEquals, assertRejects, assertThrows } from "../../tests/_assert.ts";
import { reproducibleSource } from "./reproducible.ts";
import { sealSource } from "./seal.ts";
import { bytesSource } from "./source.ts";
import type { ByteSource } from "./source.ts";

const secret = new Uint8Array(32).fill(1);

async function seal(source: ByteSource) {
  const own = await reproducibleSource(nativeEngine, source, {});
  const sealed = await sealSource(own.source, {
    engine: nativeEngine,
    chunkSize: 4096,
    secret,
    salt: own.salt,
    expectedLeaves: undefined,
  });
  own.check();
  return sealed;
}

function sample(length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 31 + (i >> 8)) & 255);
}

Deno.test("the same bytes are the same exposure, and any other byte makes another one", async () => {
  for (const length of [0, 1, 4096, 3_000_001]) {
    const first = await seal(bytesSource(sample(length)));
    const again = await seal(bytesSource(sample(length)));
    assertEquals([again.id, again.exposureKey], [first.id, first.exposureKey]);
    if (length === 0) continue;
    const other = sample(length);
    other[length >> 1] ^= 1;
    assertNotEquals((await seal(bytesSource(other))).exposureKey, first.exposureKey);
  }
});

Deno.test("what changes between the two readings, behind all time stamps, is refused", async () => {
  const bytes = sample(100_000);
  const own = await reproducibleSource(nativeEngine, bytesSource(bytes), {});
  bytes[99_999] ^= 1;
  const { salt } = own;
  await sealSource(own.source, {
    engine: nativeEngine,
    chunkSize: 4096,
    secret,
    salt,
    expectedLeaves: undefined,
  });
  assertEquals(assertThrows(() => own.check(), RgtpError).condition, "SOURCE_CHANGED");
});

Deno.test("a collection, whose index is read last, is reproducible too", async () => {
  const bytes = sample(10 * 4096);
  const order: number[] = [];
  const plain = bytesSource(bytes);
  const source: ByteSource = {
    ...plain,
    collection: { indexSize: 5000, lateBytes: 8192 },
    read: (at, into) => (order.push(at), plain.read(at, into)),
  };
  const first = await seal(source);
  assertEquals(order[0], 8192);
  assertEquals((await seal({ ...source })).id, first.id);
});

Deno.test("the reading can be cancelled", async () => {
  const source = bytesSource(sample(10));
  const reading = () => reproducibleSource(nativeEngine, source, { signal: AbortSignal.abort() });
  assertEquals((await assertRejects(reading, RgtpError)).condition, "CANCELLED");
});
