import { limits } from "../../core/limits.ts";

/** Memory is made in steps of so many bytes, so that frames of about one size can use each other's. */
const STEP_BYTES = 65_536;

/**
 * Memory for large frames. New memory has to be zeroed and collected, which costs more than all else that is done with a frame; so what
 * an application gives back is used again. It is taken from whoever still looks at it: views of it are empty then.
 */
export class FrameMemory {
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;

  /** Bytes that are kept. */
  get spareBytes(): number {
    return this.#bytes;
  }

  /** Memory for at least `bytes`, with anything in it; `undefined` when there is none that fits. */
  take(bytes: number): Uint8Array<ArrayBuffer> | undefined {
    // The last one that was given back is still in the caches. A small frame shall not keep the place of a large one.
    const place = this.#spare.findLastIndex(({ length }) => length >= bytes && length <= 2 * sizeFor(bytes));
    if (place < 0) return undefined;
    const [memory] = this.#spare.splice(place, 1);
    this.#bytes -= memory.length;
    return memory;
  }

  /** Takes memory back that nobody needs any more. It is left to the collector when enough is kept. */
  give(memory: Uint8Array<ArrayBuffer>): void {
    if (this.#bytes + memory.length > limits.rnpSpareBytesMax) return;
    this.#bytes += memory.length;
    this.#spare.push(new Uint8Array(memory.buffer.transfer()));
  }
}

/** How much memory is made for so many bytes. */
export function sizeFor(bytes: number): number {
  return bytes < STEP_BYTES ? bytes : Math.ceil(bytes / STEP_BYTES) * STEP_BYTES;
}
