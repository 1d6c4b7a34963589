/**
 * The field GF(2^8): bytes that can be added, multiplied and divided. Addition is exclusive or. A byte stands for a polynomial over
 * GF(2), and products are taken modulo x^8 + x^4 + x^3 + x^2 + 1.
 *
 * @module
 */

/** The modulus, bit i for x^i. Under it x, the byte 2, generates all 255 bytes but 0. */
export const POLYNOMIAL = 0x11d;

/** Bytes but 0, which is also the order of the generator: its logarithms count modulo this. */
export const ORDER = 255;

/** `powers[i]` is 2^i in the field, for 0 to 764: sums of three logarithms need no reduction. */
export const powers: Uint8Array = new Uint8Array(3 * ORDER);

/** `logarithms[2^i]` is i, 0 to 254. 0 has none; it stands as 0, as that of 1 does. */
export const logarithms: Uint8Array = new Uint8Array(256);

for (let i = 0, power = 1; i < ORDER; i++) {
  powers[i] = powers[i + ORDER] = powers[i + 2 * ORDER] = power;
  logarithms[power] = i;
  power <<= 1;
  if (power > 255) power ^= POLYNOMIAL;
}

/** The product of two bytes. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : powers[logarithms[a] + logarithms[b]];
}

/**
 * The byte that gives 1 when it is multiplied with `a`.
 *
 * @throws {RangeError} for 0, which has none
 */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError("0 has no inverse");
  return powers[ORDER - logarithms[a]];
}
