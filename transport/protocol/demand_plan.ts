import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import type { PiecePlan } from "./chunk_plan.ts";

/** How a {@linkcode DemandPlan} is made. */
export interface DemandPlanOptions {
  /** Chunks of the exposure. */
  readonly chunks: number;
  /** How many chunks behind one that was asked for are pulled with it. */
  readonly ahead: number;
  /** Whether the leaves of a page are here already. */
  readonly hasLeaves: (page: number) => boolean;
  /** Whether a chunk is here. */
  readonly has: (chunk: number) => boolean;
}

/** What others ask for, to be pulled for them: all leaf pages first, then chunks as they are wanted, with some that follow. Never finished. */
export class DemandPlan implements PiecePlan {
  /** More may always be asked for. */
  readonly finished = false;
  readonly #options: DemandPlanOptions;
  readonly #pages: ("needed" | "busy" | "here")[];
  /** Chunks to pull, the first that were asked for first. */
  readonly #wanted = new Set<number>();
  readonly #busy = new Set<number>();
  /** The stretch that was looked at last: who goes through it in order asks for nothing new. */
  #seen = { first: 0, end: 0 };

  /** Nothing is wanted yet but the leaf pages that are not here. */
  constructor(options: DemandPlanOptions) {
    this.#options = options;
    const pages = Math.ceil(options.chunks / PAGE_LEAVES);
    this.#pages = Array.from({ length: pages }, (_, page) => options.hasLeaves(page) ? "here" : "needed");
  }

  /** Whether all leaf pages are here. */
  get hasPages(): boolean {
    return this.#pages.every((state) => state === "here");
  }

  /** Whether nothing is asked for. */
  get isIdle(): boolean {
    return this.#wanted.size + this.#busy.size === 0 && this.hasPages;
  }

  /** Somebody asks for a chunk. Whether there is something to pull that was not wanted before. */
  ask(chunk: number): boolean {
    const { chunks, ahead, has } = this.#options;
    const isSeen = chunk >= this.#seen.first && chunk + ahead / 2 < this.#seen.end;
    if (isSeen && (has(chunk) || this.#wanted.has(chunk) || this.#busy.has(chunk))) return false;
    const end = Math.min(chunks, chunk + 1 + ahead);
    this.#seen = { first: chunk, end };
    const before = this.#wanted.size;
    for (let next = chunk; next < end; next++) {
      if (!has(next) && !this.#busy.has(next)) this.#wanted.add(next);
    }
    return this.#wanted.size > before;
  }

  /** Not asked: what is wanted comes by {@linkcode DemandPlan.ask}. */
  want(): void {}

  /** See {@linkcode PiecePlan.takePage}. */
  takePage(): number | undefined {
    const page = this.#pages.indexOf("needed");
    if (page < 0) return undefined;
    this.#pages[page] = "busy";
    return page;
  }

  /** See {@linkcode PiecePlan.takeChunk}. */
  takeChunk(has: (chunk: number) => boolean = () => true): number | undefined {
    for (const chunk of this.#wanted) {
      if (!has(chunk)) continue;
      this.#wanted.delete(chunk);
      this.#busy.add(chunk);
      return chunk;
    }
    return undefined;
  }

  /** There is nothing on disk but what is here. */
  takeCandidate(): undefined {}

  /** See {@linkcode PiecePlan.leavesHere}. */
  leavesHere(page: number): boolean {
    return this.#pages[page] === "here";
  }

  /** See {@linkcode PiecePlan.settlePage}. */
  settlePage(page: number, ok: boolean): void {
    this.#pages[page] = ok ? "here" : "needed";
  }

  /** See {@linkcode PiecePlan.settleChunk}. */
  settleChunk(chunk: number, ok: boolean): undefined {
    this.#busy.delete(chunk);
    if (!ok) this.#wanted.add(chunk);
  }
}
