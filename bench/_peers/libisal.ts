/*
 * Intel's ISA-L (Debian: libisal2) through foreign functions: the fastest Reed-Solomon that is to be had, and a second opinion on our
 * bytes, since its `cauchy1` matrix is ours.
 */

import { type Absent, type Contestant, prove, type Shape, timed } from "./contestant.ts";

const PATHS = [
  "libisal.so.2",
  "/usr/lib/x86_64-linux-gnu/libisal.so.2",
  "/usr/lib/aarch64-linux-gnu/libisal.so.2",
];

const encode = { parameters: ["i32", "i32", "i32", "buffer", "buffer", "buffer"], result: "void" } as const;

const symbols = {
  gf_gen_cauchy1_matrix: { parameters: ["buffer", "i32", "i32"], result: "void" },
  gf_invert_matrix: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  ec_init_tables: { parameters: ["i32", "i32", "buffer", "buffer"], result: "void" },
  ec_encode_data: encode,
  // Of one processor's instructions each, whatever the processor has; absent on others than x86.
  ec_encode_data_sse: { ...encode, optional: true },
  ec_encode_data_avx2: { ...encode, optional: true },
} as const;

type Bytes = Uint8Array<ArrayBuffer>;

/** What makes the products: the best for the processor, or a certain one. */
export type Variant = "ec_encode_data" | "ec_encode_data_sse" | "ec_encode_data_avx2";

/** The library, opened. */
export class Libisal {
  readonly #library: Deno.DynamicLibrary<typeof symbols>;

  private constructor(library: Deno.DynamicLibrary<typeof symbols>) {
    this.#library = library;
  }

  /** The library, or why there is none. */
  static open(): Libisal | string {
    for (const path of PATHS) {
      try {
        return new Libisal(Deno.dlopen(path, symbols));
      } catch (error) {
        if (error instanceof Deno.errors.NotCapable) return "foreign functions are not allowed";
      }
    }
    return "libisal.so.2 is not here (Debian: apt-get install libisal2)";
  }

  /** Its Cauchy matrix: the rows of all `n` symbols, of which the first `k` are the unit matrix. */
  cauchy1(n: number, k: number): Bytes {
    const matrix = new Uint8Array(n * k);
    this.#library.symbols.gf_gen_cauchy1_matrix(matrix, n, k);
    return matrix;
  }

  /** The inverse of a `k` by `k` matrix. @throws {Error} when it has none */
  invert(matrix: Bytes, k: number): Bytes {
    const inverse = new Uint8Array(k * k);
    // It works in the matrix that it is given.
    if (this.#library.symbols.gf_invert_matrix(matrix.slice(), inverse, k) !== 0) {
      throw new Error("no inverse");
    }
    return inverse;
  }

  /** Lookup tables for `rows`, of `k` factors each. */
  tables(k: number, rows: Bytes): Bytes {
    const tables = new Uint8Array(32 * rows.length);
    this.#library.symbols.ec_init_tables(k, rows.length / k, rows, tables);
    return tables;
  }

  /** Sums of products. */
  combine(
    variant: Variant,
    size: number,
    tables: Bytes,
    sources: Addressed,
    targets: Addressed,
  ): void {
    const call = this.#library.symbols[variant];
    if (!call) throw new Error(`${variant} is not there`);
    const [k, rows] = [sources.arrays.length, targets.arrays.length];
    call(size, k, rows, tables, sources.addresses, targets.addresses);
  }

  /** Whether it has such a variant, and this processor can run it. */
  has(variant: Variant): boolean {
    if (variant === "ec_encode_data") return true;
    return this.#library.symbols[variant] !== null &&
      processorHas(variant === "ec_encode_data_avx2" ? "avx2" : "ssse3");
  }

  /** Closes the library. */
  close(): void {
    this.#library.close();
  }
}

/** Whether the processor has some instructions, by Linux's name for them. */
function processorHas(flag: string): boolean {
  try {
    return /^flags\s*:(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1].split(" ").includes(flag) ??
      false;
  } catch {
    return false;
  }
}

/** Arrays with their addresses. Whoever holds these keeps those alive. */
export interface Addressed {
  readonly arrays: readonly Bytes[];
  readonly addresses: BigUint64Array<ArrayBuffer>;
}

/** Looks up where arrays lie. */
export function addressed(arrays: readonly Bytes[]): Addressed {
  const addressOf = (array: Bytes) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(array));
  return { arrays, addresses: BigUint64Array.from(arrays, addressOf) };
}

/** The library as contestants: with the best instructions of this processor, and with older ones. Its tables are made beforehand. */
export function libisal(shape: Shape, symbols: readonly Bytes[]): (Contestant | Absent)[] {
  const isal = Libisal.open();
  if (typeof isal === "string") return [{ name: "libisal", why: isal }];
  const { data: k, parity: m, symbolSize, lost } = shape;
  const matrix = isal.cauchy1(k + m, k);
  const made = symbols.slice(0, m).map(() => new Uint8Array(symbolSize));
  const parityTables = isal.tables(k, matrix.slice(k * k));
  const [from, to] = [addressed(symbols), addressed(made)];

  const left = symbols.flatMap((_, j) => lost.includes(j) ? [] : [j]);
  const rows = [...left, ...lost.map((_, i) => k + i)];
  const have = rows.map((index) => index < k ? symbols[index] : made[index - k]);
  const repaired = lost.map(() => new Uint8Array(symbolSize));
  const [source, target] = [addressed(have), addressed(repaired)];
  const repairTables = () => {
    const chosen = new Uint8Array(k * k);
    rows.forEach((index, i) => chosen.set(matrix.subarray(index * k, (index + 1) * k), i * k));
    const inverse = isal.invert(chosen, k);
    const wanted = new Uint8Array(lost.length * k);
    lost.forEach((index, i) => wanted.set(inverse.subarray(index * k, (index + 1) * k), i * k));
    return isal.tables(k, wanted);
  };
  const ready = repairTables();

  const variants: [string, Variant][] = [
    ["libisal", "ec_encode_data"],
    ["libisal, AVX2", "ec_encode_data_avx2"],
    ["libisal, SSE", "ec_encode_data_sse"],
  ];
  const contestants: Contestant[] = variants.filter(([, variant]) => isal.has(variant)).map(
    ([name, variant]) => {
      const encode = () => isal.combine(variant, symbolSize, parityTables, from, to);
      const decode = () => isal.combine(variant, symbolSize, ready, source, target);
      encode();
      decode();
      lost.forEach((index, i) => prove(name, repaired[i], symbols[index]));
      return { name, encode: timed(encode), decode: timed(decode) };
    },
  );
  const decode = () => isal.combine("ec_encode_data", symbolSize, repairTables(), source, target);
  contestants.push({ name: "libisal, and inverting", decode: timed(decode), close: () => isal.close() });
  return contestants;
}
