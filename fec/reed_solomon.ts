import { limits, RgtpError } from "../core/mod.ts";
import { STRIDE_MAX } from "./_kernel.ts";
import { type Substitute, sums } from "./_sums.ts";
import { cauchyRows } from "./cauchy.ts";

export { STRIDE_MAX };

/** How many indexes a block has: 0 to 254, data first, then parity. */
export const BLOCK_INDEXES = 255;

/** Where the data symbols of one block lie: at equal distances in one array, as in a piece, or in packets with a header before each. */
export interface DataSymbols {
  /**
   * From the first byte of symbol 0 to the last byte of the last symbol. That one may be short, by all but a byte; the code takes it
   * as padded with zeros.
   */
  readonly bytes: Uint8Array;
  /** Data symbols of the block, the k of the code: 1 to 128. */
  readonly count: number;
  /** Bytes of each symbol but the last. */
  readonly symbolSize: number;
  /** Bytes from the start of a symbol to the start of the next: `symbolSize` when nothing lies between, at most {@linkcode STRIDE_MAX}. */
  readonly stride: number;
}

/**
 * Makes parity symbols of a block: index `first` into `out[0]`, the next one into `out[1]`, and so on. Each can be made without the
 * others; several at once cost less than one by one.
 *
 * @param data all data symbols of the block
 * @param first index in the block: at least `data.count`, as the first of parity
 * @param out where the symbols go, `symbolSize` bytes each; index `first + out.length - 1` is at most 254
 * @throws {RangeError} when sizes or indexes are not as said here
 */
export function makeParity(data: DataSymbols, first: number, out: readonly Uint8Array[]): void {
  checkData(data);
  if (out.length > 0) {
    checkParityIndex(first, data);
    checkParityIndex(first + out.length - 1, data);
  }
  for (const symbol of out) checkParitySymbol(symbol, data);
  const targets = new Uint8Array(out.length);
  for (let i = 0; i < targets.length; i++) targets[i] = first + i;
  sums(data, [], cauchyRows(ownSlots(data), targets), out);
}

/**
 * Makes the missing data symbols of a block from the others and as many parity symbols, and writes them into their places.
 *
 * A wrong symbol among them makes wrong ones: this is no check. What is repaired is believed when its chunk's hash is right.
 *
 * @param data the block; all of its symbols are taken for right but the missing ones
 * @param missing indexes of data symbols, none twice
 * @param parity symbols by their indexes (`data.count` to 254), `symbolSize` bytes each; what is beyond the need is not looked at
 * @throws {RgtpError} FEC_FAIL when there are fewer parity symbols than missing ones; nothing is written then
 * @throws {RangeError} when sizes or indexes are not as said here; nothing is written then
 */
export function repair(
  data: DataSymbols,
  missing: readonly number[],
  parity: ReadonlyMap<number, Uint8Array>,
): void {
  checkData(data);
  const slots = ownSlots(data);
  const spare = parity.entries();
  const instead: Substitute[] = [];
  for (const index of missing) {
    if (slots[index] !== index) {
      throw new RangeError(`${index} is no data symbol of a block of ${data.count}, or stands twice`);
    }
    const next = spare.next();
    if (next.done) throw tooFew(missing.length, parity.size);
    const [parityIndex, symbol] = next.value;
    checkParityIndex(parityIndex, data);
    checkParitySymbol(symbol, data);
    slots[index] = parityIndex;
    instead.push({ index, symbol });
  }
  const out = missing.map((index) => symbolAt(data, index));
  sums(data, instead, cauchyRows(slots, new Uint8Array(missing)), out);
}

/** One data symbol, where it lies: short when it is the last and that one is. */
export function symbolAt({ bytes, symbolSize, stride }: DataSymbols, index: number): Uint8Array {
  return bytes.subarray(index * stride, index * stride + symbolSize);
}

/** Every data symbol in its own place. */
function ownSlots({ count }: DataSymbols): Uint8Array<ArrayBuffer> {
  const slots = new Uint8Array(count);
  for (let j = 0; j < count; j++) slots[j] = j;
  return slots;
}

function checkData({ bytes, count, symbolSize, stride }: DataSymbols): void {
  if (!Number.isInteger(count) || count < 1 || count > limits.blockSymbolsMax) {
    throw new RangeError(`a block has 1 to ${limits.blockSymbolsMax} data symbols, not ${count}`);
  }
  if (!Number.isInteger(symbolSize) || symbolSize < 1 || symbolSize > STRIDE_MAX) {
    throw new RangeError(`a symbol has 1 to ${STRIDE_MAX} bytes, not ${symbolSize}`);
  }
  if (!Number.isInteger(stride) || stride < symbolSize || stride > STRIDE_MAX) {
    throw new RangeError(
      `symbols of ${symbolSize} bytes are ${symbolSize} to ${STRIDE_MAX} bytes apart, not ${stride}`,
    );
  }
  const before = (count - 1) * stride;
  if (bytes.length <= before || bytes.length > before + symbolSize) {
    throw new RangeError(
      `${count} symbols of ${symbolSize} bytes, ${stride} apart, take ${before + 1} to ${
        before + symbolSize
      } bytes, ` +
        `not ${bytes.length}`,
    );
  }
}

function checkParityIndex(index: number, { count }: DataSymbols): void {
  if (!Number.isInteger(index) || index < count || index >= BLOCK_INDEXES) {
    throw new RangeError(
      `parity of a block of ${count} has the indexes ${count} to ${BLOCK_INDEXES - 1}, not ${index}`,
    );
  }
}

function checkParitySymbol(symbol: Uint8Array, { symbolSize }: DataSymbols): void {
  if (symbol.length !== symbolSize) {
    throw new RangeError(`a parity symbol has ${symbolSize} bytes here, not ${symbol.length}`);
  }
}

function tooFew(missing: number, parity: number): RgtpError {
  return new RgtpError(
    "FEC_FAIL",
    `a block misses ${missing} data symbols and has ${parity} of parity: ${missing - parity} more are needed`,
    { data: { missing, parity } },
  );
}
