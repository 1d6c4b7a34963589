import { PAGE_BIT } from "../../codec/packet.ts";
import { assertEquals } from "../../tests/_assert.ts";
import {
  chunkOffset,
  chunksOnPage,
  exposurePages,
  isPagePiece,
  pageOfChunk,
  pageOfPiece,
  pagePiece,
  pieceBytes,
  sealedChunkBytes,
} from "./pieces.ts";

const chunkSize = 4096;

Deno.test("pieceBytes() of chunks: plaintext and tag, and none beyond the end", () => {
  const table: [totalSize: number, sizes: (number | undefined)[]][] = [
    [0, [undefined]],
    [1, [17, undefined]],
    [4095, [4111, undefined]],
    [4096, [4112, undefined]],
    [4097, [4112, 17, undefined]],
    [3 * 4096 + 5, [4112, 4112, 4112, 21, undefined]],
  ];
  for (const [totalSize, sizes] of table) {
    assertEquals(sizes.map((_, chunk) => pieceBytes({ chunkSize, totalSize }, chunk)), sizes);
  }
});

Deno.test("pieceBytes() of leaf pages: leaves and path, and none beyond the end", () => {
  const table: [chunks: number, sizes: (number | undefined)[]][] = [
    [0, [undefined]],
    [1, [32, undefined]],
    [1024, [32768, undefined]],
    [1025, [32800, 64, undefined]],
    [2049, [32832, 32832, 64, undefined]],
  ];
  for (const [chunks, sizes] of table) {
    const facts = { chunkSize, totalSize: chunks * chunkSize };
    assertEquals(sizes.map((_, page) => pieceBytes(facts, pagePiece(page))), sizes);
    assertEquals(exposurePages(facts), sizes.length - 1);
  }
});

Deno.test("pieceBytes() takes any number", () => {
  for (const piece of [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 32, PAGE_BIT - 1, 2 ** 53]) {
    assertEquals(pieceBytes({ chunkSize, totalSize: 10 * chunkSize }, piece), undefined);
  }
});

Deno.test("chunks, pages and their numbers", () => {
  assertEquals([0, 1023, 1024, 2 ** 31 - 2].map(pageOfChunk), [0, 0, 1, 2_097_151]);
  assertEquals(pagePiece(3), 0x80000003);
  assertEquals(pageOfPiece(pagePiece(3)), 3);
  assertEquals([0, PAGE_BIT - 1, PAGE_BIT, PAGE_BIT + 1].map(isPagePiece), [false, false, true, true]);
  const facts = { chunkSize, totalSize: 1025 * chunkSize - 1 };
  assertEquals([chunksOnPage(facts, 0), chunksOnPage(facts, 1)], [1024, 1]);
  assertEquals(
    chunkOffset({ chunkSize: 1_048_576, totalSize: 2 ** 52 }, 2 ** 31 - 2),
    (2 ** 31 - 2) * 2 ** 20,
  );
  assertEquals(sealedChunkBytes(facts, 1024), 4095 + 16);
});
