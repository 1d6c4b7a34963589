import type { RequestEntry } from "../../codec/pull_request.ts";
import type { SymbolRun } from "./assembly.ts";

/** A request whose answer has not come, or not all of it. */
export interface SentRequest {
  /** Its number. */
  readonly number: number;
  /** When it was sent. */
  readonly sentAt: number;
  /** When it was last sent again, in a later one. */
  repeatedAt: number;
  /** What it asks for. */
  readonly runs: readonly SymbolRun[];
  /** The same as it stands in the packet. */
  readonly entries: readonly RequestEntry[];
  /** Symbols that it asks for. */
  readonly symbols: number;
  /** Symbols that were under way when it was sent, its own included. */
  readonly underWay: number;
  /** Of its own, how many have not come. */
  remaining: number;
  /** When the first symbol came, and the latest. */
  firstAt: number;
  lastAt: number;
  /** When a symbol of a later request came. */
  overtakenAt: number;
}

/** Where no packet has overtaken another yet, what is overtaken is given this share of a round trip. */
const TOLERANCE_SHARE = 1 / 32;
const TOLERANCE_MS_MIN = 0.5;
/** How much more than the latest straggler took the next one may take, and how slowly that is forgotten. */
const TOLERANCE_GROWTH = 1.25;
const TOLERANCE_DECAY = 0.995;
/** Requests that were given up whose stragglers are noticed. */
const GIVEN_UP_MAX = 256;

/**
 * The requests to one source that are under way, in order. Their answers come in that order too, so a request that a later one has
 * overtaken has lost what has not come: but for a tolerance that follows what stragglers are seen (as RACK does, RFC 8985 §6.2).
 */
export class RequestsUnderWay {
  readonly #sent = new Map<number, SentRequest>();
  readonly #givenUp = new Map<number, SentRequest>();
  #newestAnswered = 0;
  #straggling = 0;

  /** Whether there are none. */
  get empty(): boolean {
    return this.#sent.size === 0;
  }

  /** The one that was sent first. */
  get oldest(): SentRequest | undefined {
    return this.#sent.values().next().value;
  }

  /** A request by its number. */
  get(number: number): SentRequest | undefined {
    return this.#sent.get(number);
  }

  /** A request was sent. Numbers ascend. */
  add(request: SentRequest): void {
    this.#sent.set(request.number, request);
  }

  /** A symbol that answers request `number` came. Answers with the request, also when it was given up before. */
  handleArrival(now: number, number: number): SentRequest | undefined {
    const sent = this.#sent.get(number) ?? this.#givenUp.get(number);
    if (sent && sent.overtakenAt < now) {
      this.#straggling = Math.max(this.#straggling, (now - sent.overtakenAt) * TOLERANCE_GROWTH);
    }
    if (number > this.#newestAnswered) this.#overtake(now, number);
    return sent;
  }

  /** All of a request has come, or is given up. */
  remove(request: SentRequest): void {
    this.#sent.delete(request.number);
    if (request.remaining === 0) return;
    this.#givenUp.set(request.number, request);
    if (this.#givenUp.size <= GIVEN_UP_MAX) return;
    for (const oldest of this.#givenUp.keys()) return void this.#givenUp.delete(oldest);
  }

  /** The first request that has lost what has not come. `roundTrip` in ms. */
  overdue(now: number, roundTrip: number): SentRequest | undefined {
    const oldest = this.oldest;
    return oldest && oldest.overtakenAt + this.#tolerance(roundTrip) <= now ? oldest : undefined;
  }

  /** When `overdue` will have one, if nothing more comes. */
  deadline(roundTrip: number): number {
    const oldest = this.oldest;
    return oldest ? oldest.overtakenAt + this.#tolerance(roundTrip) : Infinity;
  }

  /** All of them, the first one first. */
  values(): IterableIterator<SentRequest> {
    return this.#sent.values();
  }

  /** Stragglers come no longer than a round trip late: what comes later was lost, whatever it costs. */
  #tolerance(roundTrip: number): number {
    const least = Math.max(TOLERANCE_MS_MIN, roundTrip * TOLERANCE_SHARE);
    return Math.max(least, Math.min(this.#straggling, roundTrip));
  }

  #overtake(now: number, number: number): void {
    this.#newestAnswered = number;
    this.#straggling *= TOLERANCE_DECAY;
    for (const earlier of this.#sent.values()) {
      if (earlier.number >= number) return;
      if (earlier.overtakenAt === Infinity) earlier.overtakenAt = now;
    }
  }
}

/** The entries that ask for runs: in their order, and the parity of a block with the first of its data, if any is asked for. */
export function entriesOf(runs: readonly SymbolRun[]): readonly RequestEntry[] {
  const entries: SymbolRun[] = [];
  for (const run of runs) {
    const at = run.count === 0 ? indexOfBlock(entries, run) : -1;
    if (at < 0) entries.push(run);
    else entries[at] = { ...entries[at], parityFirst: run.parityFirst, parityCount: run.parityCount };
  }
  return entries.sort(byPlace);
}

function indexOfBlock(runs: readonly SymbolRun[], { piece, block }: SymbolRun): number {
  return runs.findIndex((run) => run.piece === piece && run.block === block);
}

function byPlace(a: RequestEntry, b: RequestEntry): number {
  return a.piece - b.piece || a.first - b.first;
}
