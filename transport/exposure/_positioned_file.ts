/** A file read and written at places. Sequential access costs one system call each, since the file's own position is remembered. */
export class PositionedFile {
  readonly file: Deno.FsFile;
  /** Where the file's own position stands; -1 when that is not known. */
  #position: number;
  #closed = false;

  /** `position` is where the file's own stands, as far as that is known: 0 in one that was just opened. */
  constructor(file: Deno.FsFile, position = -1) {
    this.file = file;
    this.#position = position;
  }

  /** Reads until `into` is full or the file ends; how many bytes it read. */
  readAt(offset: number, into: Uint8Array): number {
    this.#moveTo(offset);
    let at = 0;
    while (at < into.length) {
      const count = this.file.readSync(at === 0 ? into : into.subarray(at));
      if (count === null || count === 0) break;
      at += count;
    }
    this.#position = offset + at;
    return at;
  }

  /** Writes all of `bytes`. */
  writeAt(offset: number, bytes: Uint8Array): void {
    this.#moveTo(offset);
    for (let at = 0; at < bytes.length;) at += this.file.writeSync(at === 0 ? bytes : bytes.subarray(at));
    this.#position = offset + bytes.length;
  }

  /** Twice is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.file.close();
  }

  #moveTo(offset: number): void {
    if (offset !== this.#position) this.file.seekSync(offset, Deno.SeekMode.Start);
    this.#position = -1;
  }
}
