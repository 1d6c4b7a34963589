import fc from "fast-check";
import { pageBytes } from "../../crypto/leaf_pages.ts";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { Journal, JOURNAL_HEADER_BYTES } from "./journal.ts";
import type { PieceFacts } from "./pieces.ts";

const facts: PieceFacts = { chunkSize: 4096, totalSize: 1030 * 4096 };
const CHUNKS = 1030;
const id = new Uint8Array(32).fill(3);

function withFile(use: (file: Deno.FsFile, path: string) => void): void {
  const path = Deno.makeTempFileSync();
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    use(file, path);
  } finally {
    Deno.removeSync(path);
  }
}

function hints(journal: Journal): number[] {
  return Array.from({ length: CHUNKS + 20 }, (_, chunk) => chunk).filter((chunk) => journal.has(chunk));
}

/** A journal with some of everything. */
function sample(): Uint8Array {
  let bytes = new Uint8Array(0);
  withFile((file, path) => {
    const journal = new Journal(file, facts, id);
    journal.reset(0);
    for (const chunk of [0, 7, 8, 500, 1029]) journal.set(chunk, true);
    journal.savePage(1, new Uint8Array(pageBytes(CHUNKS, 1)).fill(5));
    bytes = Deno.readFileSync(path);
  });
  return bytes;
}

Deno.test("hints that are written together wait for each other, or for a flush", () => {
  withFile((file) => {
    const journal = new Journal(file, facts, id, 3);
    journal.reset(0);
    const onDisk = () => hints(new Journal(file, facts, id));
    for (const chunk of [900, 20]) journal.set(chunk, true);
    assertEquals([hints(journal), onDisk()], [[20, 900], []]);
    journal.set(21, true);
    assertEquals(onDisk(), [20, 21, 900]);
    journal.set(20, false);
    assertEquals(onDisk(), [20, 21, 900]);
    journal.flush();
    journal.flush();
    assertEquals(onDisk(), [21, 900]);
    journal.set(22, true);
    journal.reset(5);
    journal.flush();
    assertEquals(onDisk(), [0, 1, 2, 3, 4]);
  });
});

Deno.test("hints come back as they were written", () => {
  withFile((file) => {
    const journal = new Journal(file, facts, id);
    assert(!journal.belongs);
    assertEquals(hints(journal), []);
    assertEquals(journal.page(0), undefined);
    journal.reset(0);
    for (const chunk of [0, 7, 8, 1029, 500]) journal.set(chunk, true);
    journal.set(7, false);
    journal.set(500, true);
    const [first, last] = [0, 1].map((page) => new Uint8Array(pageBytes(CHUNKS, page)).fill(page + 1));
    journal.savePage(1, last);
    const again = new Journal(file, facts, id);
    assert(again.belongs);
    assertEquals(hints(again), [0, 8, 500, 1029]);
    assertEquals([again.page(0), again.page(1)], [undefined, last]);
    again.savePage(0, first);
    assertEquals([again.page(0), again.page(1)], [first, last]);
    assertEquals(hints(new Journal(file, facts, id)), [0, 8, 500, 1029]);
    again.reset(0);
    const empty = new Journal(file, facts, id);
    assertEquals([hints(empty), empty.page(0), empty.page(1)], [[], undefined, undefined]);
  });
});

Deno.test("reset() makes the first chunks candidates", () => {
  for (const count of [0, 1, 7, 8, 9, 16, 1029, 1030]) {
    withFile((file) => {
      new Journal(file, facts, id).reset(count);
      assertEquals(hints(new Journal(file, facts, id)), Array.from({ length: count }, (_, chunk) => chunk));
    });
  }
});

Deno.test("the journal of another exposure, cut or version is nobody's", () => {
  const bytes = sample();
  withFile((file) => {
    file.writeSync(bytes);
    assert(new Journal(file, facts, id).belongs);
    const others: [PieceFacts, Uint8Array][] = [
      [facts, new Uint8Array(32)],
      [{ ...facts, chunkSize: 8192, totalSize: 1030 * 8192 }, id],
      [{ ...facts, totalSize: 1029 * 4096 }, id],
      [{ ...facts, totalSize: 0 }, id],
    ];
    for (const [otherFacts, otherId] of others) {
      const journal = new Journal(file, otherFacts, otherId);
      assert(!journal.belongs);
      assertEquals(hints(journal), []);
    }
  });
});

/** Opens and uses whatever `bytes` are as a journal; it must not throw. */
function useAnyBytes(bytes: Uint8Array): void {
  withFile((file) => {
    file.writeSync(bytes);
    const journal = new Journal(file, facts, id);
    if (!journal.belongs) assertEquals(hints(journal), []);
    assert(hints(journal).every((chunk) => chunk < CHUNKS));
    for (const page of [-1, 0, 1, 2, 0.5, 2 ** 31]) {
      const kept = Number.isInteger(page) ? journal.page(page) : undefined;
      if (kept) assertEquals(kept.length, pageBytes(CHUNKS, page));
    }
    // What is written afterwards is there all the same.
    if (!journal.belongs) journal.reset(3);
    journal.set(1000, true);
    const again = new Journal(file, facts, id);
    assert(again.belongs && again.has(1000));
  });
}

Deno.test("any prefix of a journal gives hints only", () => {
  const bytes = sample();
  const bitmapEnd = JOURNAL_HEADER_BYTES + Math.ceil(CHUNKS / 8);
  for (let length = 0; length <= bitmapEnd + 3; length++) useAnyBytes(bytes.subarray(0, length));
  for (let length = bitmapEnd; length < bytes.length; length += 509) useAnyBytes(bytes.subarray(0, length));
});

Deno.test("any flipped bit of a journal gives hints only", () => {
  const bytes = sample();
  for (let bit = 0; bit < (JOURNAL_HEADER_BYTES + Math.ceil(CHUNKS / 8)) * 8; bit++) {
    useAnyBytes(bytes.with(bit >> 3, bytes[bit >> 3] ^ (1 << (bit & 7))));
  }
});

Deno.test("any bytes give hints only", () => {
  const bytes = sample();
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.boolean(),
      fc.nat(bytes.length),
      (noise, hasHeader, at) => {
        const damaged = bytes.slice();
        damaged.set(noise.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
        useAnyBytes(hasHeader ? damaged : noise);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a journal that cannot be written keeps its hints for this run, and throws nothing", () => {
  withFile((file, path) => {
    file.writeSync(sample());
    using readOnly = Deno.openSync(path);
    const journal = new Journal(readOnly, facts, id);
    journal.set(3, true);
    journal.savePage(0, new Uint8Array(pageBytes(CHUNKS, 0)));
    assert(journal.has(3));
    journal.reset(2);
    assertEquals(hints(journal), [0, 1]);
    assertEquals(Deno.readFileSync(path), sample());
  });
});

Deno.test("what is no chunk or page of the exposure is no hint", () => {
  withFile((file) => {
    const journal = new Journal(file, facts, id);
    journal.reset(CHUNKS);
    for (const chunk of [-1, CHUNKS, CHUNKS + 1, 2 ** 31]) {
      journal.set(chunk, true);
      assert(!journal.has(chunk));
    }
    assertThrows(() => journal.savePage(2, new Uint8Array(32)), RangeError);
    assertThrows(() => journal.savePage(1, new Uint8Array(31)), RangeError);
  });
});
