/*
 * LZ4 blocks, as lz4_Block_format.md of the LZ4 project describes them. A block does not say how long its content is: whoever sends one
 * says that beside it, and the decoder believes neither.
 */

const MATCH_BYTES_MIN = 4;
/** The last match begins at least this far from the end, and the last bytes are always literals. */
const MATCH_START_FROM_END = 12;
const LITERALS_AT_END = 5;
const DISTANCE_MAX = 65_535;

/** Places that are remembered by what stands there. */
const HASH_BITS = 14;
/** After this many places without a match, steps get longer: what does not compress costs little. */
const SKIP_SHIFT = 6;

/** The most that a block of `length` bytes can hold: each byte of a length stands for 255 at most. */
export function lz4ContentBytesMax(length: number): number {
  return length * 255;
}

/** The block that holds `content`, or `undefined` when it would have more than `bytesMax` bytes. */
export function compressLz4Block(content: Uint8Array, bytesMax: number): Uint8Array<ArrayBuffer> | undefined {
  const out = new BlockWriter(bytesMax);
  const places = new Int32Array(1 << HASH_BITS);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const lastStart = content.length - MATCH_START_FROM_END;
  const matchEnd = content.length - LITERALS_AT_END;
  let anchor = 0;
  let tries = 1 << SKIP_SHIFT;
  for (let at = 0; at <= lastStart;) {
    const word = view.getUint32(at, true);
    const slot = Math.imul(word, 2_654_435_761) >>> (32 - HASH_BITS);
    // Places are kept one higher, so that 0 is none.
    const found = places[slot] - 1;
    places[slot] = at + 1;
    if (found < 0 || at - found > DISTANCE_MAX || view.getUint32(found, true) !== word) {
      at += tries++ >> SKIP_SHIFT;
      continue;
    }
    let end = at + MATCH_BYTES_MIN;
    for (let from = found + MATCH_BYTES_MIN; end < matchEnd && content[from] === content[end]; from++) end++;
    if (!out.sequence(content, anchor, at, at - found, end - at)) return undefined;
    anchor = at = end;
    tries = 1 << SKIP_SHIFT;
  }
  return out.sequence(content, anchor, content.length, 0, 0) ? out.block : undefined;
}

/** The `length` bytes that a block holds; `undefined` when it is damaged or holds another number of bytes. Makes `length` bytes at most. */
export function decompressLz4Block(block: Uint8Array, length: number): Uint8Array<ArrayBuffer> | undefined {
  if (length > lz4ContentBytesMax(block.length)) return undefined;
  const content = new Uint8Array(length);
  let at = 0;
  let end = 0;
  while (at < block.length) {
    const token = block[at++];
    let literals = token >> 4;
    if (literals === 15) {
      for (let byte = 255; byte === 255; literals += byte) byte = at < block.length ? block[at++] : NaN;
    }
    // NaN, from a length that is cut off, compares as false: hence the form of these conditions.
    if (!(literals <= block.length - at && literals <= length - end)) return undefined;
    for (const stop = at + literals; at < stop;) content[end++] = block[at++];
    if (at === block.length) return end === length && (token & 15) === 0 ? content : undefined;
    if (at + 2 > block.length) return undefined;
    const distance = block[at++] | (block[at++] << 8);
    let match = token & 15;
    if (match === 15) {
      for (let byte = 255; byte === 255; match += byte) byte = at < block.length ? block[at++] : NaN;
    }
    match += MATCH_BYTES_MIN;
    if (!(match <= length - end) || distance === 0 || distance > end) return undefined;
    // Byte by byte: a match may reach into what it makes.
    for (let from = end - distance, stop = end + match; end < stop;) content[end++] = content[from++];
  }
  return undefined;
}

/** A block under construction that does not grow beyond its bound. */
class BlockWriter {
  readonly #bytesMax: number;
  /** Made for the first sequence that fits: what does not compress needs none. */
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get block(): Uint8Array<ArrayBuffer> | undefined {
    return this.#bytes?.slice(0, this.#length);
  }

  /** Literals `from` to `to`, then a match; without one (`match` 0) at the end. Whether it fitted. */
  sequence(content: Uint8Array, from: number, to: number, distance: number, match: number): boolean {
    const literals = to - from;
    const matchCode = match === 0 ? 0 : match - MATCH_BYTES_MIN;
    const size = 1 + literals + extraBytes(literals) + (match === 0 ? 0 : 2 + extraBytes(matchCode));
    if (this.#length + size > this.#bytesMax) return false;
    const bytes = this.#bytes ??= new Uint8Array(this.#bytesMax);
    bytes[this.#length++] = (Math.min(literals, 15) << 4) | Math.min(matchCode, 15);
    this.#extra(bytes, literals);
    bytes.set(content.subarray(from, to), this.#length);
    this.#length += literals;
    if (match === 0) return true;
    bytes[this.#length++] = distance & 255;
    bytes[this.#length++] = distance >> 8;
    this.#extra(bytes, matchCode);
    return true;
  }

  #extra(bytes: Uint8Array, length: number): void {
    if (length < 15) return;
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) bytes[this.#length++] = 255;
    bytes[this.#length++] = rest;
  }
}

function extraBytes(length: number): number {
  return length < 15 ? 0 : Math.floor((length - 15) / 255) + 1;
}
