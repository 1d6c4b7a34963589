import { chunkBytes, chunkCount } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { PAGE_BIT } from "../../codec/packet.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import type { Assembly } from "./assembly.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import type { ChunkRun, PiecePlan } from "./chunk_plan.ts";
import { PiecesInHand } from "./pieces_in_hand.ts";
import type { Found, PullBeginning, PullerOutput } from "./puller_types.ts";

/** A whole piece that waits for its leaf page. */
interface Waiting {
  readonly piece: number;
  readonly sealed: Uint8Array;
}

/** What is common to all sources of a pull: what is missing, what is in hand, and how much is here. */
export class Delivery {
  /** Plaintext bytes wanted. */
  total = 0;
  /** Of these, verified and stored. */
  done = 0;
  /** Bytes of chunks that were checked, by where they were found. */
  readonly found: Record<Found, number> = { "on disk": 0, shared: 0, nowhere: 0 };
  /** What is missing. */
  readonly plan: PiecePlan;
  /** What is being put together, opened or checked. */
  readonly hand: PiecesInHand;
  readonly #manifest: Manifest;
  readonly #heldBack: () => number;
  readonly #emit: (output: PullerOutput) => void;
  /** Whether more will be wanted, and whether the shell has been asked for it. */
  #more: "none" | "to come" | "awaited";
  readonly #awaitingLeaves = new Map<number, Waiting[]>();
  #awaiting = 0;

  /** Nothing is here yet. */
  constructor(
    manifest: Manifest,
    { isMoreToCome = false, heldBack = () => 0, plan, memory, ...rest }: PullBeginning,
    symbolSize: number,
    emit: (output: PullerOutput) => void,
  ) {
    const chunks = chunkCount(manifest);
    this.#manifest = manifest;
    this.plan = plan ?? new ChunkPlan({ chunks, ...rest });
    this.hand = new PiecesInHand(manifest, this.plan, symbolSize, memory);
    this.#more = isMoreToCome ? "to come" : "none";
    this.#heldBack = heldBack;
    this.#emit = emit;
    this.#addToTotal(rest.wanted ?? [{ first: 0, end: chunks }]);
  }

  /** Whole pieces that wait for their leaf page. */
  get awaitingLeaves(): number {
    return this.#awaiting;
  }

  /** Whether the shell was asked what else is wanted. */
  get isAsked(): boolean {
    return this.#more === "awaited";
  }

  /** Whether the shell has work: what waits for its leaves, or for pieces before it, is not with the shell. */
  get isWithShell(): boolean {
    return this.isAsked || this.hand.opening > this.#awaiting + this.#heldBack() || this.plan.finished ||
      this.plan.isIdle === true;
  }

  /** These chunks too, and then no more. */
  want(runs: readonly ChunkRun[]): void {
    this.#more = "none";
    this.plan.want(runs);
    this.#addToTotal(runs);
  }

  /** A piece is whole: it goes to the shell as soon as its leaves are here. */
  complete(assembly: Assembly): void {
    const sealed = this.hand.complete(assembly);
    const { piece } = assembly;
    const page = Math.floor(piece / PAGE_LEAVES);
    if (piece >= PAGE_BIT || this.plan.leavesHere(page)) return this.#emit({ kind: "open", piece, sealed });
    this.#awaiting++;
    const waiting = this.#awaitingLeaves.get(page);
    if (waiting) waiting.push({ piece, sealed });
    else this.#awaitingLeaves.set(page, [{ piece, sealed }]);
  }

  /** The shell is done with a piece that came. */
  settle(piece: number, ok: boolean): void {
    if (piece >= PAGE_BIT) this.#settlePage(piece - PAGE_BIT, ok);
    else this.#settleChunk(piece, ok);
  }

  /** The shell is done with a chunk that it was to check. */
  settleCheck(chunk: number, found: Found): void {
    this.hand.settleCheck();
    this.found[found] += chunkBytes(this.#manifest, chunk);
    this.#settleChunk(chunk, found !== "nowhere");
  }

  /** Chunks to check now; and whether everything is here, and no more to come. */
  proceed(): boolean {
    for (let chunk = this.hand.takeCheck(); chunk !== undefined; chunk = this.hand.takeCheck()) {
      this.#emit({ kind: "check", chunk });
    }
    if (!this.plan.finished || this.isAsked) return false;
    if (this.#more === "none") return true;
    this.#more = "awaited";
    this.#emit({ kind: "wanting" });
    return false;
  }

  #settlePage(page: number, ok: boolean): void {
    this.plan.settlePage(page, ok);
    if (!ok) return;
    for (const waiting of this.#awaitingLeaves.get(page) ?? []) {
      this.#awaiting--;
      this.#emit({ kind: "open", ...waiting });
    }
    this.#awaitingLeaves.delete(page);
  }

  #settleChunk(chunk: number, ok: boolean): void {
    const page = this.plan.settleChunk(chunk, ok);
    // A later wish may be on the same page.
    if (page !== undefined && this.#more === "none") this.#emit({ kind: "pageDone", page });
    if (ok) this.done += chunkBytes(this.#manifest, chunk);
  }

  #addToTotal(runs: readonly ChunkRun[]): void {
    const { totalSize, chunkSize } = this.#manifest;
    for (const { first, end } of runs) {
      this.total += Math.max(0, Math.min(totalSize, end * chunkSize) - first * chunkSize);
    }
  }
}
