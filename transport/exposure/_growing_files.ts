import type { FileEntry } from "../../codec/collection_index.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { HandleCache } from "./_handle_cache.ts";
import { ioError } from "./_io_errors.ts";
import type { Standing } from "./_output_look.ts";
import type { Placing } from "./_placing.ts";
import type { PositionedFile } from "./_positioned_file.ts";
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
}

const READ_HANDLES_MAX = 16;
const HASH_SLICE_BYTES = 262_144;

/** The wanted files of a collection that are not in their places yet, put together from chunks. */
export class GrowingFiles {
  readonly #options: GrowingOptions;
  /** Chunks of each wanted file that are not written yet; -1 for the other files. */
  readonly #missing: Int32Array;
  readonly #names: string[];
  /** Files whose part was opened, and given its size, since the pull began. */
  readonly #begun: Uint8Array;
  readonly #old = new HandleCache(READ_HANDLES_MAX);
  /** One file at a time is read for its hash. */
  readonly #slice = new Uint8Array(HASH_SLICE_BYTES);

  constructor(options: GrowingOptions) {
    this.#options = options;
    const { map, standing, work } = options;
    this.#begun = new Uint8Array(map.files.length);
    this.#names = [];
    this.#missing = Int32Array.from(map.files, ({ entry }, file) => {
      if (!isGrowing(standing[file])) return -1;
      this.#names[file] = work.partName(entry);
      const { first, end } = map.chunksOf(file);
      return end - first;
    });
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
      if (missing < 0 || !work.left.has(this.#names[file])) return;
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

  /** Takes a verified chunk; `isCandidate`: it is what {@linkcode GrowingFiles.read} gave. @throws {RgtpError} */
  async write(chunk: number, bytes: Uint8Array, isCandidate: boolean): Promise<void> {
    const { map, work } = this.#options;
    for (const slice of map.slices(chunk)) {
      const { file, inChunk, inFile, length } = slice;
      if (this.#missing[file] <= 0) continue;
      const part = bytes.subarray(inChunk, inChunk + length);
      if (!isCandidate || this.#whereIs(chunk, slice) !== "part") this.#writePart(file, inFile, part);
      if (--this.#missing[file] === 0) await this.#complete(file, part);
    }
    work.journal.set(chunk, true);
  }

  /** Makes an empty file. */
  async makeEmpty(entry: FileEntry): Promise<void> {
    const { work, placing, force } = this.#options;
    const name = work.partName(entry);
    const handle = work.takePart(name, entry);
    handle.file.truncateSync(0);
    await placing.add({ entry, partPath: work.partPath(name), handle, replaces: force });
  }

  /** Lets go of what it reads. */
  close(): void {
    this.#old.close();
  }

  #whereIs(chunk: number, { file, inFile, length }: FileSlice): "part" | "place" | "nowhere" {
    const { standing, work, force, map } = this.#options;
    if (standing[file] === "right") return "place";
    if (standing[file] === undefined) return "nowhere";
    if (work.left.has(this.#names[file]) && work.journal.has(chunk)) return "part";
    // An older version, which is about to be replaced.
    const { entry } = map.files[file];
    return force && standing[file] === "other" && sizeOf(this.#placeOf(entry)) >= inFile + length
      ? "place"
      : "nowhere";
  }

  #writePart(file: number, at: number, bytes: Uint8Array): void {
    const { work } = this.#options;
    const part = this.#part(file);
    try {
      // What an earlier pull has left may hold anything.
      if (work.left.has(this.#names[file])) part.writeAt(at, bytes);
      else writeSparse(part, at, bytes);
    } catch (cause) {
      throw ioError(cause, "write", work.partPath(this.#names[file]), "write");
    }
  }

  #part(file: number): PositionedFile {
    const { work, map } = this.#options;
    const { entry } = map.files[file];
    const part = work.part(this.#names[file], entry);
    if (this.#begun[file] === 0) {
      try {
        part.file.truncateSync(entry.size);
      } catch (cause) {
        throw ioError(cause, "write", work.partPath(this.#names[file]), "write");
      }
      this.#begun[file] = 1;
    }
    return part;
  }

  #inPlace(file: number): PositionedFile {
    const path = this.#placeOf(this.#options.map.files[file].entry);
    return this.#old.use(path, () => Deno.openSync(path));
  }

  #placeOf({ path }: FileEntry): string {
    return `${this.#options.out}/${path}`;
  }

  async #complete(file: number, last: Uint8Array): Promise<void> {
    const { map, work, placing, hash, force } = this.#options;
    const { entry } = map.files[file];
    const name = this.#names[file];
    const handle = work.takePart(name, entry);
    const partPath = work.partPath(name);
    let isRight = false;
    try {
      isRight = equalBytes(
        last.length === entry.size ? hash.digest(last) : await hashOf(handle, entry.size, hash, this.#slice),
        entry.sha256,
      );
      if (!isRight) throw lying(entry);
    } catch (cause) {
      throw ioError(cause, "read", partPath, "read");
    } finally {
      if (!isRight) handle.close();
    }
    await placing.add({ entry, partPath, handle, replaces: force });
  }
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

async function hashOf(
  file: PositionedFile,
  size: number,
  hash: Hash,
  slice: Uint8Array,
): Promise<Uint8Array> {
  if (size <= slice.length) {
    const count = file.readAt(0, slice.subarray(0, size));
    return hash.digest(slice.subarray(0, count));
  }
  const hasher = hash.create();
  const turns = new Turns();
  for (let at = 0; at < size; at += slice.length) {
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
