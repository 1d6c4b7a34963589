import { encodeHave, haveRunsMax } from "../../codec/listing.ts";
import type { Run } from "../../codec/listing.ts";
import type { PacketMac } from "../../codec/packet.ts";
import type { Answer, LiveToken } from "./live_token.ts";

/** What somebody holds who serves what he has not all of: leaf pages are always there, chunks come and go. */
export interface ExposedHoldings {
  /** Another number after each change. */
  readonly version: number;
  /** Whether a piece is here now. */
  has(piece: number): boolean;
  /** At most `max` runs of chunks that are here, ascending. */
  runs(max: number): readonly Run[];
  /** A puller asks for a piece, here or not. */
  want(piece: number): void;
}

/** Often enough that a puller's window does not run dry, and rare beside what it announces. */
const TELL_EVERY_MS = 20;

/** Tells pullers of an exposure that is here in part what they can have: when they ask for something else, and as there is more. */
export class HaveTeller {
  readonly #send: (live: LiveToken, packet: Uint8Array) => void;
  readonly #macOf: (live: LiveToken) => PacketMac;
  /** Who wants to know, and what they were told when. */
  readonly #told = new Map<LiveToken, { version: number; at: number }>();
  #dueAt = Infinity;

  /** `send` takes a packet for a puller. */
  constructor(macOf: (live: LiveToken) => PacketMac, send: (live: LiveToken, packet: Uint8Array) => void) {
    this.#macOf = macOf;
    this.#send = send;
  }

  /** When pullers are to be told something. */
  get deadline(): number {
    return this.#dueAt;
  }

  /** Of what a puller asks for, what is here; of the rest it is told that it is not. */
  screen(now: number, live: LiveToken, answers: readonly Answer[]): readonly Answer[] {
    const { holdings } = live.exposed;
    if (!holdings) return answers;
    for (const piece of new Set(answers.map((answer) => answer.piece))) holdings.want(piece);
    const here = answers.filter(({ piece }) => holdings.has(piece));
    if (here.length < answers.length || !this.#told.has(live)) this.tell(now, live);
    return here;
  }

  /** A puller is to know what is here: now, or as soon as it was not told a moment ago. */
  tell(now: number, live: LiveToken): void {
    const { holdings, id } = live.exposed;
    if (!holdings) return;
    const told = this.#told.get(live);
    if (told && now < told.at + TELL_EVERY_MS) {
      told.version = -1;
      this.#dueAt = Math.min(this.#dueAt, told.at + TELL_EVERY_MS);
      return;
    }
    this.#told.set(live, { version: holdings.version, at: now });
    const have = { tag: live.tag, label: id.slice(0, 16), runs: holdings.runs(haveRunsMax) };
    this.#send(live, encodeHave(have, this.#macOf(live)));
  }

  /** There is more, or less, than before. */
  handleChange(now: number): void {
    if (this.#told.size > 0) this.#dueAt = Math.min(this.#dueAt, now + TELL_EVERY_MS);
  }

  /** What the clock brings. */
  handleTimeout(now: number): void {
    if (now < this.#dueAt) return;
    this.#dueAt = Infinity;
    for (const [live, { version }] of this.#told) {
      if (live.done) this.#told.delete(live);
      else if (version !== live.exposed.holdings!.version) this.tell(now, live);
    }
  }

  /** A puller has gone. */
  forget(live: LiveToken): void {
    this.#told.delete(live);
  }
}
