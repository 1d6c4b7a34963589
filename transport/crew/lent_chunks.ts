/*
 * What the thread that hashes a file may read, in memory that it shares with the one that writes the file: how much of the file stands
 * there, and which chunks of it lie in memory still, just as they were written. No message for each. 32-bit words:
 *
 *    0  chunks that can be read, from the front on; -1 when this is the end
 *    1  slots of 3 words: chunk and one more (0: none), memory, first byte. A chunk has one slot, its index modulo their number, so that
 *       nobody searches. Whoever has hashed a chunk sets its first word to 0
 */
import { limits } from "../../core/limits.ts";

/** Where a chunk that is lent lies. */
export interface LentChunk {
  /** Which of the memories. */
  readonly memory: number;
  /** Where in it. */
  readonly start: number;
}

const READY = 0;
const ENDED = -1;
const SLOTS = 1;
const SLOT_WORDS = 3;
const SLOTS_MAX = 32;

/** Memory for the table of a file of such chunks. */
export function lentWords(chunkBytes: number): Int32Array<SharedArrayBuffer> {
  const slots = Math.min(SLOTS_MAX, Math.floor(limits.lentBytesMax / chunkBytes));
  return new Int32Array(new SharedArrayBuffer((SLOTS + slots * SLOT_WORDS) * 4));
}

/** The table, for both sides: one lends and tells, the other one hashes and gives back. */
export class LentChunks {
  /** How many can be lent at once. */
  readonly slots: number;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** `words` is from {@linkcode lentWords}, the same for both. */
  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.#words = words;
    this.slots = (words.length - SLOTS) / SLOT_WORDS;
  }

  /** Lends a chunk that was not told of; whether its slot was free. Until it is given back it must not change. */
  lend(chunk: number, { memory, start }: LentChunk): boolean {
    const slot = this.#slot(chunk);
    if (Atomics.load(this.#words, slot) !== 0) return false;
    this.#words[slot + 1] = memory;
    this.#words[slot + 2] = start;
    Atomics.store(this.#words, slot, chunk + 1);
    return true;
  }

  /** Whether a chunk is lent and was not given back. */
  isLent(chunk: number): boolean {
    return Atomics.load(this.#words, this.#slot(chunk)) === chunk + 1;
  }

  /** So many chunks stand in the file, from the front on. A thread that sleeps is told with {@linkcode LentChunks.wake}. */
  tell(chunks: number): void {
    Atomics.store(this.#words, READY, chunks);
  }

  /** Wakes the thread, if it waits. */
  wake(): void {
    Atomics.notify(this.#words, READY);
  }

  /** Nobody wants it hashed any more. */
  end(): void {
    this.tell(ENDED);
    this.wake();
  }

  /** Until more than `chunks` can be read: how many; `undefined` when it is to end. For the thread. */
  wait(chunks: number): number | undefined {
    while (true) {
      const ready = Atomics.load(this.#words, READY);
      if (ready === ENDED) return undefined;
      if (ready > chunks) return ready;
      Atomics.wait(this.#words, READY, ready);
    }
  }

  /** Where a chunk that was told of lies, if it is lent. For the thread. */
  take(chunk: number): LentChunk | undefined {
    if (!this.isLent(chunk)) return undefined;
    const slot = this.#slot(chunk);
    return { memory: this.#words[slot + 1], start: this.#words[slot + 2] };
  }

  /** A chunk that was taken is hashed: its memory is the lender's again. For the thread. */
  giveBack(chunk: number): void {
    Atomics.store(this.#words, this.#slot(chunk), 0);
  }

  #slot(chunk: number): number {
    return SLOTS + (chunk % this.slots) * SLOT_WORDS;
  }
}
