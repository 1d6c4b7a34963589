import { RgtpError } from "../core/errors.ts";
import { ManifestKind } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { assertEquals, assertRejects, assertThrows } from "../tests/_assert.ts";
import { SliceQueue } from "./slice_queue.ts";

function manifestOf(totalSize: number, kind: number = ManifestKind.BLOB): Manifest {
  const zeros = new Uint8Array(32);
  const rest = { version: 2, aead: 1, hash: 1, indexSize: 0, reserved: 0, keyCheck: zeros, root: zeros };
  return { ...rest, kind, chunkSize: 4096, totalSize };
}

const chunk = (index: number, bytes = 4096) => new Uint8Array(bytes).fill(index);

Deno.test("slice queue: chunks leave in order, and only what waits for the reader holds the pull up", async () => {
  const queue = new SliceQueue(0, Infinity).begin(manifestOf(10_000));
  assertEquals([queue.wanted, queue.length], [[{ first: 0, end: 3 }], 10_000]);
  const taken: number[] = [];
  const write = (index: number, bytes?: number) =>
    void queue.write(index, chunk(index, bytes)).then(() => taken.push(index));
  write(2, 1808);
  write(1);
  // Both wait for chunk 0, which the network owes.
  assertEquals(queue.heldBack(), 2);
  const first = queue.next();
  write(0);
  assertEquals(queue.heldBack(), 0);
  assertEquals(await first, chunk(0));
  assertEquals([taken, queue.heldBack()], [[0], 0]);
  assertEquals([await queue.next(), await queue.next()], [chunk(1), chunk(2, 1808)]);
  queue.end();
  assertEquals([await queue.next(), taken], [undefined, [0, 1, 2]]);
});

Deno.test("slice queue: what is whole comes before the failure, what lies behind a gap does not", async () => {
  const queue = new SliceQueue(0, Infinity).begin(manifestOf(20_000));
  queue.write(0, chunk(0));
  queue.write(2, chunk(2));
  queue.fail(new Error("torn"));
  assertEquals(await queue.next(), chunk(0));
  await assertRejects(() => queue.next(), Error, "torn");
});

Deno.test("slice queue: the chunks that a range takes, and its cuts", async () => {
  const table: [number, number, [number, number] | undefined][] = [
    [0, 1, [0, 1]],
    [0, 4096, [0, 1]],
    [0, 4097, [0, 2]],
    [4095, 4097, [0, 2]],
    [4096, 8192, [1, 2]],
    [9999, 10_000, [2, 3]],
    [5000, Infinity, [1, 3]],
    [4096, 4096, undefined],
    [10_000, Infinity, undefined],
  ];
  for (const [from, to, run] of table) {
    const queue = new SliceQueue(from, to).begin(manifestOf(10_000));
    assertEquals(queue.wanted, run ? [{ first: run[0], end: run[1] }] : []);
    let length = 0;
    for (let index = run?.[0] ?? 0; index < (run?.[1] ?? 0); index++) {
      queue.write(index, chunk(index, Math.min(4096, 10_000 - 4096 * index)));
      length += (await queue.next())!.length;
    }
    assertEquals(length, queue.length, `${from} to ${to}`);
  }
});

Deno.test("slice queue: what was read stays as it is when its memory holds the next chunk", async () => {
  const queue = new SliceQueue(0, Infinity).begin(manifestOf(8192));
  const memory = chunk(0);
  const taken = queue.write(0, memory);
  const first = await queue.next();
  await taken;
  queue.write(1, memory.fill(1));
  assertEquals([first, await queue.next()], [chunk(0), chunk(1)]);
});

Deno.test("slice queue: no places, places outside, and a collection", () => {
  for (const [from, to] of [[-1, 5], [0.5, 5], [5, 4], [0, NaN], [Infinity, Infinity]]) {
    assertThrows(() => new SliceQueue(from, to), RangeError);
  }
  assertThrows(() => new SliceQueue(0, 10_001).begin(manifestOf(10_000)), RangeError);
  assertThrows(() => new SliceQueue(10_001, Infinity).begin(manifestOf(10_000)), RangeError);
  assertThrows(() => new SliceQueue(0, 1).begin(manifestOf(10_000, ManifestKind.COLLECTION)), RgtpError);
});
