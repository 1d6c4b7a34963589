import { equalBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import { laidOut, layOutTables, STRIDE_MAX } from "../_kernel.ts";
import { kernelSums, offer, type Sums } from "../_sums.ts";
import { type Libisal, loadLibisal } from "./_libisal.ts";

/** Rows that the library makes in one pass. More are made in turn, so that tables stay in the first cache. */
const ROWS_MAX = 6;
/** Of one factor. */
const TABLE_BYTES = 32;
/** Smaller arrays may lie among JavaScript's objects, which are moved about; calls for them are not worth their while either. */
const SYMBOL_BYTES_MIN = 256;

/** A library in use is never unloaded, so it is loaded once. */
let isOffered = false;

/**
 * Has parity made and blocks repaired by ISA-L (`libisal.so.2`) from now on, where it is there, Deno permits it already
 * (`--allow-ffi=/lib,/lib64`), and it gives known answers: the same bytes, in less than half the time. It is looked for when there is
 * something to make.
 */
export function preferLibisal(): void {
  if (isOffered) return;
  isOffered = true;
  offer(() => {
    const library = loadLibisal();
    return library && libisalSums(library);
  });
}

/** Sums by that library, in the memory that the symbols lie in. */
export function libisalSums(library: Libisal): Sums {
  const tablesOf = hasOurTables(library) ? ourTables : itsTables(library);
  const sources = new Addresses(library, limits.blockSymbolsMax);
  const targets = new Addresses(library, ROWS_MAX);
  // The last symbol may be short; the library knows one length.
  const [lastIn, lastOut] = [new Uint8Array(STRIDE_MAX), new Uint8Array(STRIDE_MAX)];

  return (data, instead, factors, out) => {
    const { bytes, count, symbolSize, stride } = data;
    if (symbolSize < SYMBOL_BYTES_MIN) return kernelSums(data, instead, factors, out);
    sources.setRow(bytes, count, stride);
    const last = bytes.subarray((count - 1) * stride);
    if (last.length < symbolSize) {
      lastIn.set(last);
      lastIn.fill(0, last.length, symbolSize);
      sources.set(count - 1, lastIn);
    }
    for (const { index, symbol } of instead) sources.set(index, symbol);
    for (let row = 0; row < out.length; row += ROWS_MAX) {
      const rows = Math.min(ROWS_MAX, out.length - row);
      let short: Uint8Array | undefined;
      for (let i = 0; i < rows; i++) {
        const symbol = out[row + i];
        if (symbol.length < symbolSize) short = symbol;
        targets.set(i, symbol === short ? lastOut : symbol);
      }
      const tables = tablesOf(factors.subarray(row * count, (row + rows) * count), rows);
      library.ec_encode_data(symbolSize, count, rows, tables, sources.list, targets.list);
      short?.set(lastOut.subarray(0, short.length));
    }
  };
}

/** Tables of some rows of factors, as the library wants them; good until the next call. */
type Tables = (factors: Uint8Array, rows: number) => Uint8Array<ArrayBuffer>;

/** Made anew by the library, whatever they look like. */
function itsTables(library: Libisal): Tables {
  const tables = new Uint8Array(ROWS_MAX * limits.blockSymbolsMax * TABLE_BYTES);
  return (factors, rows) => {
    library.ec_init_tables(factors.length / rows, rows, factors as Uint8Array<ArrayBuffer>, tables);
    return tables;
  };
}

/** Those that our kernel has already of every factor: a tenth of the time. */
const ourTables: Tables = (factors) => {
  layOutTables(factors);
  return laidOut;
};

/** Whether they are the same, byte for byte, of every factor: another release, or another processor, may have others. */
function hasOurTables(library: Libisal): boolean {
  const rows = 4;
  const factors = new Uint8Array(256).map((_, factor) => factor);
  const bytes = factors.length * TABLE_BYTES;
  return equalBytes(
    itsTables(library)(factors, rows).subarray(0, bytes),
    ourTables(factors, rows).subarray(0, bytes),
  );
}

/** A list of addresses as C has it, 64 bits each, the lower half first. They are good until the next call of the library. */
class Addresses {
  readonly list: Uint32Array<ArrayBuffer>;
  readonly #library: Libisal;

  constructor(library: Libisal, count: number) {
    this.#library = library;
    this.list = new Uint32Array(2 * count);
  }

  /** Where one array lies. */
  set(index: number, bytes: Uint8Array): void {
    this.#put(index, this.#addressOf(bytes));
  }

  /** Where `count` symbols lie, `stride` bytes apart. */
  setRow(bytes: Uint8Array, count: number, stride: number): void {
    const first = this.#addressOf(bytes);
    for (let j = 0; j < count; j++) this.#put(j, first + j * stride);
  }

  /** Nothing is copied. An address has 48 bits, or a few more: a number holds it. */
  #addressOf(bytes: Uint8Array): number {
    const buffer = bytes as Uint8Array<ArrayBuffer>;
    return Number(this.#library.memcpy(buffer, buffer, 0n));
  }

  #put(index: number, address: number): void {
    this.list[2 * index] = address;
    this.list[2 * index + 1] = address / 2 ** 32;
  }
}
