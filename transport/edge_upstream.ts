import type { Grant } from "../codec/grant.ts";
import { chunkCount } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { PAGE_BIT } from "../codec/packet.ts";
import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import type { Engine } from "../crypto/engine.ts";
import { HASH_BYTES } from "../crypto/engine.ts";
import { PAGE_LEAVES, verifyLeafPage } from "../crypto/leaf_pages.ts";
import { leafHash, merkleRoot } from "../crypto/merkle.ts";
import { Drive } from "./drive.ts";
import type { SealedCache } from "./exposure/sealed_cache.ts";
import type { Link } from "./link/link.ts";
import { DemandPlan } from "./protocol/demand_plan.ts";
import { PullerMachine } from "./protocol/puller.ts";
import type { PullerOptions, PullerOutput } from "./protocol/puller_types.ts";

/** Bytes pulled ahead of what somebody asks for: two round trips of a fast and distant line. */
const AHEAD_BYTES = 16 * 1024 * 1024;

/** What an edge does with what its upstream gives. */
export interface EdgeSink {
  /** The upstream has granted it. Answers with the cache, the same one each time. */
  granted(grant: Grant, manifest: Manifest): SealedCache;
  /** All leaf pages are in the cache: it can be served. */
  ready(): void;
  /** A chunk is in the cache. */
  stored(): void;
}

/** Pulls for others what this process may not be able to read: sealed chunks, verified, when they are asked for. */
export class EdgeUpstream {
  /** The machine, to look at. */
  readonly machine: PullerMachine;
  readonly #link: Link;
  readonly #engine: Engine;
  readonly #sink: EdgeSink;
  readonly #drive: Drive<PullerOutput>;
  readonly #result = Promise.withResolvers<void>();
  readonly #hasLeaves: boolean;
  #manifest: Manifest | undefined;
  #cache: SealedCache | undefined;
  #plan: DemandPlan | undefined;
  #isReady = false;

  /** Takes over the link. `hasLeaves`: the cache has them from an earlier upstream. */
  constructor(link: Link, options: PullerOptions, sink: EdgeSink, hasLeaves: boolean) {
    this.#link = link;
    this.#engine = options.engine;
    this.#sink = sink;
    this.#hasLeaves = hasLeaves;
    this.machine = new PullerMachine(performance.now(), { ...options, isSealed: true });
    this.#drive = new Drive(link, this.machine, (output) => this.#perform(output));
  }

  /** Until it is stopped. @throws {RgtpError} what ended it */
  async run(): Promise<void> {
    this.#drive.run().then(() => this.stop(), (error) => this.stop(error));
    try {
      await this.#result.promise;
    } finally {
      this.#drive.close();
      this.#link.close();
    }
  }

  /** Ends it: with an error, or well. */
  stop(error?: unknown): void {
    if (error === undefined) this.#result.resolve();
    else this.#result.reject(error);
  }

  /** Somebody asks for a chunk. */
  ask(chunk: number): void {
    if (this.#plan?.ask(chunk)) this.#drive.mutate((now) => this.machine.lookAgain(now));
  }

  #perform(output: PullerOutput): void {
    if (output.kind === "send") {
      const { to: peer, bytes } = output;
      this.#link.send({ peer, bytes, segmentSize: bytes.length }).catch((error) => this.stop(error));
    }
    if (output.kind === "granted") this.#later((now) => this.#begin(now, output.grant, output.manifest));
    if (output.kind === "open") this.#later((now) => this.#take(now, output.piece, output.sealed));
    if (output.kind === "failed") this.stop(output.error);
  }

  /** A failure, of a full disk most likely, ends it. */
  #later(work: (now: number) => void): void {
    this.#drive.mutate((now) => {
      try {
        work(now);
      } catch (error) {
        this.stop(error);
      }
    });
  }

  #begin(now: number, grant: Grant, manifest: Manifest): void {
    const cache = this.#sink.granted(grant, manifest);
    const chunks = chunkCount(manifest);
    this.#manifest = manifest;
    this.#cache = cache;
    const isWhole = this.#isWhole(grant.leaves, chunks, manifest.root);
    if (isWhole) cache.putLeaves(0, grant.leaves);
    const hasLeaves = this.#hasLeaves || isWhole;
    const fit = Math.floor(AHEAD_BYTES / manifest.chunkSize);
    this.#plan = new DemandPlan({
      chunks,
      // What is pulled ahead must not push out what is asked for now.
      ahead: Math.max(1, Math.min(fit, Math.floor(cache.slots / 4))),
      hasLeaves: () => hasLeaves,
      has: (chunk) => cache.has(chunk),
    });
    this.machine.begin(now, { plan: this.#plan, hasLeaves: () => hasLeaves, candidates: () => undefined });
    this.#readyIfSo();
  }

  /** Few leaves ride in the grant: all of them, so that the root can be computed. */
  #isWhole(leaves: Uint8Array, chunks: number, root: Uint8Array): boolean {
    return leaves.length === chunks * HASH_BYTES && equalBytes(merkleRoot(this.#engine.sha256, leaves), root);
  }

  #take(now: number, piece: number, sealed: Uint8Array): void {
    const isRight = piece >= PAGE_BIT
      ? this.#takePage(piece - PAGE_BIT, sealed)
      : this.#takeChunk(piece, sealed);
    this.machine.handleOpened(now, piece, isRight);
    if (!isRight) return;
    if (piece < PAGE_BIT) this.#sink.stored();
    else this.#readyIfSo();
  }

  #takePage(page: number, bytes: Uint8Array): boolean {
    const { root } = this.#manifest!;
    const leaves = verifyLeafPage(this.#engine.sha256, root, chunkCount(this.#manifest!), page, bytes);
    if (leaves) this.#cache!.putLeaves(page * PAGE_LEAVES, leaves);
    return leaves !== undefined;
  }

  #takeChunk(chunk: number, sealed: Uint8Array): boolean {
    const isRight = equalBytes(leafHash(this.#engine.sha256, sealed), this.#cache!.leaf(chunk));
    if (isRight) this.#cache!.put(chunk, sealed);
    return isRight;
  }

  #readyIfSo(): void {
    if (this.#isReady || !this.#plan!.hasPages) return;
    this.#isReady = true;
    this.#sink.ready();
  }
}

/** Whether an upstream that ended so may come back. Others have ended what they gave, and an edge ends with them. */
export function mayComeBack(error: unknown): boolean {
  return error instanceof RgtpError && ["TIMEOUT", "SOCKET", "NOT_FOUND"].includes(error.condition);
}
