import { assertEquals } from "../tests/_assert.ts";
import { seededRandom } from "../tests/sim/random.ts";
import { Fifo } from "./fifo.ts";

Deno.test("fifo: as an array, over random pushes, shifts and now and then the end of all", () => {
  const { integer, chance } = seededRandom(7);
  for (const most of [1, 15, 16, 17, 300]) {
    const fifo = new Fifo<number>();
    const model: number[] = [];
    for (let i = 0; i < 5000; i++) {
      if (chance(0.001)) {
        fifo.clear();
        model.length = 0;
      } else if (model.length < most && integer(2) === 0) {
        fifo.push(i);
        model.push(i);
      } else assertEquals(fifo.shift(), model.shift());
      assertEquals(fifo.length, model.length);
    }
  }
});
