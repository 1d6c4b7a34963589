import type { Address } from "../../codec/address.ts";
import type { Grant } from "../../codec/grant.ts";
import { equalBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { Flow } from "./flow.ts";
import { Source } from "./source.ts";
import type { SourceFacts, SourceOptions } from "./source.ts";

/** What one source of a pull has brought. */
export interface SourceStatus {
  /** Where it is. */
  readonly address: Address;
  /** Bytes of CHUNK_DATA that came from it, headers included. */
  readonly wireBytes: number;
  /** Symbols that came. */
  readonly symbolsReceived: number;
  /** Symbols that did not come when they should have. */
  readonly symbolsLost: number;
  /** Smoothed, in ms. */
  readonly roundTrip: number;
  /** Whether its handshake was hybrid. */
  readonly isHybrid: boolean;
  /** The shortest of late, ms. */
  readonly leastRoundTrip: number;
  /** Bytes a second that it lets one puller have; absent: it says none. */
  readonly rateMax?: number;
  /** Whether it is asked for nothing more. */
  readonly isGone: boolean;
}

/** The other addresses of a ticket are tried when a pull has gone on for so long: smaller ones are over by then. */
const SPREAD_AFTER_MS = 1000;
/** And are given up when nobody answers there for so long. */
const SPREAD_PATIENCE_MS = 1500;
/** An edge that was not heard for so long serves nobody: who was spared for it is asked. */
const SPARE_MS = 2000;
const SPARE_LOOK_MS = 250;
/** Where one was heard so recently, the silence of another one is its own. */
const HEARD_LATELY_MS = 2000;

/** The sources of a pull: those that it was told of, and the other addresses of its ticket. */
export class Sources {
  /** All, by number. */
  readonly all: Source[] = [];
  readonly #options: SourceOptions;
  #spreadAt = Infinity;
  readonly #hasEdges: boolean;
  /** When to look again whether an edge has fallen silent. */
  #spareEnd: number;
  #alive: readonly Source[] = [];
  /** Whose symbol came last: whose the next one is, too, as a rule. */
  #latest: Source | undefined;

  /** Asks all of them at once. */
  constructor(now: number, facts: readonly SourceFacts[], options: SourceOptions) {
    this.#options = options;
    for (const one of facts.slice(0, limits.pullSourcesMax)) this.#add(now, one, false);
    this.#hasEdges = facts.some(({ isEdge }) => isEdge);
    this.#spareEnd = this.#hasEdges ? now + SPARE_MS : Infinity;
  }

  /** Those that have not been dropped. */
  get alive(): readonly Source[] {
    return this.#alive;
  }

  /** Of these, those that are asked for pieces. */
  get serving(): Source[] {
    return this.alive.filter(({ flow }) => flow);
  }

  /** The flows of all, also of those that were dropped. */
  get flows(): Flow[] {
    return this.all.flatMap(({ flow }) => flow ?? []);
  }

  /** What each has brought. */
  get status(): SourceStatus[] {
    return this.all.flatMap(({ address, flow, grant, isHybrid, isGone }) =>
      address && flow
        ? [{
          address,
          wireBytes: flow.bytesReceived,
          symbolsReceived: flow.symbolsReceived,
          symbolsLost: flow.symbolsLost,
          roundTrip: flow.roundTrip,
          isHybrid,
          leastRoundTrip: flow.leastRoundTrip,
          ...(grant?.pullRateMax && { rateMax: grant.pullRateMax }),
          isGone,
        }]
        : []
    );
  }

  /** Whether one of them waits for our own limit. */
  get waitsForLimit(): boolean {
    return this.all.some(({ flow }) => flow?.waitsForLimit);
  }

  /** When one of them wants to be woken. */
  get deadline(): number {
    let soonest = Math.min(this.#spreadAt, this.#spareEnd);
    for (const { deadline } of this.#alive) soonest = Math.min(soonest, deadline);
    return soonest;
  }

  /** A source is asked for nothing more. */
  drop(source: Source): void {
    source.isGone = true;
    this.#alive = this.all.filter(({ isGone }) => !isGone);
  }

  /** The source that a tag belongs to. */
  withTag(tag: Uint8Array): Source | undefined {
    return this.alive.find((source) => source.hasTag(tag));
  }

  /** The source whose tag a CHUNK_DATA packet carries. */
  ofSymbol(packet: Uint8Array): Source | undefined {
    const latest = this.#latest;
    if (latest && !latest.isGone && latest.flow!.owns(packet)) return latest;
    return this.#latest = this.#findOfSymbol(packet);
  }

  /** Whether a grant comes from where another source is: from the same address, or the same running exposer. */
  isDouble(source: Source, { instance }: Grant): boolean {
    const others = this.alive.filter((other) => other !== source && other.grant);
    const isKnown = ({ address, grant }: Source) =>
      (address!.host === source.address!.host && address!.port === source.address!.port) ||
      // Who does not say which one it is may be any.
      (instance && grant!.instance ? equalBytes(instance, grant!.instance) : source.isTrial);
    return others.some(isKnown);
  }

  /** The pull has begun: if it takes long, the ticket's other addresses are tried as sources of their own. */
  spreadFrom(now: number): void {
    if (this.all[0].addresses.length > 1) this.#spreadAt = now + SPREAD_AFTER_MS;
  }

  /** What the clock brings. */
  handleTimeout(now: number): void {
    if (now >= this.#spareEnd) this.#spareEnd = now + SPARE_LOOK_MS;
    if (now < this.#spreadAt) return;
    this.#spreadAt = Infinity;
    const { facts, address } = this.all[0];
    for (const one of facts.addresses) {
      const isUsed = one.host === address?.host && one.port === address.port;
      if (isUsed || this.all.length >= limits.pullSourcesMax) continue;
      this.#add(now, { ...facts, addresses: [one] }, true);
    }
  }

  /** Those that are silent while others are not: for `patience` ms, or less when they were only tried. */
  lost(now: number, patience: number): Source[] {
    const isHeard = (source: Source) => now - source.heardAt < HEARD_LATELY_MS;
    const silent = this.alive.filter((source) => {
      const least = source.isTrial && !source.grant ? SPREAD_PATIENCE_MS : patience;
      return now - source.heardAt >= least && (source.flow?.underWay !== 0 || source.attempts !== undefined);
    });
    return silent.length > 0 && this.alive.some(isHeard) ? silent : [];
  }

  /** Whether a source need not be asked: edges serve in its place, or it is silent while others are not. */
  canSpare(now: number, source: Source): boolean {
    if (this.#isSpared(now, source)) return true;
    if (source.flow?.silentTimeouts === 0) return false;
    return this.alive.some((other) => other.flow?.silentTimeouts === 0 && !this.#isSpared(now, other));
  }

  /** Apart from its only caller: a function that is made in another one costs that one memory for each packet, whether it is called or not. */
  #findOfSymbol(packet: Uint8Array): Source | undefined {
    return this.alive.find(({ flow }) => flow?.owns(packet));
  }

  /** Whether edges serve in its place, or may do so in a moment. */
  #isSpared(now: number, { facts }: Source): boolean {
    if (!this.#hasEdges || facts.isEdge) return false;
    return this.alive.some(({ facts: { isEdge }, heardAt, flow }) =>
      // A process that was held up has not heard of anybody; what is under way and not overdue may lie in its socket.
      isEdge &&
      (now - heardAt < SPARE_MS || (flow !== undefined && flow.underWay > 0 && flow.silentTimeouts === 0))
    );
  }

  #add(now: number, facts: SourceFacts, isTrial: boolean): void {
    this.all.push(new Source(now, this.all.length, facts, this.#options, isTrial));
    this.#alive = this.all.filter(({ isGone }) => !isGone);
  }
}
