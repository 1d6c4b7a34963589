/*
 * The multicast groups of one exposer: which exposure has one, which of its pullers are in it, and whose turn it is to send.
 */
import type { RateReport } from "../../codec/control.ts";
import type { PullRequest } from "../../codec/pull_request.ts";
import type { Engine } from "../../crypto/engine.ts";
import type { Exposed } from "./exposed.ts";
import { GroupSender } from "./group_sender.ts";
import type { Cast } from "./group_sender.ts";
import type { LiveToken } from "./live_token.ts";

/** What a group's exposer asks its shell to do; in this order, so that a status says what has gone out before it. */
export type CastOutput =
  /** Send symbols of a piece to the exposure's group, stamped with the group's tag, a number for each packet, and the time; then call `handleCast`. */
  | { readonly kind: "cast"; readonly exposed: Exposed; readonly cast: Cast }
  /** Send one control packet to the exposure's group. */
  | { readonly kind: "status"; readonly exposed: Exposed; readonly bytes: Uint8Array };

// One is under way in the shell while the next one is made ready.
const CASTS_AT_ONCE = 2;

/** All groups of an exposer. */
export class GroupCasts {
  readonly #engine: Engine;
  readonly #limitRate: number | undefined;
  readonly #senders = new Map<Exposed, GroupSender>();
  /** The newest report of each member: older ones, and the same again, say nothing. */
  readonly #reports = new WeakMap<LiveToken, number>();
  #casting = 0;

  /** `limitRate` is what the exposer may send in all, bytes a second; absent: as much as it can. */
  constructor(engine: Engine, limitRate: number | undefined) {
    this.#engine = engine;
    this.#limitRate = limitRate;
  }

  /** Opens the exposure's group, if it has one. */
  add(exposed: Exposed): void {
    if (!exposed.cast) return;
    const { group, policy, receivers } = exposed.cast;
    const sender = new GroupSender({
      engine: this.#engine,
      group,
      facts: exposed.manifest,
      policy,
      ...(receivers !== undefined && { receivers }),
      ...(this.#limitRate !== undefined && { limitRate: this.#limitRate }),
    });
    this.#senders.set(exposed, sender);
  }

  /** Nothing more comes to the exposure's group; its members are told. */
  end(now: number, exposed: Exposed): void {
    this.#senders.get(exposed)?.end(now);
  }

  /** A member says how it fares; false when there is no group that it could be in. */
  handleReport(now: number, live: LiveToken, report: RateReport): boolean {
    const sender = this.#senders.get(live.exposed);
    if (!sender || report.number <= (this.#reports.get(live) ?? -1)) return false;
    this.#reports.set(live, report.number);
    sender.handleReport(now, live, report);
    return true;
  }

  /** A member asks its group for what it lacks; false when there is no such group, or the request is out of date. */
  handleRequest(now: number, live: LiveToken, request: PullRequest): boolean {
    return this.#senders.get(live.exposed)?.handleRequest(now, request) === true;
  }

  /** A puller has all that it wants, asks for itself, or is gone. */
  leave(now: number, live: LiveToken): void {
    this.#senders.get(live.exposed)?.leave(now, live);
  }

  /** A `cast` has been carried out; not `ok`: the piece cannot be had any more, and whoever asks for itself is told why. */
  handleCast(now: number, exposed: Exposed, ok: boolean): void {
    this.#casting--;
    if (!ok) this.end(now, exposed);
  }

  /** When there is something to send, as far as the clock alone decides. */
  get deadline(): number {
    if (this.#casting >= CASTS_AT_ONCE) return Infinity;
    return this.#senders.values().reduce((least, { deadline }) => Math.min(least, deadline), Infinity);
  }

  /** What to send next. */
  next(now: number): CastOutput | undefined {
    if (this.#casting >= CASTS_AT_ONCE) return undefined;
    for (const [exposed, sender] of this.#senders) {
      const output = sender.next(now);
      if (!output) continue;
      // The other groups go first the next time.
      this.#senders.delete(exposed);
      this.#senders.set(exposed, sender);
      if (output.kind === "status") return { ...output, exposed };
      this.#casting++;
      return { ...output, exposed };
    }
    return undefined;
  }

  /** Receivers of an exposure's group, and the bytes a second that it gets at present. */
  status(exposed: Exposed): { readonly receivers: number; readonly rate: number } | undefined {
    const sender = this.#senders.get(exposed);
    return sender && { receivers: sender.receivers, rate: sender.rate };
  }
}
