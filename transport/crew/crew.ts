/*
 * Threads that seal and open chunks beside the one that everything else runs in. What they work on lies in memory that all share, so
 * nothing is copied, and a job costs two stores and perhaps a wake-up.
 *
 * A crew is never needed: whoever has a chunk asks it, and does the work himself when it has no hands free, or is not there.
 */
import { limits } from "../../core/limits.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import { threadsFor } from "./_threads.ts";
import { LEAF_ROW_MAX } from "../../crypto/native/leaf_row.ts";
import { LEAF_LEAD_BYTES } from "./chunk_cipher.ts";
import type { ChunkKey } from "./chunk_cipher.ts";
import type { CrewTask } from "./chunk_worker.ts";
import { FILE_LIST_BYTES, FILE_LIST_MAX, FileList } from "./file_list.ts";
import type { WholeBytes } from "./file_list.ts";
import { JobKind, JobRing, ringWords } from "./job_ring.ts";
import type { Job } from "./job_ring.ts";

/** What came of a job: whether it went well, and the leaf hash of a chunk that was sealed. `undefined` when its thread broke off. */
export type Outcome = { readonly ok: boolean; readonly leaf: Uint8Array<ArrayBuffer> } | undefined;

/** Memory is taken in slabs of about this many bytes. */
const SLAB_BYTES = 4_194_304;
/** So many lists of files may wait for a thread, or be in its hands. */
const LISTS_MAX = 2;

/**
 * Threads for the chunks of one exposure, at most `threadsMax`; `undefined` where they would not pay. They start in the background, and
 * take jobs when they are ready.
 */
export function hireCrew(key: ChunkKey, bytes: number, threadsMax: number): Crew | undefined {
  const file = new URL("./chunk_worker.ts", import.meta.url);
  const threads = threadsFor(file, bytes, threadsMax);
  return threads > 0 ? new Crew(key, file, threads) : undefined;
}

/** Threads for the chunks of one exposure. To be closed. */
export class Crew {
  readonly #hands: Hand[];
  #slab: SharedArrayBuffer | undefined;
  #slabUsed = 0;

  /** See {@linkcode hireCrew}. */
  constructor(key: ChunkKey, file: URL, threads: number) {
    this.#hands = Array.from({ length: threads }, () => new Hand(key, file));
  }

  /**
   * Memory that all threads reach, behind {@linkcode LEAF_LEAD_BYTES} bytes that are nobody's; it lives as long as anybody holds it.
   *
   * @throws {RangeError} when there is none
   */
  memory(bytes: number): Uint8Array<SharedArrayBuffer> {
    const needed = LEAF_LEAD_BYTES + Math.ceil(bytes / LEAF_LEAD_BYTES) * LEAF_LEAD_BYTES;
    if (this.#slab === undefined || this.#slabUsed + needed > this.#slab.byteLength) {
      this.#slab = new SharedArrayBuffer(Math.max(SLAB_BYTES, needed));
      this.#slabUsed = 0;
      this.share(this.#slab);
    }
    const at = this.#slabUsed + LEAF_LEAD_BYTES;
    this.#slabUsed += needed;
    return new Uint8Array(this.#slab, at, bytes);
  }

  /** Lets all threads reach a memory. */
  share(memory: SharedArrayBuffer): void {
    for (const hand of this.#hands) hand.share(memory);
  }

  /**
   * Seals the plaintext in all of `bytes` but the last 16, if a thread is free and reaches it; whether that is so. `done` is called
   * later, from {@linkcode Crew.collect}. Until then the bytes are the thread's. `place`: memory that all threads {@linkcode Crew.reaches}
   * and that the sealed chunk is copied to.
   */
  seal(chunk: number, bytes: Uint8Array, done: (outcome: Outcome) => void, place?: Uint8Array): boolean {
    return this.#give(JobKind.SEAL, chunk, bytes, undefined, done, place);
  }

  /** Whether all threads have been told of the memory that these bytes lie in. */
  reaches(bytes: Uint8Array): boolean {
    return this.#hands.every((hand) => hand.reaches(bytes));
  }

  /** The same for a sealed chunk to be opened, if it has that leaf hash. */
  open(chunk: number, sealed: Uint8Array, leaf: Uint8Array, done: (outcome: Outcome) => void): boolean {
    return leaf.length === HASH_BYTES && this.#give(JobKind.OPEN, chunk, sealed, leaf, done);
  }

  /** The same for a plaintext: whether it has that leaf hash when it is sealed. It is not changed. */
  check(chunk: number, plaintext: Uint8Array, leaf: Uint8Array, done: (outcome: Outcome) => void): boolean {
    return leaf.length === HASH_BYTES && this.#give(JobKind.CHECK, chunk, plaintext, leaf, done);
  }

  /**
   * Compares whole files, 32 at most, with their hashes, and writes those that are right, if a thread is free and reaches them; whether that
   * is so. `done` is called later with what came of each, a `FileOutcome` (`undefined`: its thread broke off). Until then bytes and descriptors
   * are the thread's.
   */
  settleFiles(
    files: readonly WholeBytes[],
    done: (outcomes: readonly number[] | undefined) => void,
  ): boolean {
    if (files.length > FILE_LIST_MAX) return false;
    return this.#hands.some((hand) => hand.settleFiles(files, () => this.memory(FILE_LIST_BYTES), done));
  }

  /** Jobs that are under way. */
  get busy(): number {
    return this.#hands.reduce((sum, hand) => sum + hand.busy, 0);
  }

  /** Calls back for all that is done. It also happens by itself when nothing else does. */
  collect(): void {
    for (const hand of this.#hands) hand.collect();
  }

  /** Until something that is under way is done, and called back for; at once when nothing is. */
  async settled(): Promise<void> {
    this.collect();
    const busy = this.#hands.filter((hand) => hand.busy > 0);
    if (busy.length > 0) await Promise.race(busy.map((hand) => hand.settled()));
  }

  /** Calls back for all files that are under way, then ends the threads: afterwards they write to no descriptor. */
  async end(): Promise<void> {
    while (this.#hands.some((hand) => hand.hasFiles)) await this.settled();
    this.close();
  }

  /** Ends the threads. Nothing is called back any more. Twice is fine. */
  close(): void {
    for (const hand of this.#hands) hand.close();
  }

  #give(
    kind: number,
    chunk: number,
    bytes: Uint8Array,
    leaf: Uint8Array | undefined,
    done: (outcome: Outcome) => void,
    place?: Uint8Array,
  ): boolean {
    const hand = this.#freest(bytes);
    hand?.give(kind, chunk, bytes, leaf, done, place);
    return hand !== undefined;
  }

  /** Of those that can take a job, the one that has the least to do. */
  #freest(bytes: Uint8Array): Hand | undefined {
    let freest: Hand | undefined;
    for (const hand of this.#hands) {
      if (!hand.isFree || !hand.reaches(bytes)) continue;
      if (freest === undefined || hand.busy < freest.busy) freest = hand;
    }
    return freest;
  }
}

/** One thread, and what is under way there. */
class Hand {
  readonly #worker: Worker;
  readonly #ring = new JobRing(ringWords(limits.crewJobsMax));
  /** Those that it reaches, by the order in which they came. */
  readonly #memories = new Map<ArrayBufferLike, number>();
  /** Those that it has not been told of: it had no room for another job. */
  readonly #unshared: SharedArrayBuffer[] = [];
  /** In the order of the jobs. */
  readonly #callbacks: ((outcome: Outcome) => void)[] = [];
  #waiting: Promise<void> | undefined;
  /** Where it is told of files: those that it has none in are free. */
  readonly #lists: Uint8Array<SharedArrayBuffer>[] = [];
  #listsMade = 0;
  /** Jobs that it was given and not woken for. */
  #givenAsleep = 0;
  #isWaking = false;
  #isGone = false;

  constructor(key: ChunkKey, file: URL) {
    this.#worker = new Worker(file, { type: "module", name: "rgtp chunks" });
    // Without it nothing is lost but speed.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#breakOff();
    };
    const task: CrewTask = { words: this.#ring.words, key };
    this.#worker.postMessage(task);
  }

  get isFree(): boolean {
    return !this.#isGone && this.#ring.isReady && this.#ring.hasRoom;
  }

  get busy(): number {
    return this.#callbacks.length;
  }

  get hasFiles(): boolean {
    return !this.#isGone && this.#lists.length < this.#listsMade;
  }

  reaches(bytes: Uint8Array): boolean {
    return this.#memories.has(bytes.buffer);
  }

  /** Lets it reach a memory, at the latest when it has done some of what it has to do. */
  share(memory: SharedArrayBuffer): void {
    this.#unshared.push(memory);
    this.#tell();
  }

  give(
    kind: number,
    chunk: number,
    bytes: Uint8Array,
    leaf: Uint8Array | undefined,
    done: (outcome: Outcome) => void,
    place?: Uint8Array,
  ): void {
    const memory = this.#memories.get(bytes.buffer)!;
    const to = place && { memory: this.#memories.get(place.buffer)!, at: place.byteOffset };
    const job = { kind, memory, at: bytes.byteOffset, bytes: bytes.length, chunk };
    this.#give(to ? { ...job, to } : job, leaf, done);
  }

  /** Whether it will. */
  settleFiles(
    files: readonly WholeBytes[],
    allocate: () => Uint8Array<SharedArrayBuffer>,
    done: (outcomes: readonly number[] | undefined) => void,
  ): boolean {
    if (this.#lists.length === 0) {
      if (this.#listsMade === LISTS_MAX) return false;
      this.#listsMade++;
      this.#lists.push(allocate());
    }
    const bytes = this.#lists.at(-1)!;
    const reached = this.reaches(bytes) && files.every((one) => this.reaches(one.bytes));
    if (!reached || !this.isFree) return false;
    this.#lists.pop();
    const list = new FileList(bytes);
    list.write(files, (buffer) => this.#memories.get(buffer)!);
    this.give(JobKind.FILES, files.length, bytes, undefined, (outcome) => {
      this.#lists.push(bytes);
      done(outcome && list.outcomes(files.length));
    });
    return true;
  }

  collect(): void {
    for (let next = this.#ring.takeOutcome(); next && !this.#isGone; next = this.#ring.takeOutcome()) {
      this.#callbacks.shift()!(next);
    }
    this.#tell();
  }

  settled(): Promise<void> {
    return this.#waiting ?? Promise.resolve();
  }

  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#callbacks.length = 0;
    this.#ring.end();
    this.#worker.terminate();
  }

  /** A thread that waits for jobs reads no messages unless it is told to. */
  #tell(): void {
    while (this.#unshared.length > 0 && !this.#isGone && this.#ring.hasRoom) {
      const memory = this.#unshared.shift()!;
      this.#memories.set(memory, this.#memories.size);
      this.#worker.postMessage(memory);
      this.#give({ kind: JobKind.MEMORY, memory: 0, at: 0, bytes: 0, chunk: 0 }, undefined, () => {});
    }
  }

  #give(job: Job, leaf: Uint8Array | undefined, done: (outcome: Outcome) => void): void {
    this.#ring.give(job, leaf);
    this.#callbacks.push(done);
    this.#wakeSoon();
    this.#listen();
  }

  /**
   * What is given in one go is taken in one go: several chunks are hashed side by side, and a wake-up is dear. As soon as they are a row
   * nothing is waited for: who seals goes on for many ms.
   */
  #wakeSoon(): void {
    if (++this.#givenAsleep === LEAF_ROW_MAX) this.#wake();
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      if (this.#givenAsleep > 0) this.#wake();
    });
  }

  #wake(): void {
    this.#givenAsleep = 0;
    this.#ring.wake();
  }

  #breakOff(): void {
    const callbacks = this.#callbacks.slice();
    this.close();
    for (const done of callbacks) done(undefined);
  }

  /** One waiting at a time, while anything is under way: what is done meanwhile comes with it. */
  #listen(): void {
    if (this.#waiting || this.#isGone) return;
    this.#waiting = this.#ring.outcome().then(() => {
      this.#waiting = undefined;
      this.collect();
      if (this.busy > 0) this.#listen();
    });
  }
}
