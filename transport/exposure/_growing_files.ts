import type { FileEntry } from "../../codec/collection_index.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash, Hasher } from "../../crypto/engine.ts";
import { FileOutcome } from "../crew/file_list.ts";
import type { FileCrew } from "../crew/file_list.ts";
import { GatheredFiles } from "./_gathered_files.ts";
import { HandleCache } from "./_handle_cache.ts";
import { ioError } from "./_io_errors.ts";
import type { Standing } from "./_output_look.ts";
import type { Placing } from "./_placing.ts";
import { PositionedFile } from "./_positioned_file.ts";
import type { OpenFile } from "./_positioned_file.ts";
import { writeSparse } from "./_sparse.ts";
import { Turns } from "./_turns.ts";
import type { WorkFolder } from "./_work_folder.ts";
import type { FileMap, FileSlice } from "./file_map.ts";

/** What the files of a collection are put together with. */
export interface GrowingOptions {
  /** The output folder. */
  readonly out: string;
  /** Which files stand in which chunks. */
  readonly map: FileMap;
  /** For each file of the map what stands in its place; `undefined` for one that is not wanted. */
  readonly standing: readonly (Standing | undefined)[];
  /** Where their bytes gather. */
  readonly work: WorkFolder;
  /** Where whole ones go. */
  readonly placing: Placing;
  /** For the files' hashes. */
  readonly hash: Hash;
  /** Whether what holds something else may be replaced. */
  readonly force: boolean;
  /** Who may hash small files. Absent: this thread alone. */
  readonly crew?: FileCrew;
}

const READ_HANDLES_MAX = 16;
const HASH_SLICE_BYTES = 262_144;

/** The wanted files of a collection that are not in their places yet, put together from chunks. */
export class GrowingFiles {
  readonly #options: GrowingOptions;
  /** Chunks of each wanted file that are not written yet; -1 for the other files. */
  readonly #missing: Int32Array;
  readonly #names: string[] = [];
  /** Files of which something has come, and not all. */
  readonly #begun = new Map<number, Begun>();
  readonly #old = new HandleCache(READ_HANDLES_MAX);
  /** Small files that a crew hashes. */
  readonly #gathered: GatheredFiles<Hashed> | undefined;
  /** What went wrong while nobody asked. */
  #failure: RgtpError | undefined;
  /** What is to be waited for before more is written. */
  #behind: Promise<void> | undefined;
  /** One file at a time is read for its hash. */
  readonly #slice = new Uint8Array(HASH_SLICE_BYTES);

  constructor(options: GrowingOptions) {
    this.#options = options;
    const { map, standing } = options;
    this.#missing = Int32Array.from(map.files, (_, file) => {
      if (!isGrowing(standing[file])) return -1;
      const { first, end } = map.chunksOf(file);
      return end - first;
    });
    const { hash, crew } = options;
    this.#gathered = crew &&
      new GatheredFiles(hash, crew, (file, outcome, bytes) => this.#settle(file, outcome, bytes));
  }

  /** The chunks that these files are made of, ascending and disjoint. */
  runs(): { first: number; end: number }[] {
    const runs: { first: number; end: number }[] = [];
    const { map } = this.#options;
    this.#missing.forEach((missing, file) => {
      if (missing < 0) return;
      const { first, end } = map.chunksOf(file);
      const last = runs.at(-1);
      if (last && first <= last.end) last.end = Math.max(last.end, end);
      else runs.push({ first, end });
    });
    return runs;
  }

  /** Parts from a pull of which no journal tells are worth trying wherever they lie. */
  distrustJournal(): void {
    const { map, work } = this.#options;
    work.journal.reset(0);
    this.#missing.forEach((missing, file) => {
      if (missing < 0 || !this.#isLeft(file)) return;
      const { first, end } = map.chunksOf(file);
      for (let chunk = first; chunk < end; chunk++) work.journal.set(chunk, true);
    });
  }

  /** Whether all that a chunk is made of may be found on the disk. */
  isCandidate(chunk: number): boolean {
    return this.#options.map.slices(chunk).every((slice) => this.#whereIs(chunk, slice) !== "nowhere");
  }

  /** Puts a chunk together from what is on the disk; whether it could. */
  read(chunk: number, into: Uint8Array): boolean {
    into.fill(0);
    try {
      return this.#options.map.slices(chunk).every((slice) => {
        const { file, inChunk, inFile, length } = slice;
        const where = this.#whereIs(chunk, slice);
        if (where === "nowhere") return false;
        const from = where === "part" ? this.#part(file) : this.#inPlace(file);
        return from.readAt(inFile, into.subarray(inChunk, inChunk + length)) === length;
      });
    } catch {
      // A candidate that cannot be read is fetched like any other chunk.
      return false;
    }
  }

  /**
   * Takes a verified chunk; `isCandidate`: it is what {@linkcode GrowingFiles.read} gave. Nothing is to be waited for where it answers with
   * nothing.
   *
   * @throws {RgtpError} also later
   */
  write(chunk: number, bytes: Uint8Array, isCandidate: boolean): Promise<void> | undefined {
    if (this.#failure) throw this.#failure;
    const slices = this.#options.map.slices(chunk);
    return this.#writeSlices(chunk, slices, 0, bytes, isCandidate);
  }

  /** All chunks were written, and nothing is with a crew any more: what was not hashed yet is. @throws {RgtpError} MERKLE_FAIL, and what {@linkcode Placing.flush} throws */
  async settle(): Promise<void> {
    this.#gathered?.flush();
    if (this.#failure) throw this.#failure;
    await this.#takeBehind();
  }

  /** Makes an empty file. */
  async makeEmpty(entry: FileEntry): Promise<void> {
    const { work, placing, force } = this.#options;
    const name = work.partName(entry);
    const handle = work.takePart(name, entry);
    handle.truncate(0);
    await placing.add({ entry, partPath: work.partPath(name), handle, replaces: force });
  }

  /** Lets go of what it reads. */
  close(): void {
    this.#old.close();
    for (const { item } of this.#gathered?.close() ?? []) item.handle.close();
    // A hasher ends with its digest.
    for (const { hasher } of this.#begun.values()) hasher?.digest();
    this.#begun.clear();
  }

  /** From one of its slices on. */
  #writeSlices(
    chunk: number,
    slices: readonly FileSlice[],
    first: number,
    bytes: Uint8Array,
    isCandidate: boolean,
  ): Promise<void> | undefined {
    for (let i = first; i < slices.length; i++) {
      const waiting = this.#writeSlice(chunk, slices[i], bytes, isCandidate);
      if (waiting) return waiting.then(() => this.#writeSlices(chunk, slices, i + 1, bytes, isCandidate));
    }
    this.#options.work.journal.set(chunk, true);
    return undefined;
  }

  #writeSlice(
    chunk: number,
    slice: FileSlice,
    bytes: Uint8Array,
    isCandidate: boolean,
  ): Promise<void> | undefined {
    const { file, inChunk, inFile, length } = slice;
    if (this.#missing[file] <= 0) return undefined;
    const part = bytes.subarray(inChunk, inChunk + length);
    const gathering = this.#gathering(file);
    if (gathering) gathering.set(part, inFile);
    else if (!isCandidate || this.#whereIs(chunk, slice) !== "part") this.#writePart(file, inFile, part);
    if (!gathering) this.#hash(file, inFile, part);
    return --this.#missing[file] === 0 ? this.#complete(file, part) : undefined;
  }

  #whereIs(chunk: number, { file, inFile, length }: FileSlice): "part" | "place" | "nowhere" {
    const { standing, work, force, map } = this.#options;
    if (standing[file] === "right") return "place";
    if (standing[file] === undefined) return "nowhere";
    if (this.#isLeft(file) && work.journal.has(chunk)) return "part";
    // An older version, which is about to be replaced.
    const { entry } = map.files[file];
    return force && standing[file] === "other" && sizeOf(this.#placeOf(entry)) >= inFile + length
      ? "place"
      : "nowhere";
  }

  #writePart(file: number, at: number, bytes: Uint8Array): void {
    const part = this.#part(file);
    try {
      // What an earlier pull has left may hold anything.
      if (this.#isLeft(file)) return part.writeAt(at, bytes);
      const begun = this.#begin(file);
      begun.end = Math.max(begun.end, writeSparse(part, at, bytes));
    } catch (cause) {
      throw this.#partError(file, cause);
    }
  }

  /** What is not gathered is hashed as it comes, as far as it comes in order: to read it again would take longer. */
  #hash(file: number, at: number, bytes: Uint8Array): void {
    const { size } = this.#options.map.files[file].entry;
    const begun = this.#begin(file);
    // All of it at once needs no hasher.
    if (bytes.length === size || at !== begun.hashed) return;
    begun.hasher ??= this.#options.hash.create();
    begun.hasher.update(bytes);
    begun.hashed += bytes.length;
  }

  /** Where a file is gathered, if it is. */
  #gathering(file: number): Uint8Array | undefined {
    if (!this.#gathered || this.#isLeft(file)) return undefined;
    const begun = this.#begun.get(file);
    if (begun) return begun.memory;
    return this.#begin(file).memory = this.#gathered.memory(this.#options.map.files[file].entry.size);
  }

  #begin(file: number): Begun {
    let begun = this.#begun.get(file);
    if (!begun) {
      this.#begun.set(
        file,
        begun = { memory: undefined, hasher: undefined, hashed: 0, end: 0 },
      );
    }
    return begun;
  }

  #part(file: number): OpenFile {
    const { work, map } = this.#options;
    const { entry } = map.files[file];
    const part = work.part(this.#name(file), entry);
    if (this.#isLeft(file) && !this.#begun.has(file)) {
      this.#begin(file);
      this.#resize(file, part);
    }
    return part;
  }

  #resize(file: number, part: OpenFile): void {
    try {
      part.truncate(this.#options.map.files[file].entry.size);
    } catch (cause) {
      throw this.#partError(file, cause);
    }
  }

  #partError(file: number, cause: unknown): RgtpError {
    return ioError(cause, "write", this.#options.work.partPath(this.#name(file)), "write");
  }

  /** Whether an earlier pull has left its part. */
  #isLeft(file: number): boolean {
    const { work } = this.#options;
    return work.hasParts && work.left.has(this.#name(file));
  }

  #name(file: number): string {
    return this.#names[file] ??= this.#options.work.partName(this.#options.map.files[file].entry);
  }

  #inPlace(file: number): OpenFile {
    const path = this.#placeOf(this.#options.map.files[file].entry);
    return this.#old.use(path, () => new PositionedFile(Deno.openSync(path), 0));
  }

  #placeOf({ path }: FileEntry): string {
    return `${this.#options.out}/${path}`;
  }

  /** All of a file has come, `last` as the last of it. */
  #complete(file: number, last: Uint8Array): Promise<void> | undefined {
    const { entry } = this.#options.map.files[file];
    const begun = this.#begin(file);
    this.#begun.delete(file);
    const handle = this.#options.work.takePart(this.#name(file), entry);
    try {
      if (begun.memory) {
        this.#gathered!.add({ file, handle }, begun.memory, entry.sha256, handle.descriptor);
        return this.#takeBehind();
      }
      // Zeros at its end were left out.
      if (!this.#isLeft(file) && begun.end < entry.size) this.#resize(file, handle);
      const digest = this.#digest(entry, begun, handle, last);
      if (!(digest instanceof Promise)) return this.#place(file, handle, equalBytes(digest, entry.sha256));
      return digest.then((later) => this.#place(file, handle, equalBytes(later, entry.sha256)), (cause) => {
        handle.close();
        throw this.#partError(file, cause);
      });
    } catch (cause) {
      handle.close();
      throw this.#partError(file, cause);
    }
  }

  #digest(
    { size }: FileEntry,
    { hasher, hashed }: Begun,
    handle: OpenFile,
    last: Uint8Array,
  ): Uint8Array | Promise<Uint8Array> {
    const { hash } = this.#options;
    if (last.length === size) return hash.digest(last);
    if (hasher && hashed === size) return hasher.digest();
    return digestRest(handle, hashed, size, hasher ?? hash.create(), this.#slice);
  }

  /** A file that was gathered is hashed. */
  #settle({ file, handle }: Hashed, outcome: number, bytes: Uint8Array): void {
    try {
      if (outcome === FileOutcome.RIGHT) this.#writeWhole(file, handle, bytes);
      this.#behind = this.#place(file, handle, outcome !== FileOutcome.WRONG) ?? this.#behind;
    } catch (error) {
      this.#failure ??= error as RgtpError;
    }
  }

  #writeWhole(file: number, handle: OpenFile, bytes: Uint8Array): void {
    try {
      if (writeSparse(handle, 0, bytes) < bytes.length) this.#resize(file, handle);
    } catch (cause) {
      handle.close();
      throw this.#partError(file, cause);
    }
  }

  #takeBehind(): Promise<void> | undefined {
    const behind = this.#behind;
    this.#behind = undefined;
    return behind;
  }

  /** @throws {RgtpError} MERKLE_FAIL when it is another file than the index says */
  #place(file: number, handle: OpenFile, isRight: boolean): Promise<void> | undefined {
    const { map, work, placing, force } = this.#options;
    const { entry } = map.files[file];
    if (!isRight) {
      handle.close();
      throw lying(entry);
    }
    return placing.add({ entry, partPath: work.partPath(this.#name(file)), handle, replaces: force });
  }
}

/** A file that is whole, and is hashed elsewhere. */
interface Hashed {
  readonly file: number;
  readonly handle: OpenFile;
}

/** A file of which something has come. */
interface Begun {
  /** Where it is gathered, if it is. */
  memory: Uint8Array<SharedArrayBuffer> | undefined;
  /** Of what has come in order, from the front on; and how much that is. */
  hasher: Hasher | undefined;
  hashed: number;
  /** Where the last byte ends that this pull has written. */
  end: number;
}

function isGrowing(standing: Standing | undefined): boolean {
  return standing === "absent" || standing === "other";
}

function sizeOf(path: string): number {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile ? size : -1;
  } catch {
    return -1;
  }
}

/** What has come in another order is read again. */
async function digestRest(
  file: OpenFile,
  from: number,
  size: number,
  hasher: Hasher,
  slice: Uint8Array,
): Promise<Uint8Array> {
  const turns = new Turns();
  for (let at = from; at < size; at += slice.length) {
    if (turns.isOver()) await turns.yield();
    const bytes = slice.subarray(0, size - at);
    // A file that ends early has another hash, whatever the slice held before.
    hasher.update(bytes.subarray(0, file.readAt(at, bytes)));
  }
  return hasher.digest();
}

function lying({ path }: FileEntry): RgtpError {
  return new RgtpError(
    "MERKLE_FAIL",
    `'${path}' is not what the collection's index says: its exposer is broken or not to be trusted`,
    { data: { path } },
  );
}
