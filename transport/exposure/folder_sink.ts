import { EntryKind } from "../../codec/collection_index.ts";
import type { CollectionEntry, FileEntry } from "../../codec/collection_index.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Hash } from "../../crypto/engine.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import type { FileCrew } from "../crew/file_list.ts";
import { checkFree, existing, removeQuietly } from "./_disk.ts";
import { GrowingFiles } from "./_growing_files.ts";
import { checkLinksPermitted, makeLink } from "./_links.ts";
import { lookAtOutput, outputFolder } from "./_output_look.ts";
import type { Standing } from "./_output_look.ts";
import { Placing, setTime } from "./_placing.ts";
import type { QuickFiles } from "./_positioned_file.ts";
import { makeFolder, WorkFolder } from "./_work_folder.ts";
import { pathChooser } from "./collection_globs.ts";
import { FileMap } from "./file_map.ts";
import { IndexIntake } from "./index_intake.ts";
import { chunkOffset } from "./pieces.ts";
import { withoutSlash, workPath } from "./work_path.ts";

/** What to pull into which folder. */
export interface FolderSinkOptions {
  /** The folder that will hold the contents; made when it is not there. */
  readonly out: string;
  /** The collection's manifest. */
  readonly manifest: Manifest;
  /** Its ID, 32 bytes. */
  readonly id: Uint8Array;
  /** For the files' hashes. */
  readonly hash: Hash;
  /** Whether files that hold something else may be replaced. */
  readonly force?: boolean;
  /** Which paths are wanted, see `pathChooser`; absent: all. */
  readonly files?: readonly string[];
  /** Told how many bytes of files that are there already have been compared. */
  readonly onHash?: (bytes: number) => void;
  /** A quicker way than the runtime's to work on the files of a folder; may have none. */
  readonly quickFiles?: (folder: string) => QuickFiles | undefined;
}

/** In a work folder that holds no parts: the journal, and the index. */
const OWN_FILES = 2;

/** How a pull into a folder ended. */
export interface FolderResult {
  /** Files that are in their places now. */
  readonly files: number;
  /** Bytes of these. */
  readonly bytes: number;
  /** Bytes of those that were there already. */
  readonly reusedBytes: number;
  /** Whether everything was there already. */
  readonly alreadyComplete: boolean;
  /** SHA-256 of the index. */
  readonly sha256: Uint8Array<ArrayBuffer>;
}

/**
 * A collection on its way into a folder. First comes the index; when it is there and right, the folder is looked at, and only then anything
 * is made: what is wanted and not there. Each file appears when it is whole. What it holds of files that are not whole stays in
 * `OUT/.rgtp-part` for a later pull.
 */
export class FolderSink {
  /** The chunks of the index. */
  readonly wanted: readonly { readonly first: number; readonly end: number }[];
  readonly #options: FolderSinkOptions;
  readonly #intake: IndexIntake;
  readonly #savedIndex: Uint8Array | undefined;
  readonly #quick: QuickFiles | undefined;
  /** Leaf pages that came before there was a journal. */
  readonly #pages = new Map<number, Uint8Array>();
  #work: WorkFolder | undefined;
  /** Whether an earlier pull was cut off. */
  readonly #goesOn: boolean;
  #crew: FileCrew | undefined;
  #contents: Contents | undefined;
  /** Chunks are stored one after another, so that few files are open at once: the last one that has to wait for something. */
  #storing: Promise<void> | undefined;
  #hasStored = false;
  #isClosed = false;

  /** @throws {RgtpError} EXISTS when `out` is no folder; BUSY when another pull works on it; IO */
  constructor(options: FolderSinkOptions) {
    const out = withoutSlash(options.out);
    this.#options = { ...options, out };
    const { manifest } = options;
    outputFolder(out);
    this.#intake = new IndexIntake(manifest);
    this.wanted = [{ first: 0, end: this.#intake.endChunk }];
    this.#quick = options.quickFiles?.(out);
    this.#goesOn = existing(workPath(out)) !== undefined;
    try {
      if (this.#goesOn) this.#work = this.#openWork();
    } catch (error) {
      this.#quick?.close();
      throw error;
    }
    this.#savedIndex = this.#work?.savedIndex(manifest.indexSize);
  }

  /** Has a crew hash small files, until the pull ends. To be called before the index is here. */
  useCrew(crew: FileCrew): void {
    this.#crew = crew;
  }

  /** See `PartFile.candidates`. */
  candidates(page: number): Uint8Array | undefined {
    const { manifest } = this.#options;
    const flags = new Uint8Array(PAGE_LEAVES);
    let some = false;
    for (let i = 0; i < PAGE_LEAVES; i++) {
      const chunk = page * PAGE_LEAVES + i;
      if (chunkOffset(manifest, chunk) >= manifest.totalSize) break;
      const isCandidate = chunk < this.#intake.endChunk
        ? this.#savedIndex !== undefined
        : this.#contents?.growing.isCandidate(chunk) ?? false;
      if (!isCandidate) continue;
      flags[i] = 1;
      some = true;
    }
    return some ? flags : undefined;
  }

  /** See `PartFile.read`. */
  read(chunk: number, into: Uint8Array): boolean {
    if (chunk >= this.#intake.endChunk) return this.#contents?.growing.read(chunk, into) ?? false;
    if (!this.#savedIndex) return false;
    const at = chunkOffset(this.#options.manifest, chunk);
    into.fill(0);
    into.set(this.#savedIndex.subarray(at, at + into.length));
    return true;
  }

  /** See `PartFile.keep`. */
  keep(chunk: number, plaintext: Uint8Array): void | Promise<void> {
    if (chunk < this.#intake.endChunk) return this.#intake.write(chunk, plaintext);
    // The bytes are the caller's.
    return this.#store(chunk, plaintext.slice(), true);
  }

  /** See `PartFile.reject`. */
  reject(chunk: number): boolean {
    this.#work?.journal.set(chunk, false);
    return false;
  }

  /** See `PartFile.write`. */
  write(chunk: number, bytes: Uint8Array): void | Promise<void> {
    if (chunk < this.#intake.endChunk) return this.#intake.write(chunk, bytes);
    return this.#store(chunk, bytes, false);
  }

  /** See `PartFile.page`. */
  page(page: number): Uint8Array | undefined {
    return this.#pages.get(page) ?? this.#work?.journal.page(page);
  }

  /** See `PartFile.savePage`. */
  savePage(page: number, bytes: Uint8Array): void {
    if (this.#work) this.#work.journal.savePage(page, bytes);
    else this.#pages.set(page, bytes.slice());
  }

  /**
   * The index is here: reads it, looks at the folder, and answers with the chunks of the files that are wanted and not there.
   *
   * @throws {RgtpError} NOT_SUPPORTED for an index that cannot be used; NOT_FOUND when nothing is chosen; EXISTS, BUSY, NO_SPACE, IO
   */
  async wantMore(): Promise<{ first: number; end: number }[]> {
    const { out, manifest, hash, force = false, onHash } = this.#options;
    const index = this.#intake.index();
    const entries = this.#chosen(index.entries);
    checkLinksPermitted(entries);
    const checkOpen = () => this.#checkOpen();
    const standings = await lookAtOutput({ out, entries, hash, force, checkOpen, ...(onHash && { onHash }) });
    const standing = new Map<CollectionEntry, Standing>(entries.map((entry, i) => [entry, standings[i]]));
    const lacking = sum(entries.filter((entry) => standing.get(entry) !== "right"));
    // The folder itself may be where a disk begins.
    checkFree(existing(out) ? workPath(out) : out, lacking - (this.#work?.bytesLeft() ?? 0));
    const isMade = !existing(out) && makeFolder(out);
    const work = this.#work ??= this.#openWork();
    for (const [page, bytes] of this.#pages) work.journal.savePage(page, bytes);
    if (!this.#savedIndex) work.saveIndex(this.#intake.bytes);
    const map = new FileMap(index, manifest.indexSize);
    const placing = new Placing(out, this.#quick);
    const ofFiles = map.files.map(({ entry }) => standing.get(entry));
    const crew = this.#crew;
    const growing = new GrowingFiles({
      ...{ out, map, standing: ofFiles, work, placing, hash, force },
      ...(crew && { crew }),
    });
    this.#contents = { entries, standing, growing, placing, isMade };
    if (!work.journal.belongs) growing.distrustJournal();
    for (const entry of entries) {
      const isEmpty = entry.kind === EntryKind.FILE && entry.size === 0 && standing.get(entry) !== "right";
      if (isEmpty) await growing.makeEmpty(entry);
    }
    this.#checkOpen();
    return growing.runs();
  }

  /**
   * All chunks were written or kept: puts the last files into their places, then makes folders and links, and makes it all last.
   *
   * @throws {RgtpError} EXISTS, NO_SPACE, IO
   */
  async finish(): Promise<FolderResult> {
    await this.#storing;
    const { entries, standing, growing, placing } = this.#contents!;
    const { out, hash, force = false } = this.#options;
    await growing.settle();
    await placing.flush();
    growing.close();
    let made = placing.placed;
    for (const entry of entries) {
      if (entry.kind === EntryKind.FOLDER) placing.makeFolder(entry.path);
    }
    for (const entry of entries) {
      if (entry.kind !== EntryKind.LINK || standing.get(entry) === "right") continue;
      makeLink(out, entry, force, placing);
      made++;
    }
    made += placing.touched.size;
    // What was made in a folder has changed its time, also in a pull that was cut off before.
    if (made > 0 || this.#goesOn) setFolderTimes(out, entries);
    await placing.syncFolders();
    this.#hasStored = true;
    this.#work!.remove();
    const files = entries.filter(isFile);
    return {
      files: files.length,
      bytes: sum(files),
      reusedBytes: sum(files.filter((entry) => standing.get(entry) === "right")),
      alreadyComplete: made === 0,
      sha256: hash.digest(this.#intake.bytes),
    };
  }

  /** Lets go of all files. What is not whole stays for a later pull, unless there is nothing. Twice is fine. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#contents?.growing.close();
    this.#contents?.placing.close();
    const isMade = this.#contents?.isMade ?? false;
    // While the lock is held: afterwards they may be another pull's.
    if (this.#work && !this.#hasStored && this.#work.left.size <= OWN_FILES) this.#work.remove();
    this.#work?.close();
    this.#quick?.close();
    // Only if there is nothing in it.
    if (isMade && !this.#hasStored) removeQuietly(this.#options.out);
  }

  #openWork(): WorkFolder {
    const { out, manifest, id, hash } = this.#options;
    return new WorkFolder(out, manifest, id, hash, this.#quick);
  }

  #chosen(entries: readonly CollectionEntry[]): CollectionEntry[] {
    const { files } = this.#options;
    if (!files) return [...entries];
    const chooses = pathChooser(files);
    const chosen = entries.filter(({ path }) => chooses(path));
    if (chosen.length > 0) return chosen;
    throw new RgtpError(
      "NOT_FOUND",
      `nothing in the collection is called like '${files.join("' or '")}': --list shows what there is`,
    );
  }

  #store(chunk: number, bytes: Uint8Array, isCandidate: boolean): void | Promise<void> {
    const store = () => {
      this.#checkOpen();
      this.#hasStored = true;
      return this.#contents!.growing.write(chunk, bytes, isCandidate);
    };
    const waiting = this.#storing ? this.#storing.then(store) : store();
    if (!waiting) return;
    this.#storing = waiting;
    return waiting.then(() => {
      if (this.#storing === waiting) this.#storing = undefined;
    });
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RgtpError("CANCELLED", "the pull was closed; what is on disk is kept");
  }
}

/** What is known from when the index has been read. */
interface Contents {
  readonly entries: readonly CollectionEntry[];
  readonly standing: ReadonlyMap<CollectionEntry, Standing>;
  readonly growing: GrowingFiles;
  readonly placing: Placing;
  readonly isMade: boolean;
}

function setFolderTimes(out: string, entries: readonly CollectionEntry[]): void {
  for (const { kind, path, mtimeMs } of entries) {
    if (kind !== EntryKind.FOLDER) continue;
    setTime(mtimeMs, (time) => Deno.utimeSync(`${out}/${path}`, time, time));
  }
}

function isFile(entry: CollectionEntry): entry is FileEntry {
  return entry.kind === EntryKind.FILE;
}

function sum(entries: readonly CollectionEntry[]): number {
  return entries.reduce((bytes, entry) => bytes + (isFile(entry) ? entry.size : 0), 0);
}
