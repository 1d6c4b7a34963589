/*
 * What the thread that hashes a file may read, in memory that it shares with the one that writes the file: how much of the file stands
 * there, and which chunks of it lie in memory still, just as they were written. No message for each. 32-bit words:
 *
 *    0  how much of the file can be read, in units of 4096 bytes; -1 when this is the end
 *    1  the places of lent chunks in the file, in those units and one more; 0: none. Whoever hashes sets it to 0
 *   33  for each place 3 words: memory, first byte, bytes
 */
import { limits } from "../../core/limits.ts";

/** A chunk that is lent. */
export interface LentChunk {
  /** Where it stands in the file, in bytes. */
  readonly at: number;
  /** Which of the memories it lies in. */
  readonly memory: number;
  /** Where in it. */
  readonly start: number;
  /** How long it is. */
  readonly bytes: number;
}

const READY = 0;
const ENDED = -1;
const PLACES = 1;
const SLOTS = 32;
const DETAILS = PLACES + SLOTS;
const DETAIL_WORDS = 3;
/** No chunk begins between two. */
const UNIT_BYTES = 4096;

/** A longer file has places that no word has room for: 8 TB. */
export const HASHED_BYTES_MAX = (2 ** 31 - 2) * UNIT_BYTES;

/** The table, for both sides: one lends and tells, the other one hashes and gives back. */
export class LentChunks {
  /** The shared memory: all that the other side needs to make its own. */
  readonly words: Int32Array<SharedArrayBuffer>;

  /** `words` is the other side's; absent: new ones. */
  constructor(words = new Int32Array(new SharedArrayBuffer((DETAILS + SLOTS * DETAIL_WORDS) * 4))) {
    this.words = words;
  }

  /** Lends a chunk behind all that {@linkcode LentChunks.tell} told of; whether there was room. Until it is given back it must not change. */
  lend({ at, memory, start, bytes }: LentChunk): boolean {
    if (at % UNIT_BYTES !== 0 || bytes % UNIT_BYTES !== 0) return false;
    const slot = this.#find(0, Math.floor(limits.lentBytesMax / bytes));
    if (slot < 0) return false;
    const detail = DETAILS + slot * DETAIL_WORDS;
    this.words[detail] = memory;
    this.words[detail + 1] = start;
    this.words[detail + 2] = bytes;
    Atomics.store(this.words, PLACES + slot, placeOf(at));
    return true;
  }

  /** Whether the chunk at a place is lent and was not given back. */
  isLent(at: number): boolean {
    return this.#find(placeOf(at)) >= 0;
  }

  /** So many bytes of the file stand there from the front on; `isAll`: that is its end. Who sleeps is told with {@linkcode LentChunks.wake}. */
  tell(bytes: number, isAll: boolean): void {
    Atomics.store(this.words, READY, Math[isAll ? "ceil" : "floor"](bytes / UNIT_BYTES));
  }

  /** Wakes the thread, if it waits. */
  wake(): void {
    Atomics.notify(this.words, READY);
  }

  /** Nobody wants it hashed any more. */
  end(): void {
    Atomics.store(this.words, READY, ENDED);
    this.wake();
  }

  /** Until there is more than `at` to read. Where that ends, perhaps behind the end of the file; -1 when it is to end. For the thread. */
  wait(at: number): number {
    while (true) {
      const ready = Atomics.load(this.words, READY);
      if (ready === ENDED) return -1;
      if (ready * UNIT_BYTES > at) return ready * UNIT_BYTES;
      Atomics.wait(this.words, READY, ready);
    }
  }

  /** The chunk at a place that was told of, if it is lent. For the thread. */
  take(at: number): LentChunk | undefined {
    const slot = at % UNIT_BYTES === 0 ? this.#find(placeOf(at)) : -1;
    if (slot < 0) return undefined;
    const [memory, start, bytes] = this.words.subarray(DETAILS + slot * DETAIL_WORDS);
    return { at, memory, start, bytes };
  }

  /** It was hashed: its memory is the lender's again. For the thread. */
  giveBack({ at }: LentChunk): void {
    Atomics.store(this.words, PLACES + this.#find(placeOf(at)), 0);
  }

  /** Where the next lent chunk stands from `at` on, or `end` if that comes before. For the thread. */
  next(at: number, end: number): number {
    let next = end;
    for (let slot = 0; slot < SLOTS; slot++) {
      const place = (Atomics.load(this.words, PLACES + slot) - 1) * UNIT_BYTES;
      if (place >= at && place < next) next = place;
    }
    return next;
  }

  /** Which of the first `slots` has this place; -1 for none. */
  #find(place: number, slots = SLOTS): number {
    for (let slot = 0; slot < slots && slot < SLOTS; slot++) {
      if (Atomics.load(this.words, PLACES + slot) === place) return slot;
    }
    return -1;
  }
}

function placeOf(at: number): number {
  return at / UNIT_BYTES + 1;
}
