/*
 * The have-map beside a part file. Everything in it is a hint: chunks are verified before they are taken for right, and leaf pages
 * before they are used. So it needs no order of writes, no sync, and no checksum.
 *
 *    0   8  "RGTPhave"
 *    8   4  version, 1
 *   12   4  plaintext bytes of a chunk
 *   16   4  chunks
 *   20  32  exposure ID
 *   52  12  zero
 *   64   -  bitmap, a bit for each chunk, lowest bit first: what the part holds there is worth trying
 *    -   -  a slot for each leaf page: 1 when it is filled, then the page; as long as the longest page
 */
import { chunkCount } from "../../codec/manifest.ts";
import { equalBytes, utf8 } from "../../core/bytes.ts";
import { pageBytes } from "../../crypto/leaf_pages.ts";
import { PositionedFile } from "./_positioned_file.ts";
import type { PieceFacts } from "./pieces.ts";
import { exposurePages } from "./pieces.ts";

/** Bytes before the bitmap. */
export const JOURNAL_HEADER_BYTES = 64;

const VERSION = 1;

/**
 * The have-map of one part file: which of its chunks are worth trying, and leaf pages that need not be fetched again.
 * No method throws for what the file holds, nor when it cannot be written: then the hints are lost, and nothing else.
 */
export class Journal {
  /** Whether the file was the intact journal of this exposure when it was opened. */
  readonly belongs: boolean;
  readonly #file: PositionedFile;
  readonly #facts: PieceFacts;
  readonly #header: Uint8Array;
  #bitmap: Uint8Array;
  #isWritable = true;
  readonly #unwrittenMax: number;
  /** Notes that are not written yet, and the bytes of the bitmap that they are in: from, to before. */
  #unwritten = 0;
  #from = 0;
  #to = 0;

  /**
   * Reads the journal of the exposure with that ID (32 bytes) and cut from a file open for reading and writing. The file is not
   * changed before the first hint is written; it stays the caller's to close. So many notes of chunks are written at once.
   */
  constructor(file: Deno.FsFile, facts: PieceFacts, id: Uint8Array, notesAtOnce = 1) {
    this.#file = new PositionedFile(file);
    this.#facts = facts;
    this.#unwrittenMax = notesAtOnce;
    this.#header = headerOf(facts, id);
    this.#bitmap = new Uint8Array(Math.ceil(chunkCount(facts) / 8));
    this.belongs = this.#load();
  }

  /** Starts it anew: the first `worthTrying` chunks are candidates, and there are no pages. */
  reset(worthTrying: number): void {
    this.#bitmap = new Uint8Array(this.#bitmap.length);
    this.#unwritten = 0;
    this.#bitmap.fill(255, 0, worthTrying >> 3);
    if (worthTrying % 8 > 0) this.#bitmap[worthTrying >> 3] = (1 << (worthTrying % 8)) - 1;
    this.#write(() => {
      this.#file.file.truncateSync(0);
      // The header comes last: until then the file is nobody's journal.
      this.#file.writeAt(JOURNAL_HEADER_BYTES, this.#bitmap);
      this.#file.writeAt(0, this.#header);
    });
  }

  /** Whether a chunk is worth trying. */
  has(chunk: number): boolean {
    return chunk < chunkCount(this.#facts) && (this.#bitmap[chunk >> 3] & (1 << (chunk & 7))) !== 0;
  }

  /** Notes that a chunk is worth trying, after its bytes have been written, or that it is not. */
  set(chunk: number, isWorthTrying: boolean): void {
    if (this.has(chunk) === isWorthTrying || chunk >= chunkCount(this.#facts)) return;
    const at = chunk >> 3;
    this.#bitmap[at] ^= 1 << (chunk & 7);
    const isFirst = this.#unwritten === 0;
    this.#from = isFirst ? at : Math.min(this.#from, at);
    this.#to = isFirst ? at + 1 : Math.max(this.#to, at + 1);
    if (++this.#unwritten >= this.#unwrittenMax) this.flush();
  }

  /** Writes the notes that wait for others. */
  flush(): void {
    if (this.#unwritten === 0) return;
    this.#unwritten = 0;
    const bytes = this.#bitmap.subarray(this.#from, this.#to);
    this.#write(() => this.#file.writeAt(JOURNAL_HEADER_BYTES + this.#from, bytes));
  }

  /** What may be a leaf page: to be verified. `undefined` when none was saved. */
  page(page: number): Uint8Array<ArrayBuffer> | undefined {
    if (page < 0 || page >= exposurePages(this.#facts)) return undefined;
    const slot = new Uint8Array(1 + pageBytes(chunkCount(this.#facts), page));
    try {
      const whole = this.#file.readAt(this.#slotAt(page), slot) === slot.length;
      return whole && slot[0] === 1 ? slot.subarray(1) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps a verified leaf page. @throws {RangeError} when there is no such page, or it has another length */
  savePage(page: number, bytes: Uint8Array): void {
    const length = pageBytes(chunkCount(this.#facts), page);
    if (bytes.length !== length) {
      throw new RangeError(`page ${page} has ${length} bytes, not ${bytes.length}`);
    }
    const slot = new Uint8Array(1 + length);
    slot[0] = 1;
    slot.set(bytes, 1);
    this.#write(() => this.#file.writeAt(this.#slotAt(page), slot));
  }

  #load(): boolean {
    try {
      const header = new Uint8Array(JOURNAL_HEADER_BYTES);
      const bitmap = new Uint8Array(this.#bitmap.length);
      const isWhole = this.#file.readAt(0, header) === header.length &&
        this.#file.readAt(header.length, bitmap) === bitmap.length;
      if (!isWhole || !equalBytes(header, this.#header)) return false;
      this.#bitmap = bitmap;
      return true;
    } catch {
      return false;
    }
  }

  #slotAt(page: number): number {
    // The first page has the longest path.
    const slotBytes = 1 + pageBytes(chunkCount(this.#facts), 0);
    return JOURNAL_HEADER_BYTES + this.#bitmap.length + page * slotBytes;
  }

  /** A journal that cannot be written any more is left as it is. A full disk, say, is the part file's to report. */
  #write(write: () => void): void {
    if (!this.#isWritable) return;
    try {
      write();
    } catch {
      this.#isWritable = false;
    }
  }
}

function headerOf(facts: PieceFacts, id: Uint8Array): Uint8Array {
  const header = new Uint8Array(JOURNAL_HEADER_BYTES);
  header.set(utf8("RGTPhave"));
  const view = new DataView(header.buffer);
  view.setUint32(8, VERSION);
  view.setUint32(12, facts.chunkSize);
  view.setUint32(16, chunkCount(facts));
  header.set(id, 20);
  return header;
}
