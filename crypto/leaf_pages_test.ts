import { concatBytes } from "../core/mod.ts";
import { assert, assertEquals, assertLess, assertStrictEquals, assertThrows } from "../tests/_assert.ts";
import { slowPath, slowRoot, splitHashes } from "./_slow_merkle.ts";
import {
  encodeLeafPage,
  leafPager,
  PAGE_LEAVES,
  pageBytes,
  pageCount,
  verifyLeafPage,
} from "./leaf_pages.ts";
import { merkleRoot } from "./merkle.ts";
import { nativeEngine } from "./native_engine.ts";

const hash = nativeEngine.sha256;

/** n different leaves; not hashes, which trees do not mind. */
function leavesOf(n: number): Uint8Array<ArrayBuffer> {
  const leaves = new Uint8Array(n * 32);
  const view = new DataView(leaves.buffer);
  for (let i = 0; i < n; i++) view.setUint32(i * 32, i + 1);
  return leaves;
}

const SIZES = [
  1,
  2,
  3,
  1000,
  1023,
  1024,
  1025,
  2047,
  2048,
  2049,
  3072,
  3073,
  4097,
  5000,
  7168,
  7777,
  9 * 1024 + 1,
];

Deno.test("every page of every size verifies alone against the root of the whole tree", () => {
  for (const size of SIZES) {
    const leaves = leavesOf(size);
    const root = merkleRoot(hash, leaves);
    const pager = leafPager(hash, leaves);
    assertEquals(pager.root.toHex(), root.toHex());
    assertEquals(pager.pageCount, Math.ceil(size / 1024));
    const arrived: Uint8Array[] = [];
    for (let page = 0; page < pager.pageCount; page++) {
      const bytes = pager.page(page);
      assertEquals(bytes.length, pageBytes(size, page));
      const verified = verifyLeafPage(hash, root, size, page, bytes);
      assert(verified !== undefined, `page ${page} of ${size} leaves`);
      arrived.push(verified);
    }
    assertEquals(concatBytes(...arrived).toHex(), leaves.toHex());
  }
});

Deno.test("the proof of a page is the upper part of the RFC 9162 paths of its leaves", () => {
  for (const size of [1025, 2049, 3073, 5000]) {
    const list = splitHashes(leavesOf(size));
    const pager = leafPager(hash, leavesOf(size));
    assertEquals(pager.root, slowRoot(hash, list));
    for (let page = 0; page < pager.pageCount; page++) {
      const first = page * PAGE_LEAVES;
      const below = slowPath(hash, 0, list.slice(first, first + PAGE_LEAVES)).length;
      const onPage = Math.min(PAGE_LEAVES, size - first);
      const path = concatBytes(...slowPath(hash, first, list).slice(below));
      assertEquals(pager.page(page).subarray(onPage * 32), path);
    }
  }
});

Deno.test("a page does not verify when anything is changed", () => {
  const size = 2500;
  const pager = leafPager(hash, leavesOf(size));
  for (let page = 0; page < 3; page++) {
    const bytes = pager.page(page);
    for (const at of [0, 31, 32, 5000, bytes.length - 33, bytes.length - 1]) {
      const changed = bytes.slice();
      changed[at] ^= 0x10;
      assertStrictEquals(verifyLeafPage(hash, pager.root, size, page, changed), undefined);
    }
    const swapped = bytes.slice();
    swapped.copyWithin(0, 32, 64);
    swapped.set(bytes.subarray(0, 32), 32);
    assertStrictEquals(verifyLeafPage(hash, pager.root, size, page, swapped), undefined);
    assertStrictEquals(verifyLeafPage(hash, pager.root, size, page, bytes.subarray(32)), undefined);
    assertStrictEquals(verifyLeafPage(hash, pager.root, size, page, bytes.subarray(0, -32)), undefined);
    assertStrictEquals(
      verifyLeafPage(hash, pager.root, size, page, concatBytes(bytes, new Uint8Array(1))),
      undefined,
    );
    assertStrictEquals(verifyLeafPage(hash, pager.root.subarray(1), size, page, bytes), undefined);
    for (const other of [0, 1, 2, 3, -1, 0.5, NaN]) {
      if (other !== page) assertStrictEquals(verifyLeafPage(hash, pager.root, size, other, bytes), undefined);
    }
    for (const count of [0, 1, 1024, 2499, 2501, 2 ** 31, NaN, -1, Infinity]) {
      const verified = verifyLeafPage(hash, pager.root, count, page, bytes);
      // A full page with the same path is the same page, whatever comes after it.
      if (page === 2 || pageCount(count) !== 3) assertStrictEquals(verified, undefined);
    }
  }
});

Deno.test("borders: no leaves, no pages, and pages that are not there", () => {
  assertEquals(pageCount(0), 0);
  assertEquals(pageCount(1), 1);
  assertEquals(pageCount(1024), 1);
  assertEquals(pageCount(1025), 2);
  assertEquals(pageBytes(1024, 0), 32768);
  assertEquals(pageBytes(1025, 1), 64);
  const none = leafPager(hash, new Uint8Array(0));
  assertEquals(none.pageCount, 0);
  assertEquals(none.root, hash.digest());
  assertThrows(() => none.page(0), RangeError);
  assertThrows(() => pageBytes(1024, 1), RangeError, "no page 1");
  assertThrows(() => encodeLeafPage(hash, leavesOf(3), -1), RangeError);
  assertThrows(() => leafPager(hash, new Uint8Array(31)), RangeError);
  assertThrows(() => leafPager(hash, new Uint8Array(32 * 1024 + 16)), RangeError);
  assertStrictEquals(verifyLeafPage(hash, none.root, 0, 0, new Uint8Array(0)), undefined);
  assertEquals(encodeLeafPage(hash, leavesOf(1500), 1), leafPager(hash, leavesOf(1500)).page(1));
});

Deno.test("the largest exposure's pages have their size without its leaves", () => {
  const most = 2 ** 31 - 1;
  assertEquals(pageCount(most), 2 ** 21);
  assertEquals(pageBytes(most, 0), (1024 + 21) * 32);
  assertEquals(pageBytes(most, 2 ** 21 - 1), (1023 + 21) * 32);
});

Deno.test("pages of a large exposure cost no hashing once the tree stands", () => {
  let hashed = 0;
  const counting = {
    ...hash,
    digest: (...parts: Uint8Array[]) => {
      hashed++;
      return hash.digest(...parts);
    },
  };
  const pager = leafPager(counting, leavesOf(100_000));
  assertLess(hashed, 100_001);
  hashed = 0;
  for (let page = 0; page < pager.pageCount; page++) pager.page(page);
  assertEquals(hashed, 0);
});
