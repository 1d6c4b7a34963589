import type { OpenFile } from "./_positioned_file.ts";

/** Open files by name: those used longest ago are closed when there are too many. */
export class HandleCache {
  readonly #handlesMax: number;
  readonly #open = new Map<string, OpenFile>();

  constructor(handlesMax: number) {
    this.#handlesMax = handlesMax;
  }

  /** The file of that name, opened if it is not, by `open`. It stays the cache's. */
  use(name: string, open: () => OpenFile): OpenFile {
    let file = this.#open.get(name);
    if (file) {
      // A Map keeps the order of insertion.
      this.#open.delete(name);
    } else {
      file = open();
      for (const [oldest, handle] of this.#open) {
        if (this.#open.size < this.#handlesMax) break;
        handle.close();
        this.#open.delete(oldest);
      }
    }
    this.#open.set(name, file);
    return file;
  }

  /** The open file leaves the cache, to be closed by the caller; `undefined` when it is not open. */
  take(name: string): OpenFile | undefined {
    const file = this.#open.get(name);
    this.#open.delete(name);
    return file;
  }

  /** Closes all. It can be used again. */
  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}
