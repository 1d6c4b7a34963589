import { blockOf, blockPlan, blockSymbols } from "../../codec/geometry.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { chunkCount } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import type { PullRequest, RequestEntry } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";
import { BLOCK_INDEXES } from "../../fec/mod.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import type { Answer, LiveToken } from "./live_token.ts";

/** Symbols that go out before another puller has its turn: a default chunk, and one segmented send. */
const SYMBOLS_PER_ANSWER = 46;

/** What one request may ask for, in bytes: more where chunks are large, and who shows that he receives, with no ceiling to his rate. */
export function requestCeiling({ chunkSize }: Manifest, isFree: boolean): number {
  return isFree || chunkSize > limits.requestBytesMax ? limits.requestBytesLanMax : limits.requestBytesMax;
}

/** Bytes on the wire of `count` symbols from `first` on, of a piece of `bytes` bytes. */
export function symbolsBytes(bytes: number, symbolSize: number, first: number, count: number): number {
  return Math.min(bytes, (first + count) * symbolSize) - first * symbolSize + count * CHUNK_HEADER_BYTES;
}

/** The answers to entries of a request, or `undefined` when one of them names what is not there. */
export function answersOf(
  manifest: Manifest,
  entries: readonly RequestEntry[],
  symbolSize: number,
  request: number,
): Answer[] | undefined {
  const answers: Answer[] = [];
  const parities: ParityRange[] = [];
  for (const { piece, first, count, parityFirst, parityCount } of entries) {
    const bytes = pieceBytes(manifest, piece);
    if (bytes === undefined) return undefined;
    const plan = blockPlan(bytes, symbolSize);
    if (first + count > plan.symbols) return undefined;
    // The hot path: no generator for what is mostly one run.
    for (let from = first; from < first + count; from += SYMBOLS_PER_ANSWER) {
      const symbols = Math.min(SYMBOLS_PER_ANSWER, first + count - from);
      const cost = symbolsBytes(bytes, symbolSize, from, symbols);
      answers.push({ piece, first: from, count: symbols, symbolSize, request, bytes: cost });
    }
    if (parityCount === 0) continue;
    const parityOf = blockOf(plan, first);
    if (parityOf < 0) return undefined;
    const symbols = blockSymbols(plan, parityOf);
    if (parityCount > symbols || symbols + parityFirst + parityCount > BLOCK_INDEXES) return undefined;
    const range = { piece, block: parityOf, first: parityFirst, end: parityFirst + parityCount };
    if (parities.some((other) => overlap(other, range))) return undefined;
    parities.push(range);
    for (const run of symbolRuns(parityFirst, parityCount)) {
      const bytes = run.count * (CHUNK_HEADER_BYTES + symbolSize);
      answers.push({ piece, ...run, symbolSize, request, parityOf, bytes });
    }
  }
  return answers;
}

/** Parity symbols of a block, from `first` to before `end`. */
interface ParityRange {
  readonly piece: number;
  readonly block: number;
  readonly first: number;
  readonly end: number;
}

function overlap(a: ParityRange, b: ParityRange): boolean {
  return a.piece === b.piece && a.block === b.block && a.first < b.end && b.first < a.end;
}

/** Symbols in portions: what goes out before another puller has its turn. */
export function* symbolRuns(
  first: number,
  count: number,
  most = SYMBOLS_PER_ANSWER,
): Generator<{ first: number; count: number }> {
  const step = Math.max(1, Math.min(most, SYMBOLS_PER_ANSWER));
  for (let at = first; at < first + count; at += step) {
    yield { first: at, count: Math.min(step, first + count - at) };
  }
}

/** Entries for the whole chunks that a bitmap names, or `undefined` when one lies outside the exposure. */
export function bitmapEntries(
  manifest: Manifest,
  bitmap: NonNullable<PullRequest["bitmap"]>,
  symbolSize: number,
): RequestEntry[] | undefined {
  const entries: RequestEntry[] = [];
  const chunks = chunkCount(manifest);
  for (let bit = 0; bit < bitmap.bits.length * 8; bit++) {
    if (((bitmap.bits[bit >> 3] >> (bit & 7)) & 1) === 0) continue;
    const piece = bitmap.base + bit;
    if (piece >= chunks) return undefined;
    const count = blockPlan(pieceBytes(manifest, piece)!, symbolSize).symbols;
    entries.push({ piece, first: 0, count, parityFirst: 0, parityCount: 0 });
  }
  return entries;
}

/** What must be read and sealed for answers, but for what the puller has paid for already. */
export function coldPieces(
  { exposed, paid }: LiveToken,
  answers: readonly Answer[],
): { pieces: Set<number>; bytes: number } {
  const pieces = new Set<number>();
  let bytes = 0;
  for (const { piece } of answers) {
    if (pieces.has(piece) || paid.has(piece)) continue;
    const cost = exposed.coldBytes?.(piece) ?? 0;
    if (cost > 0) pieces.add(piece);
    bytes += cost;
  }
  return { pieces, bytes };
}

/** The parts of a request that were not served yet, oldest first: its own, and those that it repeats. `undefined` when its bitmap is wrong. */
export function newSections(
  live: LiveToken,
  request: PullRequest,
): { number: number; entries: readonly RequestEntry[] }[] | undefined {
  const { manifest } = live.exposed;
  const whole = request.bitmap && bitmapEntries(manifest, request.bitmap, request.symbolSize);
  if (request.bitmap && !whole) return undefined;
  const sections = whole ? [whole] : request.sections;
  const fresh: { number: number; entries: readonly RequestEntry[] }[] = [];
  for (let age = sections.length - 1; age >= 0; age--) {
    const number = request.number - age;
    const entries = sections[age];
    if (number >= 0 && entries.length > 0 && live.accept(number)) fresh.push({ number, entries });
  }
  return fresh;
}
