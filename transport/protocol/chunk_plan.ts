import type { Run } from "../../codec/listing.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";

/** A run of chunks: from `first`, before `end`. */
export interface ChunkRun {
  /** First chunk. */
  readonly first: number;
  /** One past the last. */
  readonly end: number;
}

/** What a plan starts from. */
export interface ChunkPlanOptions {
  /** Chunks of the exposure. */
  readonly chunks: number;
  /** Which are wanted, ascending and disjoint; absent: all. */
  readonly wanted?: readonly ChunkRun[];
  /** Whether the leaf hashes of a page are here and verified. */
  readonly hasLeaves: (page: number) => boolean;
  /** Flags, one a chunk of the page: worth checking on disk before it is pulled. Absent: none. */
  readonly candidates: (page: number) => Uint8Array | undefined;
}

/** What is still to be done, as those who do it see it. */
export interface PiecePlan {
  /** Whether everything wanted is here. */
  readonly finished: boolean;
  /** Whether nothing is wanted at present, though more may be later. Absent: never. */
  readonly isIdle?: boolean;
  /** More chunks, after all of those before are here. */
  want(runs: readonly ChunkRun[]): void;
  /** A leaf page to pull, now busy. */
  takePage(): number | undefined;
  /** A chunk to pull, now busy: the first, or the first of those that `has` names. */
  takeChunk(has?: (chunk: number) => boolean): number | undefined;
  /** A chunk on disk to check, now busy. Its leaf is here. */
  takeCandidate(): number | undefined;
  /** Takes this chunk, now busy, as it has come unasked: from a group. False when it is not missing. Absent: nothing may come unasked. */
  claimChunk?(chunk: number): boolean;
  /** The same of a leaf page. */
  claimPage?(page: number): boolean;
  /** Runs of missing chunks, as far as may be looked at once. */
  missingChunks?(): Iterable<Run>;
  /** Leaf pages that are needed, of the same. */
  missingPages?(): Iterable<number>;
  /** Whether the leaves of a page that is being worked on are here. */
  leavesHere(page: number): boolean;
  /** The leaves of a page are verified, or (`ok` false) must be pulled again. */
  settlePage(page: number, ok: boolean): void;
  /** A busy chunk is here and verified, or (`ok` false) must be pulled. Answers with its page when the page has nothing left to do. */
  settleChunk(chunk: number, ok: boolean): number | undefined;
}

const MISSING = 0;
const CANDIDATE = 1;
const BUSY = 2;
const SETTLED = 3;

/** Pages whose chunks are looked at together: bounds memory, and lets a pull start beyond a long stretch of candidates. */
const ACTIVE_PAGES_MAX = 1024;

interface ActivePage {
  readonly page: number;
  readonly states: Uint8Array;
  leaves: "needed" | "busy" | "here";
  /** Chunks in each state; SETTLED is not counted. */
  readonly count: [number, number, number];
}

const isAny = () => true;
const hasLeavesHere = ({ leaves }: ActivePage) => leaves === "here";

/**
 * What is still to be done, page by page: which leaf pages and chunks to pull, and which chunks on disk to check first.
 * Memory is that of the pages being worked on, not of the exposure.
 */
export class ChunkPlan implements PiecePlan {
  readonly #options: ChunkPlanOptions;
  #wanted: readonly ChunkRun[] | undefined;
  readonly #pages: number;
  readonly #active = new Map<number, ActivePage>();
  #nextPage = 0;
  /** The first wanted run that ends on the next page, or behind it. */
  #nextRun = 0;

  /** Starts at the front. */
  constructor(options: ChunkPlanOptions) {
    this.#options = options;
    this.#wanted = options.wanted;
    this.#pages = Math.ceil(options.chunks / PAGE_LEAVES);
  }

  /** Whether everything wanted is here. */
  get finished(): boolean {
    return this.#active.size === 0 && !this.#activateAny();
  }

  /** More chunks, ascending and disjoint, after all of those before are here. Starts at the front again. */
  want(runs: readonly ChunkRun[]): void {
    this.#wanted = runs;
    this.#nextPage = 0;
    this.#nextRun = 0;
  }

  /** A leaf page to pull, now busy. */
  takePage(): number | undefined {
    for (const active of this.#active.values()) {
      if (active.leaves !== "needed") continue;
      active.leaves = "busy";
      return active.page;
    }
    return undefined;
  }

  /** A chunk to pull, now busy: the first, or the first of those that `has` names. Looks at new pages until it finds one. */
  takeChunk(has?: (chunk: number) => boolean): number | undefined {
    if (!this.#find(MISSING, isAny)) this.#activateMissing();
    return has ? this.#takeOf(has) : this.#take(MISSING, isAny);
  }

  /** A chunk on disk to check, now busy. Its leaf is here. */
  takeCandidate(): number | undefined {
    return this.#take(CANDIDATE, hasLeavesHere);
  }

  /** Takes this chunk, now busy, as it has come unasked. False when it is not missing, or not looked at yet. */
  claimChunk(chunk: number): boolean {
    const active = this.#active.get(Math.floor(chunk / PAGE_LEAVES)) ?? this.#activeAfterAll(chunk);
    if (active?.states[chunk % PAGE_LEAVES] !== MISSING) return false;
    active.states[chunk % PAGE_LEAVES] = BUSY;
    active.count[MISSING]--;
    active.count[BUSY]++;
    return true;
  }

  /** The same of a leaf page. */
  claimPage(page: number): boolean {
    const active = this.#active.get(page);
    if (active?.leaves !== "needed") return false;
    active.leaves = "busy";
    return true;
  }

  /** Runs of missing chunks, as far as pages are looked at, which is as far as may be. */
  *missingChunks(): Generator<Run> {
    this.#activate(() => false);
    for (const { page, states, count } of this.#active.values()) {
      for (let at = count[MISSING] > 0 ? states.indexOf(MISSING) : -1; at >= 0;) {
        let end = at;
        while (states[end] === MISSING) end++;
        yield { first: page * PAGE_LEAVES + at, count: end - at };
        at = states.indexOf(MISSING, end);
      }
    }
  }

  /** Leaf pages that are needed, of the same. */
  *missingPages(): Generator<number> {
    for (const { page, leaves } of this.#active.values()) if (leaves === "needed") yield page;
  }

  /** Whether the leaves of a page that is being worked on are here. */
  leavesHere(page: number): boolean {
    return this.#active.get(page)?.leaves === "here";
  }

  /** The leaves of a page are verified, or (`ok` false) must be pulled again. */
  settlePage(page: number, ok: boolean): void {
    const active = this.#active.get(page);
    if (active) active.leaves = ok ? "here" : "needed";
  }

  /** A busy chunk is here and verified, or (`ok` false) must be pulled. Answers with its page when the page has nothing left to do. */
  settleChunk(chunk: number, ok: boolean): number | undefined {
    const active = this.#active.get(Math.floor(chunk / PAGE_LEAVES));
    if (!active || active.states[chunk % PAGE_LEAVES] !== BUSY) return undefined;
    active.count[BUSY]--;
    active.states[chunk % PAGE_LEAVES] = ok ? SETTLED : MISSING;
    if (!ok) active.count[MISSING]++;
    if (active.count[MISSING] + active.count[CANDIDATE] + active.count[BUSY] > 0) return undefined;
    this.#active.delete(active.page);
    return active.page;
  }

  /** Only pages that are being worked on are looked at: who has nothing of them is waited for. */
  #takeOf(has: (chunk: number) => boolean): number | undefined {
    for (const { page, states, count } of this.#active.values()) {
      for (let at = count[MISSING] > 0 ? states.indexOf(MISSING) : -1; at >= 0;) {
        const chunk = page * PAGE_LEAVES + at;
        if (has(chunk)) {
          states[at] = BUSY;
          count[MISSING]--;
          count[BUSY]++;
          return chunk;
        }
        at = states.indexOf(MISSING, at + 1);
      }
    }
    return undefined;
  }

  #take(
    state: typeof MISSING | typeof CANDIDATE,
    allowed: (active: ActivePage) => boolean,
  ): number | undefined {
    const active = this.#find(state, allowed);
    if (!active) return undefined;
    const at = active.states.indexOf(state);
    active.states[at] = BUSY;
    active.count[state]--;
    active.count[BUSY]++;
    return active.page * PAGE_LEAVES + at;
  }

  #find(
    state: typeof MISSING | typeof CANDIDATE,
    allowed: (active: ActivePage) => boolean,
  ): ActivePage | undefined {
    for (const active of this.#active.values()) if (active.count[state] > 0 && allowed(active)) return active;
    return undefined;
  }

  #activeAfterAll(chunk: number): ActivePage | undefined {
    const page = Math.floor(chunk / PAGE_LEAVES);
    if (page >= this.#nextPage) this.#activate(() => this.#nextPage > page);
    return this.#active.get(page);
  }

  // Functions that each chunk would make stand apart from those that it calls.
  #activateAny(): boolean {
    this.#activate(() => this.#active.size > 0);
    return this.#active.size > 0;
  }

  #activateMissing(): void {
    this.#activate(() => this.#find(MISSING, isAny) !== undefined);
  }

  #activate(enough: () => boolean): void {
    while (this.#active.size < ACTIVE_PAGES_MAX && !enough()) {
      this.#skipUnwanted();
      if (this.#nextPage >= this.#pages) return;
      const page = this.#nextPage++;
      const active = this.#open(page);
      if (active.count[MISSING] + active.count[CANDIDATE] > 0) this.#active.set(page, active);
    }
  }

  /** A wish for little of a large exposure takes no look at the rest of it. */
  #skipUnwanted(): void {
    if (!this.#wanted) return;
    while (this.#wanted[this.#nextRun]?.end <= this.#nextPage * PAGE_LEAVES) this.#nextRun++;
    const next = this.#wanted[this.#nextRun];
    this.#nextPage = next ? Math.max(this.#nextPage, Math.floor(next.first / PAGE_LEAVES)) : this.#pages;
  }

  #open(page: number): ActivePage {
    const { chunks, hasLeaves, candidates } = this.#options;
    const base = page * PAGE_LEAVES;
    const states = new Uint8Array(Math.min(PAGE_LEAVES, chunks - base));
    if (this.#wanted) {
      states.fill(SETTLED);
      for (let i = this.#nextRun; this.#wanted[i]?.first < base + PAGE_LEAVES; i++) {
        const { first, end } = this.#wanted[i];
        states.fill(MISSING, clamp(first - base), clamp(end - base));
      }
    }
    const flags = candidates(page);
    const count: [number, number, number] = [0, 0, 0];
    for (let i = 0; i < states.length; i++) {
      if (states[i] === MISSING && flags?.[i]) states[i] = CANDIDATE;
      if (states[i] !== SETTLED) count[states[i]]++;
    }
    return { page, states, leaves: hasLeaves(page) ? "here" : "needed", count };
  }
}

function clamp(index: number): number {
  return Math.max(0, Math.min(PAGE_LEAVES, index));
}
