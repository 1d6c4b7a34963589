import { ManifestKind } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { RgtpError } from "../core/errors.ts";
import { chunkOffset } from "./exposure/pieces.ts";
import type { ChunkRun } from "./protocol/chunk_plan.ts";
import type { ChunkSink } from "./puller_shell.ts";

/**
 * A sink that hands the bytes from `from` to `to` to one reader, in their order. A chunk counts as stored when the reader has it, so what
 * waits here is bounded by what a puller may have in hand (32 MiB), and the pull waits while the reader is behind.
 */
export class SliceQueue implements ChunkSink {
  readonly #from: number;
  readonly #to: number;
  readonly #waiting = new Map<number, { bytes: Uint8Array; taken: () => void }>();
  #manifest: Manifest | undefined;
  #end = 0;
  #next = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  #failure: { error: unknown } | undefined;

  /** `to` may be `Infinity`, for the end. @throws {RangeError} when these are no places */
  constructor(from: number, to: number) {
    const isPlace = (at: number) => Number.isSafeInteger(at) && at >= 0;
    if (!isPlace(from) || !(isPlace(to) || to === Infinity) || to < from) {
      throw new RangeError(`no range of bytes begins at ${from} and ends before ${to}`);
    }
    this.#from = from;
    this.#to = to;
  }

  /**
   * Now that it is known what there is: the same, as a sink.
   *
   * @throws {RangeError} when the range leads out of it
   * @throws {RgtpError} NOT_SUPPORTED for a collection
   */
  begin(manifest: Manifest): this {
    const { kind, totalSize } = manifest;
    if (kind !== ManifestKind.BLOB) {
      throw new RgtpError("NOT_SUPPORTED", "a collection of files is no row of bytes: save it to a folder");
    }
    if (this.#from > totalSize || (this.#to > totalSize && this.#to < Infinity)) {
      throw new RangeError(`bytes ${this.#from} to ${this.#to} of an exposure that has ${totalSize}`);
    }
    this.#manifest = manifest;
    this.#end = Math.min(this.#to, totalSize);
    this.#next = Math.floor(this.#from / manifest.chunkSize);
    return this;
  }

  /** Bytes of the range; 0 before it begins. */
  get length(): number {
    return this.#manifest ? this.#end - this.#from : 0;
  }

  /** The chunks that hold the range. */
  get wanted(): readonly ChunkRun[] {
    if (this.length === 0) return [];
    return [{ first: this.#next, end: Math.ceil(this.#end / this.#manifest!.chunkSize) }];
  }

  heldBack(): number {
    return this.#waiting.has(this.#next) ? 0 : this.#waiting.size;
  }

  /** Keeps a chunk for the reader; the promise ends when the reader has it. */
  write(index: number, bytes: Uint8Array): Promise<void> {
    return new Promise((taken) => {
      this.#waiting.set(index, { bytes, taken });
      if (index === this.#next) this.#wake?.();
    });
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Nothing more comes, and this is why. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake?.();
  }

  /** The next bytes; `undefined` at the end. One call at a time. @throws what `fail` was given, once the bytes before it are read */
  async next(): Promise<Uint8Array | undefined> {
    while (true) {
      const chunk = this.#waiting.get(this.#next);
      if (chunk) {
        const slice = this.#cut(this.#next, chunk.bytes);
        this.#waiting.delete(this.#next++);
        chunk.taken();
        return slice;
      }
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return undefined;
      await new Promise<void>((wake) => this.#wake = wake);
      this.#wake = undefined;
    }
  }

  #cut(index: number, bytes: Uint8Array): Uint8Array {
    const at = chunkOffset(this.#manifest!, index);
    // The memory is another chunk's as soon as this one counts as taken.
    return bytes.slice(Math.max(0, this.#from - at), this.#end - at);
  }
}
