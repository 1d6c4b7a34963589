import type { Address } from "../codec/address.ts";
import type { Grant } from "../codec/grant.ts";
import type { Group } from "../codec/group.ts";
import { chunkBytes, chunkCount, ManifestAead, parameters } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { PAGE_BIT } from "../codec/packet.ts";
import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Clock } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { AEAD_TAG_BYTES, HASH_BYTES } from "../crypto/engine.ts";
import { PAGE_LEAVES, verifyLeafPage } from "../crypto/leaf_pages.ts";
import { merkleRoot } from "../crypto/merkle.ts";
import { ChunkCipher } from "./crew/chunk_cipher.ts";
import type { ChunkKey } from "./crew/chunk_cipher.ts";
import { hireCrew } from "./crew/crew.ts";
import type { Crew } from "./crew/crew.ts";
import { Drive, processClock } from "./drive.ts";
import type { Link } from "./link/link.ts";
import type { ChunkRun } from "./protocol/chunk_plan.ts";
import { PullerMachine } from "./protocol/puller.ts";
import type { PullerOptions, PullerOutput } from "./protocol/puller_types.ts";

/** Where the chunks of a pull go, and where candidates come from. */
export interface ChunkSink {
  /** Which chunks to pull; absent: all. */
  readonly wanted?: readonly ChunkRun[];
  /** All of `wanted` are written: what else to pull, now that it can be known. Absent: nothing else. */
  wantMore?(): Promise<readonly ChunkRun[]>;
  /** Flags, one a chunk of the page: worth checking before it is pulled. */
  candidates?(page: number): Uint8Array | undefined;
  /** A leaf page that was kept from an earlier run, if it is there. It is verified again. */
  page?(page: number): Uint8Array | undefined;
  /** Keeps a verified leaf page for a later run. */
  savePage?(page: number, bytes: Uint8Array): void;
  /** Reads a candidate; false when it is not there. */
  read?(chunk: number, into: Uint8Array): boolean;
  /** The candidate that was read is right: it counts as written. The bytes are not the sink's. What it returns is as with `write`. */
  keep?(chunk: number, plaintext: Uint8Array): void | Promise<void>;
  /** The candidate that was read is wrong. Whether there is another one for this chunk to read. */
  reject?(chunk: number): boolean;
  /** No candidate for this chunk was right. Whether it is to be left as it is: then it is not pulled. */
  leave?(chunk: number): boolean;
  /** Before the first chunk: it is to do without threads of its own. Absent: it has none. */
  spareThreads?(): void;
  /** Before the first chunk: these threads may hash for it while the pull runs. */
  useCrew?(crew: Crew): void;
  /** How many of the chunks whose `write` has not ended wait for chunks before them, and for nothing else. Absent: none. */
  heldBack?(): number;
  /**
   * Takes a verified chunk. What it returns holds the pull back until it is done; then the bytes are no longer the sink's, unless
   * (`isLent`) they may be so for longer: for as long as it {@linkcode ChunkSink.reads} them.
   */
  write(chunk: number, bytes: Uint8Array, isLent?: boolean): void | Promise<void>;
  /** Whether it still reads the bytes of a chunk that were lent to it. Absent: never. */
  reads?(chunk: number): boolean;
  /** Where all of the exposure's bytes may appear by themselves, from {@linkcode openWindow}. Absent: they come with `write` alone. */
  readonly window?: Uint8Array<ArrayBuffer>;
}

/** Another road than the network, on which the plaintext may be had: not verified yet. */
export interface SharedBytes {
  /** Whether more may come of it. */
  readonly isOpen: boolean;
  /** Memory in which all chunks appear, if other threads can reach it. */
  readonly memory?: SharedArrayBuffer;
  /**
   * To be called before {@linkcode SharedBytes.take}, and once for each {@linkcode SharedBytes.giveBack}. What it returns ends when that one
   * knows; absent: it does. May reject: the pull ends.
   */
  ready(chunk: number): Promise<void> | undefined;
  /** A chunk where it lies, which does not change until it is given back; `undefined` when it cannot be had on this road. */
  take(chunk: number): Uint8Array | undefined;
  /** A chunk is needed no longer, whether it was taken or not. */
  giveBack(chunk: number): void;
  /** It is needed no longer. Twice is fine. */
  close(): void;
}

/** What a puller's owner is told. */
export interface PullerEvents {
  /** The exposer has granted the pull. Answers with the sink; may throw. */
  granted(grant: Grant, manifest: Manifest, exposerKey: Uint8Array): ChunkSink | Promise<ChunkSink>;
  /** Whether there is another road than the network for what the sink wants. Absent: there is none. */
  share?(grant: Grant, manifest: Manifest, sink: ChunkSink): SharedBytes | undefined;
  /** Listens to the multicast group of the grant. Absent: groups are not joined. @throws {RgtpError} when it cannot */
  join?(group: Group): Promise<Link>;
  /** It listens to that; or the pull goes on by itself, and why. */
  cast?(group: Address, reason: string | undefined): void;
  /** Nothing comes, and why; or (`undefined`) it goes on. */
  stalled(reason: string | undefined): void;
  /** One more source serves it. */
  joined?(source: Address): void;
  /** A source is asked for nothing more; others go on. */
  dropped?(source: string, error: RgtpError): void;
}

/** A puller's machine on a link: verifies, opens and stores what it brings. */
export class PullerShell {
  /** The machine, to look at. */
  readonly machine: PullerMachine;
  readonly #link: Link;
  readonly #drive: Drive<PullerOutput>;
  readonly #engine: Engine;
  readonly #events: PullerEvents;
  readonly #joinsGroups: boolean;
  readonly #result = Promise.withResolvers<void>();
  readonly #sends = new Set<Promise<void>>();
  #opener: ChunkOpener | undefined;
  /** Opens chunks beside this thread, where that pays. */
  #crew: Crew | undefined;
  #sink: ChunkSink | undefined;
  #shared: SharedBytes | undefined;
  /** What the sink may have of the pages that are being worked on. */
  readonly #candidates = new Map<number, Uint8Array | undefined>();
  /** Those that this thread opens itself. */
  readonly #unopened: { readonly chunk: number; readonly sealed: Uint8Array }[] = [];
  /** Memory that the crew reaches, for candidates; free. */
  readonly #scratches: Uint8Array[] = [];
  #groupLink: Link | undefined;
  #isOver = false;

  /** Takes over the link and begins the handshake at {@linkcode PullerShell.run}. */
  constructor(link: Link, options: PullerOptions, events: PullerEvents, clock: Clock = processClock) {
    this.#link = link;
    this.#engine = options.engine;
    this.#events = events;
    this.#joinsGroups = options.joinsGroups === true;
    this.machine = new PullerMachine(clock(), options);
    this.#drive = new Drive(
      link,
      this.machine,
      (output) => this.#handlers[output.kind](output as never),
      clock,
    );
  }

  /** Pulls until everything wanted is in the sink. @throws {RgtpError} what went wrong */
  async run(): Promise<void> {
    this.#drive.run().then(
      () => this.stop(new RgtpError("CANCELLED", "the pull was closed")),
      (error) => this.stop(error),
    );
    try {
      await this.#result.promise;
    } finally {
      this.#isOver = true;
      this.#drive.close();
      await this.#crew?.end();
      // The last packets say that all is here: they leave before the socket goes.
      await Promise.allSettled(this.#sends);
      this.#link.close();
      this.#shared?.close();
      this.#groupLink?.close();
    }
  }

  /** Ends the pull with an error. After its end this does nothing. */
  stop(error: unknown): void {
    this.#result.reject(error);
  }

  readonly #handlers: { [K in PullerOutput["kind"]]: (output: Extract<PullerOutput, { kind: K }>) => void } =
    {
      send: ({ to, bytes }) => {
        const sent = this.#link.send({ peer: to, bytes, segmentSize: bytes.length })
          .catch((error) => this.stop(error)).finally(() => this.#sends.delete(sent));
        this.#sends.add(sent);
      },
      granted: ({ grant, manifest, exposerKey }) => {
        this.#begin(grant, manifest, exposerKey).catch((error) => this.stop(error));
      },
      open: ({ piece, sealed }) => this.#later((now) => this.#open(now, piece, sealed)),
      check: ({ chunk }) => {
        const check = () => this.#later((now) => this.#check(now, chunk));
        const ready = this.#shared?.ready(chunk);
        if (ready) ready.then(check, (error) => this.stop(error));
        else check();
      },
      wanting: () => void this.#want().catch((error) => this.stop(error)),
      pageDone: ({ page }) => {
        this.#opener?.forget(page);
        this.#candidates.delete(page);
      },
      join: ({ group }) => void this.#join(group),
      leave: ({ group, reason }) => {
        this.#groupLink?.close();
        this.#events.cast?.(group.address, reason);
      },
      stalled: ({ reason }) => this.#events.stalled(reason),
      resumed: () => this.#events.stalled(undefined),
      joined: ({ source }) => this.#events.joined?.(source),
      dropped: ({ source, error }) => this.#events.dropped?.(source, error),
      done: () => this.#result.resolve(),
      failed: ({ error }) => this.stop(error),
    };

  /** A group that cannot be listened to, or no longer, ends nothing. */
  async #join(group: Group): Promise<void> {
    try {
      const link = await this.#events.join!(group);
      this.#groupLink = link;
      if (this.#isOver) return link.close();
      this.#events.cast?.(group.address, undefined);
      this.#drive.mutate((now) => this.machine.joined(now, true));
      await this.#drive.listen(link);
    } catch (error) {
      if (this.#isOver) return;
      this.#events.cast?.(group.address, error instanceof Error ? error.message : String(error));
      this.#drive.mutate((now) => this.machine.joined(now, false));
    }
  }

  async #begin(grant: Grant, manifest: Manifest, exposerKey: Uint8Array): Promise<void> {
    const sink = await this.#events.granted(grant, manifest, exposerKey);
    if (this.#isOver) return;
    const opener = new ChunkOpener(this.#engine, grant, manifest);
    const shared = this.#events.share?.(grant, manifest, sink);
    this.#sink = sink;
    this.#opener = opener;
    this.#shared = shared;
    const candidates = (page: number) => {
      const flags = sink.candidates?.(page);
      this.#candidates.set(page, flags);
      // What is on the other road is checked as what is on the disk is.
      return shared?.isOpen ? ALL_OF_A_PAGE : flags;
    };
    // What a group sends, as fast as most receivers can take it, one thread opens and hashes: others would not pay for their start.
    const threads = this.#joinsGroups && grant.group ? 0 : limits.openThreadsMax;
    if (threads === 0) sink.spareThreads?.();
    const crew = this.#crew = hireCrew(opener.key, bytesWanted(sink, manifest), threads);
    if (crew) sink.useCrew?.(crew);
    if (shared?.memory) crew?.share(shared.memory);
    this.#drive.mutate((now) =>
      this.machine.begin(now, {
        ...(crew && {
          memory: {
            allocate: (bytes) => crew.memory(bytes),
            isLent: (chunk) => sink.reads?.(chunk) === true,
          },
        }),
        ...(sink.wanted && { wanted: sink.wanted }),
        isMoreToCome: sink.wantMore !== undefined,
        heldBack: () => sink.heldBack?.() ?? 0,
        candidates,
        hasLeaves: (page) => opener.hasLeaves(page) || opener.acceptPage(page, sink.page?.(page)),
      })
    );
  }

  async #want(): Promise<void> {
    const runs = await this.#sink!.wantMore!();
    this.#drive.mutate((now) => this.machine.want(now, runs));
  }

  /** Work that the machine asked for is done when its drain has ended; a failure of it ends the pull. */
  #later(work: (now: number) => void): void {
    this.#drive.mutate((now) => {
      try {
        work(now);
      } catch (error) {
        this.stop(error);
      }
    });
  }

  #open(now: number, piece: number, sealed: Uint8Array): void {
    const sink = this.#sink!;
    const opener = this.#opener!;
    if (piece >= PAGE_BIT) {
      const page = piece - PAGE_BIT;
      const ok = opener.acceptPage(page, sealed);
      if (ok) sink.savePage?.(page, sealed);
      return this.machine.handleOpened(now, piece, ok);
    }
    this.#crew?.collect();
    const isGiven = this.#crew?.open(piece, sealed, opener.leaf(piece), (outcome) => {
      const plaintext = outcome ? plaintextOf(sealed, outcome.ok) : opener.open(piece, sealed);
      this.#later((later) => this.#store(later, piece, plaintext));
    });
    if (!isGiven) this.#openSoon(piece, sealed);
  }

  /** With what else has come by then: several chunks are opened in less time than one after the other. */
  #openSoon(chunk: number, sealed: Uint8Array): void {
    if (this.#unopened.push({ chunk, sealed }) > 1) return;
    queueMicrotask(() => {
      const chunks = this.#unopened.splice(0);
      this.#later((now) => {
        for (const { chunk, plaintext } of this.#opener!.openAll(chunks)) this.#store(now, chunk, plaintext);
      });
    });
  }

  /** A chunk was opened, or is not the exposure's (`undefined`). */
  #store(now: number, chunk: number, plaintext: Uint8Array | undefined): void {
    const stored = plaintext && this.#sink!.write(chunk, plaintext, true);
    this.#reportWhen(now, stored, (at) => this.machine.handleOpened(at, chunk, plaintext !== undefined));
  }

  #check(now: number, chunk: number): void {
    const isCandidate = this.#candidates.get(Math.floor(chunk / PAGE_LEAVES))?.[chunk % PAGE_LEAVES] === 1;
    if (isCandidate) this.#checkCandidate(now, chunk, this.#scratchFor(chunk));
    else this.#handleNotOnDisk(now, chunk);
  }

  /** One candidate after the other, in this memory, until one is right or there is none. */
  #checkCandidate(now: number, chunk: number, plaintext: Uint8Array): void {
    const sink = this.#sink!;
    const opener = this.#opener!;
    if (!sink.read?.(chunk, plaintext)) {
      this.#giveBackScratch(plaintext);
      return this.#handleNotOnDisk(now, chunk);
    }
    const settle = (at: number, isRight: boolean): void => {
      if (isRight) return this.#keep(at, chunk, plaintext);
      if (sink.reject?.(chunk)) return this.#checkCandidate(at, chunk, plaintext);
      this.#giveBackScratch(plaintext);
      this.#handleNotOnDisk(at, chunk);
    };
    const isGiven = this.#crew?.check(chunk, plaintext, opener.leaf(chunk), (outcome) => {
      const isRight = outcome?.ok ?? opener.isChunk(chunk, plaintext);
      this.#later((later) => settle(later, isRight));
    });
    if (!isGiven) settle(now, opener.isChunk(chunk, plaintext));
  }

  /** A candidate was right. */
  #keep(now: number, chunk: number, plaintext: Uint8Array): void {
    const kept = this.#sink!.keep?.(chunk, plaintext);
    this.#shared?.giveBack(chunk);
    this.#reportWhen(now, kept, (at) => {
      this.#giveBackScratch(plaintext);
      this.machine.handleChecked(at, chunk, "on disk");
    });
  }

  #handleNotOnDisk(now: number, chunk: number): void {
    const isLeft = this.#sink!.leave?.(chunk) === true;
    if (!isLeft && this.#shared) return this.#takeShared(now, chunk, this.#shared);
    this.#shared?.giveBack(chunk);
    this.machine.handleChecked(now, chunk, isLeft ? "on disk" : "nowhere");
  }

  /** Memory for a candidate: the crew's, if it has hands free, so that this thread can read the next one meanwhile. */
  #scratchFor(chunk: number): Uint8Array {
    this.#crew?.collect();
    if (!this.#crew || this.#crew.busy >= JOBS_AHEAD) return this.#opener!.scratch(chunk);
    const memory = this.#scratches.pop() ?? this.#crew.memory(this.#opener!.scratchBytes);
    return memory.subarray(0, this.#opener!.scratch(chunk).length);
  }

  #giveBackScratch(plaintext: Uint8Array): void {
    const { buffer, byteOffset } = plaintext;
    if (buffer instanceof SharedArrayBuffer) {
      this.#scratches.push(new Uint8Array(buffer, byteOffset, this.#opener!.scratchBytes));
    }
  }

  #takeShared(now: number, chunk: number, shared: SharedBytes): void {
    const opener = this.#opener!;
    const bytes = shared.take(chunk);
    if (!bytes) {
      shared.giveBack(chunk);
      return this.machine.handleChecked(now, chunk, "nowhere");
    }
    this.#crew?.collect();
    const isGiven = this.#crew && this.#crew.busy < JOBS_AHEAD &&
      this.#crew.check(chunk, bytes, opener.leaf(chunk), (outcome) => {
        const isRight = outcome?.ok ?? opener.isChunk(chunk, bytes);
        this.#later((later) => this.#storeShared(later, chunk, bytes, isRight));
      });
    if (!isGiven) this.#storeShared(now, chunk, bytes, opener.isChunk(chunk, bytes));
  }

  #storeShared(now: number, chunk: number, bytes: Uint8Array, isRight: boolean): void {
    const stored = isRight ? this.#sink!.write(chunk, bytes) : undefined;
    this.#reportWhen(now, stored, (at) => {
      this.#shared!.giveBack(chunk);
      this.machine.handleChecked(at, chunk, isRight ? "shared" : "nowhere");
    });
  }

  /** Tells the machine as soon as the sink is done. */
  #reportWhen(now: number, stored: void | Promise<void>, report: (at: number) => void): void {
    if (stored) stored.then(() => this.#drive.mutate(report), (error) => this.stop(error));
    else report(now);
  }
}

/** So many chunks wait for the crew before this thread checks one itself, as far as the crew has room for them. */
const JOBS_AHEAD = 32;
const ALL_OF_A_PAGE = new Uint8Array(PAGE_LEAVES).fill(1);
const NONE = new Uint8Array(0);

/** At most: what will be wanted later is not known yet. */
function bytesWanted({ wanted, wantMore }: ChunkSink, { totalSize, chunkSize }: Manifest): number {
  if (!wanted || wantMore) return totalSize;
  return Math.min(totalSize, wanted.reduce((sum, { first, end }) => sum + (end - first) * chunkSize, 0));
}

/** What stands where a sealed chunk was opened (`ok`). */
function plaintextOf(sealed: Uint8Array, ok: boolean): Uint8Array | undefined {
  return ok ? sealed.subarray(0, sealed.length - AEAD_TAG_BYTES) : undefined;
}

/** Verifies and opens sealed chunks, and seals local ones to compare: everything that needs key and leaves. */
export class ChunkOpener {
  /** With what the chunks are sealed. */
  readonly key: ChunkKey;
  readonly #engine: Engine;
  readonly #cipher: ChunkCipher;
  readonly #manifest: Manifest;
  readonly #chunks: number;
  readonly #leaves = new Map<number, Uint8Array>();
  readonly #scratch: Uint8Array;

  constructor(engine: Engine, grant: Grant, manifest: Manifest) {
    this.#engine = engine;
    this.#manifest = manifest;
    this.key = {
      aead: manifest.aead === ManifestAead.AES_256_GCM ? "aes-256-gcm" : "chacha20-poly1305",
      key: grant.exposureKey,
      aad: parameters(grant.manifest),
    };
    this.#cipher = new ChunkCipher(engine, this.key);
    this.#chunks = chunkCount(manifest);
    this.#scratch = new Uint8Array(Math.min(manifest.chunkSize, manifest.totalSize));
    this.#acceptAll(grant.leaves);
  }

  hasLeaves(page: number): boolean {
    return this.#leaves.has(page);
  }

  /** Whether `bytes` are a leaf page of this exposure; then its leaves are here. */
  acceptPage(page: number, bytes: Uint8Array | undefined): boolean {
    if (!bytes) return false;
    const leaves = verifyLeafPage(this.#engine.sha256, this.#manifest.root, this.#chunks, page, bytes);
    if (leaves) this.#leaves.set(page, leaves.slice());
    return leaves !== undefined;
  }

  forget(page: number): void {
    this.#leaves.delete(page);
  }

  /** Bytes that the plaintext of any chunk takes at most. */
  get scratchBytes(): number {
    return this.#scratch.length;
  }

  /** A buffer of a chunk's plaintext size, the same one every time. */
  scratch(chunk: number): Uint8Array {
    return this.#scratch.subarray(0, chunkBytes(this.#manifest, chunk));
  }

  /** The plaintext of a sealed chunk, in the same memory; `undefined` when it is not this exposure's. */
  open(chunk: number, sealed: Uint8Array): Uint8Array | undefined {
    return plaintextOf(sealed, this.#cipher.open(chunk, sealed, this.leaf(chunk)));
  }

  /** The same for several, in their order. */
  *openAll(
    chunks: readonly { readonly chunk: number; readonly sealed: Uint8Array }[],
  ): Iterable<{ readonly chunk: number; readonly plaintext: Uint8Array | undefined }> {
    const all = chunks.map(({ chunk, sealed }) => ({ chunk, bytes: sealed, leaf: this.leaf(chunk) }));
    let index = 0;
    for (const ok of this.#cipher.openAll(all)) {
      const { chunk, sealed } = chunks[index++];
      yield { chunk, plaintext: plaintextOf(sealed, ok) };
    }
  }

  /** Whether a plaintext is the chunk of this exposure: sealed again, it has the same leaf. */
  isChunk(chunk: number, plaintext: Uint8Array): boolean {
    return this.#cipher.isChunk(chunk, plaintext, this.leaf(chunk));
  }

  /** The leaf hash that a chunk must have. Nothing has one whose page is not here. */
  leaf(chunk: number): Uint8Array {
    const leaves = this.#leaves.get(Math.floor(chunk / PAGE_LEAVES));
    const at = (chunk % PAGE_LEAVES) * HASH_BYTES;
    return leaves?.subarray(at, at + HASH_BYTES) ?? NONE;
  }

  /** Few leaves ride in the grant: all of them, so that the root can be computed. */
  #acceptAll(leaves: Uint8Array): void {
    if (leaves.length === 0 || leaves.length !== this.#chunks * HASH_BYTES) return;
    if (equalBytes(merkleRoot(this.#engine.sha256, leaves), this.#manifest.root)) this.#leaves.set(0, leaves);
  }
}
