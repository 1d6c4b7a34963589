import type { Manifest } from "../codec/manifest.ts";
import { chunkOffset } from "./exposure/pieces.ts";
import type { ChunkSink } from "./puller_shell.ts";

/** A sink that puts all chunks in their places in one memory. */
export class WholeSink implements ChunkSink {
  /** All that is exposed, once all chunks are here. */
  readonly whole: Uint8Array;
  readonly window?: Uint8Array<ArrayBuffer>;
  readonly #manifest: Manifest;

  /** In a `window` they may appear by themselves. */
  constructor(manifest: Manifest, window?: Uint8Array<ArrayBuffer>) {
    this.#manifest = manifest;
    this.whole = window ?? new Uint8Array(manifest.totalSize);
    if (window) this.window = window;
  }

  write(chunk: number, bytes: Uint8Array): void {
    if (bytes.buffer !== this.whole.buffer) this.whole.set(bytes, chunkOffset(this.#manifest, chunk));
  }
}
