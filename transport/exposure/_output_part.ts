import { chunkCount } from "../../codec/manifest.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { HASH_BYTES } from "../../crypto/engine.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { digestBehind } from "../crew/file_digest.ts";
import type { GrowingDigest } from "../crew/file_digest.ts";
import { Bits } from "./_bits.ts";
import { DigestAlong } from "./_digest_along.ts";
import { existing, removeLeftJournal } from "./_disk.ts";
import { PartDisk, plaintextBytes } from "./_part_disk.ts";
import { Turns } from "./_turns.ts";
import type { CandidateKind, FinishState, OpenPartOptions, PartFile } from "./part_file.ts";
import { chunkOffset } from "./pieces.ts";
import type { ByteSource } from "./source.ts";

/** A part file with, perhaps, an older output beside it. */
export class OutputPart implements PartFile {
  readonly #options: OpenPartOptions;
  /** The output as it was when the pull began. */
  readonly #out: ByteSource | undefined;
  /** Absent for as long as the output may be complete. */
  #disk: PartDisk | undefined;
  /** Chunks that were verified since the pull began. */
  readonly #held: Bits;
  /** Those among them that stand in the output alone, and the hashes that they had. */
  readonly #inOutOnly: Bits;
  #hashes: Uint8Array = new Uint8Array(0);
  /** Hashes the part while it grows, from its first chunk on, if that is asked for; and how many chunks it may read. */
  #digest: GrowingDigest | "none" | undefined;
  #grown = 0;
  #sparesThreads = false;
  #isWorthKeeping = false;
  #state: "open" | FinishState | "closed" = "open";

  constructor(options: OpenPartOptions, out: ByteSource | undefined, disk: PartDisk | undefined) {
    this.#options = options;
    this.#out = out;
    this.#disk = disk;
    const chunks = chunkCount(options.manifest);
    this.#held = new Bits(chunks);
    this.#inOutOnly = new Bits(chunks);
  }

  get path(): string {
    return this.#options.path;
  }

  get candidateKinds(): readonly CandidateKind[] {
    const kinds: CandidateKind[] = this.#disk?.found ? [this.#disk.found] : [];
    if (this.#out) kinds.push(this.#out.size === this.#options.manifest.totalSize ? "same-size" : "older");
    return kinds;
  }

  get chunksHeld(): number {
    return this.#held.count;
  }

  candidates(page: number): Uint8Array | undefined {
    const first = page * PAGE_LEAVES;
    const flags = new Uint8Array(PAGE_LEAVES);
    let some = false;
    for (let i = 0; i < PAGE_LEAVES && plaintextBytes(this.#options.manifest, first + i) !== undefined; i++) {
      const chunk = first + i;
      if (this.#held.has(chunk) || !(this.#isInPart(chunk) || this.#isInOut(chunk))) continue;
      flags[i] = 1;
      some = true;
    }
    return some ? flags : undefined;
  }

  read(chunk: number, into: Uint8Array): boolean {
    if (into.length !== plaintextBytes(this.#options.manifest, chunk)) return false;
    try {
      if (this.#disk && this.#isInPart(chunk)) return this.#disk.read(chunk, into);
      if (!this.#out || !this.#isInOut(chunk)) return false;
      this.#out.read(chunkOffset(this.#options.manifest, chunk), into);
      return true;
    } catch {
      // A candidate that cannot be read is fetched like any other chunk.
      return false;
    }
  }

  keep(chunk: number, plaintext: Uint8Array): void {
    this.#checkChunk(chunk, plaintext);
    if (this.#isInPart(chunk)) {
      this.#isWorthKeeping = true;
      this.#held.add(chunk);
      this.#grow(chunk, plaintext);
    } else if (this.#out && !this.#disk) {
      // Copied only when the output turns out not to be complete; by then its bytes may have changed.
      if (this.#hashes.length === 0) {
        this.#hashes = new Uint8Array(chunkCount(this.#options.manifest) * HASH_BYTES);
      }
      this.#hashes.set(this.#options.hash.digest(plaintext), chunk * HASH_BYTES);
      this.#inOutOnly.add(chunk);
      this.#held.add(chunk);
    } else {
      this.write(chunk, plaintext);
    }
  }

  reject(chunk: number): boolean {
    if (!this.#isInPart(chunk)) return false;
    this.#disk?.journal.set(chunk, false);
    return this.#isInOut(chunk);
  }

  write(chunk: number, plaintext: Uint8Array, isLent = false): void {
    this.#checkChunk(chunk, plaintext);
    this.#openDisk().write(chunk, plaintext);
    this.#isWorthKeeping = true;
    this.#inOutOnly.delete(chunk);
    this.#held.add(chunk);
    if (isLent) this.#growing?.lend?.(chunk, plaintext);
    this.#grow(chunk, plaintext);
  }

  reads(chunk: number): boolean {
    return this.#growing?.reads?.(chunk) === true;
  }

  spareThreads(): void {
    this.#sparesThreads = true;
  }

  page(page: number): Uint8Array | undefined {
    return this.#disk?.journal.page(page);
  }

  savePage(page: number, bytes: Uint8Array): void {
    this.#disk?.journal.savePage(page, bytes);
  }

  async finish(): Promise<FinishState> {
    this.#checkOpen();
    const missing = chunkCount(this.#options.manifest) - this.#held.count;
    if (missing > 0) throw new TypeError(`${missing} chunks of '${this.path}' are missing`);
    if (this.#out && !this.#disk) {
      if (!this.#out.unchanged()) throw outChanged(this.path);
      removeLeftJournal(`${this.path}.part.rgtp`, this.path);
      return this.#state = "already-complete";
    }
    const disk = this.#openDisk();
    await this.#copyFromOut(disk);
    await disk.sync();
    this.#checkOpen();
    if (!this.#options.force && existing(this.path)) throw exists(this.path);
    disk.publish();
    this.#state = "complete";
    await disk.settle();
    return "complete";
  }

  async sha256(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const { totalSize } = this.#options.manifest;
    const grown = this.#state === "complete" ? await this.#growing?.finish(onProgress) : undefined;
    const digest = grown ?? await this.#digestAnew(onProgress);
    onProgress?.(totalSize);
    return digest;
  }

  close(): void {
    if (this.#state === "closed") return;
    const isWorthKeeping = this.#state !== "open" || this.#disk?.found !== undefined || this.#isWorthKeeping;
    this.#state = "closed";
    this.#growing?.close();
    this.#out?.close();
    this.#disk?.close(isWorthKeeping);
  }

  #openDisk(): PartDisk {
    this.#checkOpen();
    if (this.#disk) return this.#disk;
    const { path, manifest, id, force, freeBytes } = this.#options;
    if (this.#out && !force) throw exists(path);
    return this.#disk = new PartDisk(path, manifest, id, freeBytes);
  }

  get #growing(): GrowingDigest | undefined {
    return this.#digest === "none" ? undefined : this.#digest;
  }

  #newDigest(): GrowingDigest | undefined {
    const { manifest: { totalSize, chunkSize }, hash, isHashed } = this.#options;
    if (isHashed === false) return undefined;
    const behind = this.#sparesThreads ? undefined : digestBehind(`${this.path}.part`, totalSize, chunkSize);
    return behind ?? new DigestAlong(hash, totalSize, (at, into) => this.#readPart(at, into));
  }

  /** A chunk more stands in the part: this one, if its bytes are at hand. */
  #grow(chunk?: number, plaintext?: Uint8Array): void {
    const before = this.#grown;
    while (this.#held.has(this.#grown) && !this.#inOutOnly.has(this.#grown)) this.#grown++;
    if (this.#grown === before) return;
    const { chunkSize, totalSize } = this.#options.manifest;
    this.#digest ??= this.#newDigest() ?? "none";
    const last = chunk === this.#grown - 1 ? plaintext : undefined;
    this.#growing?.handleWritten(Math.min(totalSize, this.#grown * chunkSize), last);
  }

  async #copyFromOut(disk: PartDisk): Promise<void> {
    const { manifest, hash } = this.#options;
    const turns = new Turns();
    for (let chunk = 0; chunk < chunkCount(manifest) && this.#inOutOnly.count > 0; chunk++) {
      if (turns.isOver()) {
        await turns.yield();
        this.#checkOpen();
      }
      if (!this.#inOutOnly.has(chunk)) continue;
      const bytes = new Uint8Array(plaintextBytes(manifest, chunk) ?? 0);
      this.#out?.read(chunkOffset(manifest, chunk), bytes);
      const expected = this.#hashes.subarray(chunk * HASH_BYTES, (chunk + 1) * HASH_BYTES);
      if (!equalBytes(hash.digest(bytes), expected)) throw outChanged(this.path);
      disk.write(chunk, bytes);
      this.#inOutOnly.delete(chunk);
    }
    this.#grow();
  }

  async #digestAnew(onProgress?: (bytes: number) => void): Promise<Uint8Array<ArrayBuffer>> {
    const { manifest: { totalSize }, hash } = this.#options;
    const read = (at: number, into: Uint8Array) => this.#readFinished(at, into);
    const digest = await new DigestAlong(hash, totalSize, read).finish(onProgress);
    this.#readFinished(totalSize, new Uint8Array(0));
    return digest;
  }

  #readFinished(offset: number, into: Uint8Array): void {
    if (this.#state === "complete" && this.#disk) this.#readPart(offset, into);
    else if (this.#state === "already-complete" && this.#out) this.#out.read(offset, into);
    else {
      throw new TypeError(`'${this.path}' is ${this.#state}, not finished`);
    }
  }

  #readPart(offset: number, into: Uint8Array): void {
    if (!this.#disk!.readAt(offset, into)) throw outChanged(this.path);
  }

  #isInPart(chunk: number): boolean {
    return this.#disk?.journal.has(chunk) ?? false;
  }

  #isInOut(chunk: number): boolean {
    const { manifest } = this.#options;
    const end = chunkOffset(manifest, chunk) + (plaintextBytes(manifest, chunk) ?? Infinity);
    return this.#out !== undefined && end <= this.#out.size;
  }

  #checkChunk(chunk: number, plaintext: Uint8Array): void {
    if (plaintext.length === plaintextBytes(this.#options.manifest, chunk)) return;
    throw new RangeError(`'${this.path}' has no chunk ${chunk} of ${plaintext.length} bytes`);
  }

  #checkOpen(): void {
    if (this.#state !== "open") throw new TypeError(`'${this.path}' is ${this.#state}`);
  }
}

/** The output is in the way. */
export function exists(path: string): RgtpError {
  return new RgtpError(
    "EXISTS",
    `'${path}' exists and holds something else; name another output, or replace it with --force`,
    { data: { path } },
  );
}

function outChanged(path: string): RgtpError {
  return new RgtpError(
    "SOURCE_CHANGED",
    `'${path}' changed while it was compared; pull again when nothing writes to it any more`,
    { data: { path } },
  );
}
