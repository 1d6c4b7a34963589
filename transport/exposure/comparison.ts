import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { Bits } from "./_bits.ts";
import type { PieceFacts } from "./pieces.ts";
import { chunkOffset } from "./pieces.ts";
import type { ByteSource } from "./source.ts";

/** A run of bytes: from `from`, before `to`. */
export interface ByteRun {
  /** First byte. */
  readonly from: number;
  /** One past the last. */
  readonly to: number;
}

/** A local source against an exposure, chunk by chunk: a sink that is given nothing, and reads all that it is asked for. */
export class Comparison {
  readonly #facts: PieceFacts;
  readonly #source: ByteSource;
  readonly #different: Bits;

  /** Nothing is compared yet. The source stays the caller's to close. */
  constructor(facts: PieceFacts, source: ByteSource) {
    this.#facts = facts;
    this.#source = source;
    this.#different = new Bits(chunkCount(facts));
  }

  /** Flags for the chunks of a page: all are to be compared. */
  candidates(): Uint8Array {
    return new Uint8Array(PAGE_LEAVES).fill(1);
  }

  /** Reads a chunk; false when the source is too short, or cannot be read there. */
  read(chunk: number, into: Uint8Array): boolean {
    const offset = chunkOffset(this.#facts, chunk);
    if (offset + into.length > this.#source.size) return false;
    try {
      this.#source.read(offset, into);
      return true;
    } catch {
      return false;
    }
  }

  /** A chunk is not the exposure's: so it is noted, and is not to be pulled. */
  leave(chunk: number): boolean {
    this.#different.add(chunk);
    return true;
  }

  /** No chunk is pulled: all are candidates, and those that are wrong are left. */
  write(chunk: number): void {
    throw new Error(`chunk ${chunk} came without being asked for`);
  }

  /** How many chunks differ. */
  get chunksDifferent(): number {
    return this.#different.count;
  }

  /** The bytes of the exposure whose chunks differ, in order; chunks side by side are one run. */
  differences(): ByteRun[] {
    const runs: { from: number; to: number }[] = [];
    for (let chunk = 0; chunk < chunkCount(this.#facts); chunk++) {
      if (!this.#different.has(chunk)) continue;
      const from = chunkOffset(this.#facts, chunk);
      const to = from + chunkBytes(this.#facts, chunk);
      const last = runs.at(-1);
      if (last?.to === from) last.to = to;
      else runs.push({ from, to });
    }
    return runs;
  }
}
