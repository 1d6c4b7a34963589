/*
 * The jobs of one thread, in memory that it shares with who gives them: written here, read there, in their order, without a message for
 * each. 32-bit words:
 *
 *    0  jobs given so far       1  jobs done so far       2  1 once the thread is ready
 *    3  1 when this is the end
 *   16  slots of 16 words: kind, memory, first byte, bytes, chunk, outcome, memory and first byte of a copy (-1: none), then a leaf hash
 */
import { HASH_BYTES } from "../../crypto/engine.ts";

/** What a thread can be asked to do. */
export const JobKind = {
  /** Seal a chunk; gives its leaf hash. */
  SEAL: 1,
  /** Open a chunk, if it has the leaf hash; gives whether it has. */
  OPEN: 2,
  /** Take the message that brings another memory. */
  MEMORY: 3,
  /** End. */
  END: 4,
  /** Compare: whether what lies there has the leaf hash when it is sealed. */
  CHECK: 5,
  /** Compare whole files with their hashes, and write those that are right: what lies there is a list of them, as many as `chunk` says. */
  FILES: 6,
} as const;

/** Where a chunk lies, and what is to be done with it. */
export interface Job {
  /** One of {@linkcode JobKind}. */
  readonly kind: number;
  /** Which of the memories. */
  readonly memory: number;
  /** Where in it. */
  readonly at: number;
  /** How long the sealed chunk is. */
  readonly bytes: number;
  /** Its index. */
  readonly chunk: number;
  /** Where it is copied to when it is sealed. Absent: nowhere. */
  readonly to?: { readonly memory: number; readonly at: number };
}

const GIVEN = 0;
const DONE = 1;
const READY = 2;
const ENDED = 3;
const HEAD_WORDS = 16;
const SLOT_WORDS = 16;
const OUTCOME = 5;
const COPY = 6;
const LEAF = 8;

const NO_LEAF = new Uint8Array(0);
const END = { kind: JobKind.END, memory: 0, at: 0, bytes: 0, chunk: 0, leaf: NO_LEAF };

/** A ring of jobs, for both sides. Counts run over at 2^32, which differences do not mind. */
export class JobRing {
  /** The shared memory: all that the other side needs to make its own. */
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #slots: number;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;
  /** Jobs that this side is done with: has done (the thread), or taken the outcome of (who gives them). */
  #taken = 0;

  /** `words` is the other side's, or from {@linkcode ringWords}. */
  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.words = words;
    this.#bytes = new Uint8Array(words.buffer);
    this.#slots = (words.length - HEAD_WORDS) / SLOT_WORDS;
  }

  /** Whether the thread has begun to work. */
  get isReady(): boolean {
    return Atomics.load(this.words, READY) === 1;
  }

  /** Jobs that were given and whose outcome was not taken; for the thread, that are not done. */
  get waiting(): number {
    return (Atomics.load(this.words, GIVEN) - this.#taken) | 0;
  }

  /** Whether a job can be given. */
  get hasRoom(): boolean {
    return this.waiting < this.#slots;
  }

  /** Gives a job, with the leaf hash to compare if it is one to open. There must be room. */
  give({ kind, memory, at, bytes, chunk, to }: Job, leaf?: Uint8Array): void {
    const given = Atomics.load(this.words, GIVEN);
    const slot = this.#slot(given);
    this.words[slot] = kind;
    this.words[slot + 1] = memory;
    this.words[slot + 2] = at;
    this.words[slot + 3] = bytes;
    this.words[slot + 4] = chunk;
    this.words[slot + OUTCOME] = 0;
    this.words[slot + COPY] = to?.memory ?? -1;
    this.words[slot + COPY + 1] = to?.at ?? -1;
    if (leaf) this.#bytes.set(leaf, (slot + LEAF) * 4);
    Atomics.store(this.words, GIVEN, given + 1);
  }

  /** Wakes the thread, if it waits for the jobs that were given. */
  wake(): void {
    Atomics.notify(this.words, GIVEN);
  }

  /** The next outcome: whether it went well, and the leaf hash of what was sealed; `undefined` when none is there yet. */
  takeOutcome(): { readonly ok: boolean; readonly leaf: Uint8Array<ArrayBuffer> } | undefined {
    if (Atomics.load(this.words, DONE) === this.#taken) return undefined;
    const slot = this.#slot(this.#taken);
    this.#taken = (this.#taken + 1) | 0;
    const ok = this.words[slot + OUTCOME] === 1;
    // What nobody looks at is garbage for each chunk.
    if (this.words[slot] !== JobKind.SEAL) return { ok, leaf: NO_LEAF };
    return { ok, leaf: this.#bytes.slice((slot + LEAF) * 4, (slot + LEAF) * 4 + HASH_BYTES) };
  }

  /** Until another outcome can be taken, or {@linkcode JobRing.end}. */
  async outcome(): Promise<void> {
    const waiting = Atomics.waitAsync(this.words, DONE, this.#taken);
    if (waiting.async) await waiting.value;
  }

  /** Has the thread end after its present job. `Worker.terminate` alone leaves one that waits for a job waiting, and the process with it. */
  end(): void {
    Atomics.store(this.words, ENDED, 1);
    Atomics.add(this.words, GIVEN, 1);
    Atomics.notify(this.words, GIVEN);
    Atomics.notify(this.words, DONE);
  }

  /** The thread is ready. */
  handleReady(): void {
    Atomics.store(this.words, READY, 1);
  }

  /** The next job that is not done; waits for it. For the thread. */
  nextJob(): Job & { readonly leaf: Uint8Array } {
    while (this.waiting === 0) Atomics.wait(this.words, GIVEN, this.#taken);
    return this.#jobAt(this.#taken);
  }

  /** That job, if it is of this kind, and those of the same kind that follow it already, `max` in all. For the thread. */
  nextJobs(kind: number, max: number): (Job & { readonly leaf: Uint8Array })[] {
    const jobs = [];
    for (let ahead = 0; ahead < Math.min(max, this.waiting); ahead++) {
      const job = this.#jobAt(this.#taken + ahead);
      if (job.kind !== kind) break;
      jobs.push(job);
    }
    return jobs;
  }

  /** The next job is done. Whoever waits for that is told with {@linkcode JobRing.tell}. For the thread. */
  finish(ok: boolean, leaf?: Uint8Array): void {
    const slot = this.#slot(this.#taken);
    if (leaf) this.#bytes.set(leaf, (slot + LEAF) * 4);
    this.words[slot + OUTCOME] = ok ? 1 : 0;
    this.#taken = (this.#taken + 1) | 0;
    Atomics.store(this.words, DONE, this.#taken);
  }

  /** Wakes who waits for outcomes. For the thread. */
  tell(): void {
    Atomics.notify(this.words, DONE);
  }

  #jobAt(number: number): Job & { readonly leaf: Uint8Array } {
    if (Atomics.load(this.words, ENDED) === 1) return END;
    const slot = this.#slot(number);
    const [kind, memory, at, bytes, chunk] = this.words.subarray(slot, slot + 5);
    const leaf = this.#bytes.subarray((slot + LEAF) * 4, (slot + LEAF) * 4 + HASH_BYTES);
    const job = { kind, memory, at, bytes, chunk, leaf };
    const copy = this.words[slot + COPY];
    return copy < 0 ? job : { ...job, to: { memory: copy, at: this.words[slot + COPY + 1] } };
  }

  #slot(job: number): number {
    return HEAD_WORDS + ((job >>> 0) % this.#slots) * SLOT_WORDS;
  }
}

/** Memory for a ring of so many jobs, a power of two. */
export function ringWords(slots: number): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer((HEAD_WORDS + slots * SLOT_WORDS) * 4));
}
