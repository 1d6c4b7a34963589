import { assert, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { kernelSums, offer, prefer, sums } from "../_sums.ts";
import type { Substitute, Sums } from "../_sums.ts";
import { loadLibisal } from "./_libisal.ts";
import { libisalSums, preferLibisal } from "./libisal_sums.ts";

const library = loadLibisal();
const why = library ? "" : " [skipped: needs Linux, --allow-ffi and the library (Debian: libisal2)]";
const random = seededRandom(11);

/** A block of any shape, and the same call of each: all bytes that either leaves must be the same. */
function compare(candidate: Sums, allocate: (bytes: number) => ArrayBufferLike): void {
  const count = 1 + random.integer(128);
  const symbolSize = 1 + random.integer(random.chance(0.2) ? 300 : 4000);
  const stride = symbolSize + random.integer(40);
  const length = (count - 1) * stride + symbolSize - random.integer(random.chance(0.5) ? symbolSize : 1);
  const offset = random.integer(70);
  const content = random.bytes(offset + length);
  const missing = Array.from({ length: count }, (_, j) => j).filter(() => random.chance(0.1));
  if (random.chance(0.3) && !missing.includes(count - 1)) missing.push(count - 1);
  const instead: Substitute[] = missing.map((index) => ({ index, symbol: random.bytes(symbolSize) }));
  const others = random.integer(9);
  const factors = random.bytes((missing.length + others) * count);
  const [expected, actual] = [kernelSums, candidate].map((make) => {
    const memory = new Uint8Array(allocate(offset + length));
    memory.set(content);
    const bytes = memory.subarray(offset);
    const inPlace = missing.map((j) => bytes.subarray(j * stride, j * stride + symbolSize));
    const apart = Array.from({ length: others }, () => new Uint8Array(symbolSize));
    make({ bytes, count, symbolSize, stride }, instead, factors, [...inPlace, ...apart]);
    return [memory, ...apart];
  });
  assertEquals(actual.map(hash), expected.map(hash), JSON.stringify({ count, symbolSize, stride, missing }));
}

function hash(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), bytes.length);
}

Deno.test({
  name:
    `libisal: the bytes of the kernel, for blocks of any shape, in memory of one thread and of several${why}`,
  ignore: !library,
  fn() {
    const sums = libisalSums(library!);
    for (let i = 0; i < 60; i++) {
      compare(sums, (bytes) => new ArrayBuffer(bytes));
      compare(sums, (bytes) => new SharedArrayBuffer(bytes));
    }
  },
});

Deno.test({
  name: `libisal: it gives known answers${why}`,
  ignore: !library,
  fn: () => assert(prefer(libisalSums(library!))),
});

Deno.test("libisal: with it or without, there are sums", () => {
  preferLibisal();
  const data = { bytes: new Uint8Array(600).fill(3), count: 2, symbolSize: 300, stride: 300 };
  const out = new Uint8Array(300);
  sums(data, [], Uint8Array.of(1, 2), [out]);
  assertEquals(new Set(out), new Set([3 ^ 6]));
});

Deno.test("sums: whoever gives other bytes is not used", () => {
  assert(prefer(kernelSums));
  assert(!prefer(() => {}));
  assert(
    !prefer((data, instead, factors, out) => {
      kernelSums(data, instead, factors, out);
      out.at(-1)![0] ^= 1;
    }),
  );
  offer(() => () => {});
  const out = new Uint8Array(1);
  sums({ bytes: Uint8Array.of(7), count: 1, symbolSize: 1, stride: 1 }, [], Uint8Array.of(1), [out]);
  assertEquals(out[0], 7);
  assert(!prefer((data, _instead, factors, out) => kernelSums(data, [], factors, out)));
});
