import { assertEquals, assertRejects } from "../tests/_assert.ts";
import { ChunkQueue } from "./chunk_queue.ts";

const chunk = (index: number) => new Uint8Array(4096).fill(index);

Deno.test("chunk queue: what was read stays as it is when its memory holds the next chunk", async () => {
  const queue = new ChunkQueue();
  const chunks = queue[Symbol.asyncIterator]();
  const memory = chunk(0);
  const taken = queue.write(0, memory);
  const first = await chunks.next();
  const second = chunks.next();
  await taken;
  queue.write(1, memory.fill(1));
  queue.end();
  assertEquals([first.value, (await second).value], [{ index: 0, bytes: chunk(0) }, {
    index: 1,
    bytes: chunk(1),
  }]);
  assertEquals((await chunks.next()).done, true);
});

Deno.test("chunk queue: a failure comes behind the chunks before it", async () => {
  const queue = new ChunkQueue();
  const chunks = queue[Symbol.asyncIterator]();
  queue.write(3, chunk(3));
  queue.fail(new Error("torn"));
  assertEquals((await chunks.next()).value, { index: 3, bytes: chunk(3) });
  await assertRejects(() => chunks.next(), Error, "torn");
});
