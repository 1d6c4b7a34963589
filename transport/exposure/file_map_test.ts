import { EntryKind, FileMode, fileOffset } from "../../codec/collection_index.ts";
import type { FileEntry } from "../../codec/collection_index.ts";
import { assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { FileMap } from "./file_map.ts";

const CHUNK = 4096;

function entriesOf(sizes: readonly number[]): FileEntry[] {
  let end = 0;
  return sizes.map((size, i) => {
    const offset = fileOffset(end, size, CHUNK);
    end = offset + size;
    const path = `f${String(i).padStart(5, "0")}`;
    const common = { kind: EntryKind.FILE, mtimeMs: 0, mode: FileMode.PLAIN };
    return { ...common, path, size, offset, sha256: new Uint8Array(32) };
  });
}

Deno.test("file map: slices and chunks are those that a look at every byte gives", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { integer, chance } = seededRandom(seed);
    const size = () => chance(0.2) ? 0 : chance(0.1) ? 1_048_576 : integer(chance(0.5) ? 200 : 20_000);
    const entries = entriesOf(Array.from({ length: 1 + integer(30) }, size));
    const map = new FileMap({ chunkSize: CHUNK, entries }, CHUNK + 1);
    assertEquals(map.files.map(({ entry }) => entry), entries.filter(({ size }) => size > 0));
    const chunks = Math.ceil((map.files.at(-1)?.end ?? 0) / CHUNK);
    const touched = map.files.map(() => new Set<number>());
    for (let chunk = 0; chunk < chunks; chunk++) {
      const expected = map.files.flatMap(({ start, end }, file) => {
        const [from, to] = [Math.max(start, chunk * CHUNK), Math.min(end, (chunk + 1) * CHUNK)];
        if (from >= to) return [];
        touched[file].add(chunk);
        return [{ file, inChunk: from - chunk * CHUNK, inFile: from - start, length: to - from }];
      });
      assertEquals(map.slices(chunk), expected, `seed ${seed}, chunk ${chunk}`);
    }
    for (const [file, seen] of touched.entries()) {
      const { first, end } = map.chunksOf(file);
      assertEquals([first, end - first], [Math.min(...seen), seen.size]);
    }
  }
});

Deno.test("file map: the data begins behind the padded index", () => {
  const entries = entriesOf([10]);
  const startOf = (indexSize: number) => new FileMap({ chunkSize: CHUNK, entries }, indexSize).files[0].start;
  assertEquals([1, CHUNK, CHUNK + 1].map(startOf), [CHUNK, CHUNK, 2 * CHUNK]);
});
