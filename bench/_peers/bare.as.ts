// @ts-nocheck: this is AssemblyScript. The benchmark compiles it.

/*
 * The bare operation that Reed-Solomon is made of, as it is usually written: `size` bytes at `to` plus those at `from` times one factor,
 * whose two tables of 16 bytes lie at `tables`. So many times over: a call from outside would cost a fifth of it.
 */
export function multiplyAdd(tables: usize, from: usize, to: usize, size: usize, times: i32): void {
  const low = v128.load(tables), high = v128.load(tables, 16), mask = i8x16.splat(15);
  for (let time = 0; time < times; time++) {
    for (let i: usize = 0; i < size; i += 16) {
      const bytes = v128.load(from + i);
      const product = v128.xor(
        i8x16.relaxed_swizzle(low, v128.and(bytes, mask)),
        i8x16.relaxed_swizzle(high, v128.and(i16x8.shr_u(bytes, 4), mask)),
      );
      v128.store(to + i, v128.xor(v128.load(to + i), product));
    }
  }
}
