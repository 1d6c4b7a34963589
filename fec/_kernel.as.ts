// @ts-nocheck: this is AssemblyScript, and `_kernel.wasm` is made of it: `deno task build:fec`. A test holds the two together.

/*
 * Sums of products over GF(2^8), for 1, 2 or 4 rows of factors at once:
 *
 *   out[row * size + i] = sum over j < count of factors[row * count + j] * block[j * stride + i]   for i < size
 *
 * `size` is a multiple of 32. A byte's product is the exclusive or of two values: one looked up by its lower half, one by its upper half.
 * The tables of factor f, 16 bytes for each half, lie at 32 * f: memory begins with them. One instruction looks up 16 bytes.
 *
 * 32 columns go through all sources before the next ones. So sums stay in registers, splitting a source serves all rows, and a load of
 * tables serves two vectors. With 4 rows that fills the 16 registers of x86.
 */

/** Values for 16 halves. All are below 16, where the relaxed form says the same everywhere; it is one instruction, not three. */
function lookUp(table: v128, halves: v128): v128 {
  return i8x16.relaxed_swizzle(table, halves);
}

function lowerHalves(bytes: v128): v128 {
  return v128.and(bytes, i8x16.splat(15));
}

function upperHalves(bytes: v128): v128 {
  return v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15));
}

/** Where the tables of the factor at an address lie. */
function tablesOf(factor: usize): usize {
  return (<usize> load<u8>(factor)) << 5;
}

/** `sum` plus 16 bytes, given as halves, times the factor whose tables lie at `tables`. */
function plus(sum: v128, tables: usize, lower: v128, upper: v128): v128 {
  return v128.xor(sum, v128.xor(lookUp(v128.load(tables), lower), lookUp(v128.load(tables, 16), upper)));
}

export function sum1(
  factors: usize,
  count: usize,
  block: usize,
  stride: usize,
  out: usize,
  size: usize,
): void {
  const end = factors + count;
  for (let column: usize = 0; column < size; column += 32) {
    let a = i8x16.splat(0), b = i8x16.splat(0);
    for (let at = factors, source = block + column; at < end; at++, source += stride) {
      const p = v128.load(source), q = v128.load(source, 16);
      const t = tablesOf(at);
      a = plus(a, t, lowerHalves(p), upperHalves(p));
      b = plus(b, t, lowerHalves(q), upperHalves(q));
    }
    v128.store(out + column, a);
    v128.store(out + column, b, 16);
  }
}

export function sum2(
  factors: usize,
  count: usize,
  block: usize,
  stride: usize,
  out: usize,
  size: usize,
): void {
  const end = factors + count;
  for (let column: usize = 0; column < size; column += 32) {
    let a0 = i8x16.splat(0), a1 = i8x16.splat(0);
    let b0 = i8x16.splat(0), b1 = i8x16.splat(0);
    for (let at = factors, source = block + column; at < end; at++, source += stride) {
      const p = v128.load(source), pl = lowerHalves(p), pu = upperHalves(p);
      const q = v128.load(source, 16), ql = lowerHalves(q), qu = upperHalves(q);
      const t0 = tablesOf(at), t1 = tablesOf(at + count);
      a0 = plus(a0, t0, pl, pu);
      b0 = plus(b0, t0, ql, qu);
      a1 = plus(a1, t1, pl, pu);
      b1 = plus(b1, t1, ql, qu);
    }
    v128.store(out + column, a0);
    v128.store(out + column, b0, 16);
    v128.store(out + column + size, a1);
    v128.store(out + column + size, b1, 16);
  }
}

export function sum4(
  factors: usize,
  count: usize,
  block: usize,
  stride: usize,
  out: usize,
  size: usize,
): void {
  const end = factors + count;
  for (let column: usize = 0; column < size; column += 32) {
    let a0 = i8x16.splat(0), a1 = i8x16.splat(0), a2 = i8x16.splat(0), a3 = i8x16.splat(0);
    let b0 = i8x16.splat(0), b1 = i8x16.splat(0), b2 = i8x16.splat(0), b3 = i8x16.splat(0);
    for (let at = factors, source = block + column; at < end; at++, source += stride) {
      const p = v128.load(source), pl = lowerHalves(p), pu = upperHalves(p);
      const q = v128.load(source, 16), ql = lowerHalves(q), qu = upperHalves(q);
      const t0 = tablesOf(at), t1 = tablesOf(at + count);
      a0 = plus(a0, t0, pl, pu);
      b0 = plus(b0, t0, ql, qu);
      a1 = plus(a1, t1, pl, pu);
      b1 = plus(b1, t1, ql, qu);
      const t2 = tablesOf(at + 2 * count), t3 = tablesOf(at + 3 * count);
      a2 = plus(a2, t2, pl, pu);
      b2 = plus(b2, t2, ql, qu);
      a3 = plus(a3, t3, pl, pu);
      b3 = plus(b3, t3, ql, qu);
    }
    const o0 = out + column, o1 = o0 + size, o2 = o1 + size, o3 = o2 + size;
    v128.store(o0, a0);
    v128.store(o0, b0, 16);
    v128.store(o1, a1);
    v128.store(o1, b1, 16);
    v128.store(o2, a2);
    v128.store(o2, b2, 16);
    v128.store(o3, a3);
    v128.store(o3, b3, 16);
  }
}

/** Copies the tables of `count` factors to `out`, one after the other: 32 bytes for each. */
export function layOut(factors: usize, count: usize, out: usize): void {
  for (const end = factors + count; factors < end; factors++, out += 32) {
    const t = tablesOf(factors);
    v128.store(out, v128.load(t));
    v128.store(out, v128.load(t, 16), 16);
  }
}
