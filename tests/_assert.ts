/**
 * The assertions of our tests. `deno-std` on npm carries no types, so this is the one place that imports it,
 * with types of our own beside it; a move to another registry changes this file alone.
 *
 * @module
 */
// @ts-types="./_assert.d.ts"
export {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert/mod.js";
