import { logarithms, ORDER, powers } from "./gf256.ts";

/*
 * The code as a matrix. Symbol i of a block is a sum of its k data symbols d_j, each times a coefficient:
 *
 *   symbol i = d_i                            for i < k
 *   symbol i = sum over j of d_j / (i ^ j)    for k <= i <= 254
 *
 * 1 / (x ^ y) over two disjoint sets of points is a Cauchy matrix, of which every square part can be inverted: so any k symbols
 * give all others. A parity row does not depend on k but in its length.
 *
 * Inverting needs no elimination. Let f be the polynomial of degree < k with f(j) = d_j * P'(j), where P is the product of (x ^ j) over
 * all j < k. Lagrange's formula at a point i >= k says f(i) = P(i) * sum of d_j / (i ^ j): a parity symbol is f there too, up to the
 * factor P(i). So k symbols at hand are k values of f, and interpolating from these points in place of 0 to k - 1 gives symbol t as
 * the sum over them of
 *
 *   symbol s * g(s) / (g(t) * (t ^ s)),   g(i) = product of (i ^ m) over the missing data m / product of (i ^ p) over the parity p
 *
 * where factors of 0 are left out: all the others have cancelled. With nothing missing, g is 1, and this is the matrix above.
 */

/**
 * The coefficients that make symbols out of those at hand: a row of `slots.length` bytes for each of `targets`.
 *
 * `slots` has k indexes of symbols at hand: `slots[j]` is j, or where data symbol j is missing the index of a parity symbol in its
 * stead. `targets` are indexes of other symbols, data or parity. All of them are at most 254, and no two are the same; the caller has
 * seen to that.
 */
export function cauchyRows(slots: readonly number[], targets: readonly number[]): Uint8Array<ArrayBuffer> {
  const missing = slots.flatMap((index, j) => index === j ? [] : [j]);
  const parity = missing.map((j) => slots[j]);
  const weight = (index: number) => logProduct(index, missing) + ORDER - logProduct(index, parity);
  const weights = slots.map(weight);
  const rows = new Uint8Array(targets.length * slots.length);
  let at = 0;
  for (const target of targets) {
    const own = weight(target);
    for (let j = 0; j < slots.length; j++) {
      rows[at++] = powers[(weights[j] - own - logarithms[target ^ slots[j]] + 3 * ORDER) % ORDER];
    }
  }
  return rows;
}

/** The logarithm of the product of (index ^ point) over all other points: 0 to 254. */
function logProduct(index: number, points: readonly number[]): number {
  let sum = 0;
  for (const point of points) {
    if (point !== index) sum += logarithms[index ^ point];
  }
  return sum % ORDER;
}
