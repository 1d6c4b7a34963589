/** An open file, read and written at places. */
export interface OpenFile {
  /** Its number, if other threads may write to it by that. */
  readonly descriptor?: number;
  /** Reads until `into` is full or the file ends; how many bytes it read. */
  readAt(offset: number, into: Uint8Array): number;
  /** Writes all of `bytes`. */
  writeAt(offset: number, bytes: Uint8Array): void;
  /** Makes it that long. */
  truncate(bytes: number): void;
  /** Sets the time of its last change, and of its last use. */
  setTime(time: Date): void;
  /** Makes what it holds last. */
  sync(): void;
  /** The same, beside this thread. */
  syncLater(): Promise<void>;
  /** Twice is fine. */
  close(): void;
}

/** Quicker ways than the runtime's to work on the files of a folder. Where one cannot, the runtime is asked, and says why. */
export interface QuickFiles {
  /** Opens a file to read and write, never by a link; makes it, with those bits less the umask, if it is not there. */
  open(path: string, mode: number): OpenFile | undefined;
  /** Gives a file another name, at which nothing stands; whether it could. */
  nameAnew(path: string, place: string): boolean;
  /** To be called once, when no more files are opened or named. What is open may be closed later. */
  close(): void;
}

/** A file of the runtime's. Sequential access costs one system call each, since the file's own position is remembered. */
export class PositionedFile implements OpenFile {
  readonly file: Deno.FsFile;
  /** Where the file's own position stands; -1 when that is not known. */
  #position: number;
  #closed = false;

  /** `position` is where the file's own stands, as far as that is known: 0 in one that was just opened. */
  constructor(file: Deno.FsFile, position = -1) {
    this.file = file;
    this.#position = position;
  }

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

  writeAt(offset: number, bytes: Uint8Array): void {
    this.#moveTo(offset);
    for (let at = 0; at < bytes.length;) at += this.file.writeSync(at === 0 ? bytes : bytes.subarray(at));
    this.#position = offset + bytes.length;
  }

  truncate(bytes: number): void {
    this.file.truncateSync(bytes);
  }

  setTime(time: Date): void {
    this.file.utimeSync(time, time);
  }

  sync(): void {
    this.file.syncDataSync();
  }

  syncLater(): Promise<void> {
    return this.file.syncData();
  }

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
