import { assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { HandleCache } from "./_handle_cache.ts";
import { PositionedFile } from "./_positioned_file.ts";
import { writeSparse } from "./_sparse.ts";

const openNew = (path: string) =>
  Deno.openSync(path, { read: true, write: true, create: true, truncate: true });

async function inFolder(check: (root: string) => void): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    check(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("writeSparse() leaves out zeros, and nothing else, wherever they lie", () =>
  inFolder((root) => {
    for (let seed = 1; seed <= 50; seed++) {
      const { integer, chance } = seededRandom(seed);
      const bytes = new Uint8Array(1 + integer(40_000));
      for (let at = 0; at < bytes.length;) {
        const length = 1 + integer(9000);
        if (chance(0.5)) bytes.fill(1 + integer(255), at, at + length);
        at += length;
      }
      const at = integer(10_000);
      const file = new PositionedFile(openNew(`${root}/${seed}`));
      file.file.truncateSync(at + bytes.length);
      const cut = integer(bytes.length);
      const ends = [
        writeSparse(file, at + cut, bytes.subarray(cut)),
        writeSparse(file, at, bytes.subarray(0, cut)),
      ];
      // Whoever gives a file its size by what is written lacks zeros at most.
      const end = Math.max(...ends);
      assertEquals(bytes.findLastIndex((byte) => byte !== 0) < Math.max(0, end - at), true, `seed ${seed}`);
      assertEquals(end <= at + bytes.length, true, `seed ${seed}`);
      const back = new Uint8Array(bytes.length);
      assertEquals([file.readAt(at, back), back], [bytes.length, bytes], `seed ${seed}`);
      file.close();
    }
  }));

Deno.test("HandleCache: keeps those open that were used last, opens others again, and gives one away", () =>
  inFolder((root) => {
    const opened: string[] = [];
    const cache = new HandleCache(2);
    const use = (name: string) =>
      cache.use(name, () => {
        opened.push(name);
        return new PositionedFile(openNew(`${root}/${name}`), 0);
      });
    for (const name of ["a", "b", "a", "c", "a", "b"]) use(name).writeAt(0, Uint8Array.of(1));
    assertEquals(opened, ["a", "b", "c", "b"]);
    const taken = cache.take("b")!;
    assertEquals([cache.take("b"), cache.take("c")], [undefined, undefined]);
    cache.close();
    taken.writeAt(1, Uint8Array.of(2));
    taken.close();
    use("a");
    cache.close();
    assertEquals(opened.at(-1), "a");
  }));
