import { createHash } from "node:crypto";
import { assert, assertEquals, assertRejects } from "../../tests/_assert.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { DigestAlong } from "./_digest_along.ts";

const content = new Uint8Array(5_000_001).map((_, i) => (i * 11 + (i >> 7)) & 255);
const expected = createHash("sha256").update(content).digest("hex");

/** A digest of the content, and what it reads of it. */
function digestOf(): { digest: DigestAlong; read: [from: number, to: number][] } {
  const read: [number, number][] = [];
  const digest = new DigestAlong(nativeEngine.sha256, content.length, (at, into) => {
    read.push([at, at + into.length]);
    into.set(content.subarray(at, at + into.length));
  });
  return { digest, read };
}

Deno.test("what is written in order and at hand is not read", async () => {
  const { digest, read } = digestOf();
  digest.handleWritten(1_000_000, content.subarray(0, 1_000_000));
  // What lies between was written before; then what comes is at hand again.
  digest.handleWritten(1_030_000, content.subarray(1_010_000, 1_030_000));
  digest.handleWritten(content.length, content.subarray(1_030_000));
  assertEquals((await digest.finish()).toHex(), expected);
  assertEquals(read, [[1_000_000, 1_010_000]]);
});

Deno.test("what was not written in order is read: some of it each time, and the rest at the end", async () => {
  const { digest, read } = digestOf();
  digest.handleWritten(1);
  digest.handleWritten(4_900_000, content.subarray(4_000_000, 4_900_000));
  const before = read.at(-1)![1];
  assert(before > 1 && before < 2_000_000, `${before} bytes in one call`);
  assertEquals((await digest.finish()).toHex(), expected);
  assertEquals(read.slice(1).every(([from], i) => from === read[i][1]), true);
});

Deno.test("what cannot be read now is read at the end; what cannot be read then is an error", async () => {
  let works = false;
  const digest = new DigestAlong(nativeEngine.sha256, 10, (_, into) => {
    if (!works) throw new Error("no disk");
    into.fill(7);
  });
  digest.handleWritten(10);
  await assertRejects(() => digest.finish(), Error, "no disk");
  works = true;
  assertEquals(
    (await digest.finish()).toHex(),
    createHash("sha256").update(new Uint8Array(10).fill(7)).digest("hex"),
  );
});

Deno.test("no bytes have a digest, too", async () => {
  const digest = new DigestAlong(nativeEngine.sha256, 0, () => assert(false));
  assertEquals((await digest.finish()).toHex(), createHash("sha256").digest("hex"));
});
