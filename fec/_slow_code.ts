// For tests: the code as the textbooks have it, without tables, closed forms or any thought of speed.

/** The product of two polynomials over GF(2), bit by bit, modulo x^8 + x^4 + x^3 + x^2 + 1. */
export function slowMultiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product <<= 1;
    if (product & 0x100) product ^= 0x11d;
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** The inverse of a byte other than 0: a^254, as a^255 is 1. */
export function slowInverse(a: number): number {
  let power = 1;
  for (let i = 0; i < 254; i++) power = slowMultiply(power, a);
  return power;
}

/** The row of the generator matrix that makes symbol `index` out of `k` data symbols. */
export function slowRow(k: number, index: number): number[] {
  return Array.from({ length: k }, (_, j) => index < k ? Number(index === j) : slowInverse(index ^ j));
}

/** Every symbol times its coefficient, added up, byte by byte. A symbol that is short counts as padded with zeros. */
export function slowSum(row: readonly number[], symbols: readonly Uint8Array[], size: number): Uint8Array {
  return Uint8Array.from(
    { length: size },
    (_, at) => row.reduce((sum, factor, j) => sum ^ slowMultiply(factor, symbols[j][at] ?? 0), 0),
  );
}

/** All data symbols, from any k symbols by their indexes: the matrix of their rows is inverted by elimination. */
export function slowDecode(k: number, symbols: ReadonlyMap<number, Uint8Array>, size: number): Uint8Array[] {
  const have = [...symbols].slice(0, k);
  const rows = slowInvert(have.map(([index]) => slowRow(k, index)));
  return rows.map((row) => slowSum(row, have.map(([, symbol]) => symbol), size));
}

/** The inverse of a square matrix (Gauss and Jordan). @throws {Error} when it has none */
export function slowInvert(matrix: readonly (readonly number[])[]): number[][] {
  const size = matrix.length;
  const wide = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let column = 0; column < size; column++) {
    const pivot = wide.findIndex((row, i) => i >= column && row[column] !== 0);
    if (pivot < 0) throw new Error("the matrix has no inverse");
    [wide[column], wide[pivot]] = [wide[pivot], wide[column]];
    const factor = slowInverse(wide[column][column]);
    wide[column] = wide[column].map((value) => slowMultiply(value, factor));
    for (let i = 0; i < size; i++) {
      const times = wide[i][column];
      if (i === column || times === 0) continue;
      wide[i] = wide[i].map((value, j) => value ^ slowMultiply(times, wide[column][j]));
    }
  }
  return wide.map((row) => row.slice(size));
}
