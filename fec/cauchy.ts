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
export function cauchyRows(slots: Uint8Array, targets: Uint8Array): Uint8Array<ArrayBuffer> {
  const k = slots.length;
  const weights = logWeights(slots, slots);
  const own = logWeights(targets, slots);
  const rows = new Uint8Array(targets.length * k);
  for (let row = 0, at = 0; row < targets.length; row++) {
    const target = targets[row];
    const log = 2 * ORDER - own[row];
    for (let j = 0; j < k; j++, at++) rows[at] = powers[weights[j] + log - logarithms[target ^ slots[j]]];
  }
  return rows;
}

/** The logarithms of g for some indexes: 0 to 254. */
function logWeights(indexes: Uint8Array, slots: Uint8Array): number[] {
  // No typed array: to make one takes 0.2 us, of one for all of this.
  const sums = new Array<number>(indexes.length).fill(0);
  for (let m = 0; m < slots.length; m++) {
    const instead = slots[m];
    if (instead === m) continue;
    for (let i = 0; i < sums.length; i++) {
      const index = indexes[i];
      // The logarithm of 0 stands as 0: that leaves out the point itself.
      sums[i] += logarithms[index ^ m] + ORDER - logarithms[index ^ instead];
    }
  }
  for (let i = 0; i < sums.length; i++) sums[i] %= ORDER;
  return sums;
}
