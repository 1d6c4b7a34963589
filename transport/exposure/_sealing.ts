import { LEAF_ROW_MAX } from "../../crypto/native/leaf_row.ts";
import { LEAF_LEAD_BYTES } from "../crew/chunk_cipher.ts";
import type { UnsealedChunk } from "../crew/chunk_cipher.ts";
import type { Crew } from "../crew/crew.ts";
import type { ChunkSealer } from "./_chunk_sealer.ts";

/** Takes a sealed chunk and its leaf hash. The bytes are good until it returns; absent: they are in their place already. */
export type TakeSealed = (
  chunk: number,
  sealed: Uint8Array | undefined,
  leaf: Uint8Array<ArrayBuffer>,
) => void;
/** Where a sealed chunk belongs; absent: that is for who takes it. */
export type PlaceOf = (chunk: number) => Uint8Array | undefined;

/** Bytes of chunks that are sealed together here, at most: beyond that they are in no cache when they are hashed. */
const TOGETHER_BYTES_MAX = 4_194_304;

/** A chunk that was read, and the memory that it lies in. */
interface ReadChunk extends UnsealedChunk {
  readonly memory: Uint8Array;
}

/**
 * Reads chunks in the order in which they are asked for, and has them sealed by a crew as far as it has hands free, else seals them here,
 * several together.
 */
export class Sealing {
  readonly #sealer: ChunkSealer;
  readonly #crew: Crew | undefined;
  readonly #take: TakeSealed;
  readonly #placeOf: PlaceOf;
  /** Memory of places that the crew was told of. */
  readonly #shared = new Set<SharedArrayBuffer>();
  /** Buffers, which the crew reaches, for use again: they stay in the processor's cache. */
  readonly #spare: Uint8Array[] = [];
  /** Those that are sealed here, and how many of them together. */
  readonly #here: ReadChunk[] = [];
  readonly #together: number;
  #failure: { readonly error: unknown } | undefined;

  /** `take` is told of each chunk: within the call that seals it, or later. */
  constructor(
    sealer: ChunkSealer,
    crew: Crew | undefined,
    take: TakeSealed,
    placeOf: PlaceOf = () => undefined,
  ) {
    this.#placeOf = placeOf;
    this.#sealer = sealer;
    this.#crew = crew;
    this.#take = take;
    const fit = Math.floor(TOGETHER_BYTES_MAX / sealer.sealedBytesMax);
    this.#together = Math.max(1, Math.min(LEAF_ROW_MAX, fit));
  }

  /** Reads a chunk, and has it sealed. @throws {RgtpError} SOURCE_CHANGED, IO; what `take` has thrown */
  seal(chunk: number): void {
    this.#crew?.collect();
    this.#throwFailure();
    const memory = this.#spare.pop() ?? this.#newMemory();
    const bytes = this.#sealer.read(chunk, memory);
    const place = this.#crew && this.#placeFor(chunk, this.#crew);
    const isGiven = this.#crew?.seal(chunk, bytes, (outcome) => {
      try {
        if (outcome) this.#take(chunk, place ? undefined : bytes, outcome.leaf);
        else this.#takeAnew(chunk);
      } catch (error) {
        this.#failure ??= { error };
      }
      this.#spare.push(memory);
    }, place);
    if (isGiven) return;
    this.#here.push({ chunk, bytes, memory });
    if (this.#here.length >= this.#together) this.#sealHere();
  }

  /** Until all chunks are sealed and taken. @throws what `take` has thrown */
  async finish(): Promise<void> {
    this.#sealHere();
    while (this.#crew && this.#crew.busy > 0) await this.#crew.settled();
    this.#throwFailure();
  }

  /** Fresh memory is dear to write to: it is better done by who has time. */
  #placeFor(chunk: number, crew: Crew): Uint8Array | undefined {
    const place = this.#placeOf(chunk);
    if (!place || crew.reaches(place)) return place;
    if (place.buffer instanceof SharedArrayBuffer && !this.#shared.has(place.buffer)) {
      this.#shared.add(place.buffer);
      crew.share(place.buffer);
    }
    return undefined;
  }

  #newMemory(): Uint8Array {
    const bytes = this.#sealer.sealedBytesMax;
    return this.#crew?.memory(bytes) ?? new Uint8Array(LEAF_LEAD_BYTES + bytes).subarray(LEAF_LEAD_BYTES);
  }

  #sealHere(): void {
    const chunks = this.#here.splice(0);
    const leaves = this.#sealer.sealAll(chunks);
    for (const [index, { chunk, bytes, memory }] of chunks.entries()) {
      this.#take(chunk, bytes, leaves[index]);
      this.#spare.push(memory);
    }
  }

  /** What a thread that broke off has done to it is not known. */
  #takeAnew(chunk: number): void {
    const { sealed, leaf } = this.#sealer.seal(chunk);
    this.#take(chunk, sealed, leaf);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
