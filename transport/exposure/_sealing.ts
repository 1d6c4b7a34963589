import type { Crew } from "../crew/crew.ts";
import type { ChunkSealer } from "./_chunk_sealer.ts";

/** Takes a sealed chunk and its leaf hash. The bytes are good until it returns. */
export type TakeSealed = (chunk: number, sealed: Uint8Array, leaf: Uint8Array<ArrayBuffer>) => void;

/** Reads chunks in the order in which they are asked for, and has them sealed by a crew as far as it has hands free, else does it here. */
export class Sealing {
  readonly #sealer: ChunkSealer;
  readonly #crew: Crew | undefined;
  readonly #take: TakeSealed;
  /** Buffers that the crew reaches, for use again: they stay in the processor's cache. */
  readonly #spare: Uint8Array[] = [];
  #failure: { readonly error: unknown } | undefined;

  /** `take` is told of each chunk: within the call that seals it, or later. */
  constructor(sealer: ChunkSealer, crew: Crew | undefined, take: TakeSealed) {
    this.#sealer = sealer;
    this.#crew = crew;
    this.#take = take;
  }

  /** Reads a chunk, and has it sealed. @throws {RgtpError} SOURCE_CHANGED, IO; what `take` has thrown */
  seal(chunk: number): void {
    const crew = this.#crew;
    if (!crew) return this.#sealHere(chunk);
    crew.collect();
    this.#throwFailure();
    const memory = this.#spare.pop() ?? crew.memory(this.#sealer.sealedBytesMax);
    const bytes = this.#sealer.read(chunk, memory);
    const isGiven = crew.seal(chunk, bytes, (outcome) => {
      try {
        if (outcome) this.#take(chunk, bytes, outcome.leaf);
        else this.#sealHere(chunk);
      } catch (error) {
        this.#failure ??= { error };
      }
      this.#spare.push(memory);
    });
    if (isGiven) return;
    this.#take(chunk, bytes, this.#sealer.sealIn(chunk, bytes));
    this.#spare.push(memory);
  }

  /** Until all chunks are sealed and taken. @throws what `take` has thrown */
  async finish(): Promise<void> {
    while (this.#crew && this.#crew.busy > 0) await this.#crew.settled();
    this.#throwFailure();
  }

  #sealHere(chunk: number): void {
    const { sealed, leaf } = this.#sealer.seal(chunk);
    this.#take(chunk, sealed, leaf);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
