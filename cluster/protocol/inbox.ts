import { limits } from "../../core/limits.ts";
import { Fifo } from "./_fifo.ts";
import type { Greeting } from "./message_data.ts";
import type { Message } from "./payload.ts";
import { SeenIds } from "./seen_ids.ts";

/** What becomes of a message that has arrived. */
export type Verdict = "new" | "duplicate" | "stale" | "crowded";

/** How far a node has come with a channel of a peer. */
interface Position {
  /** The last number that was taken. */
  taken: number;
  /** All up to this number have been handled: that is acknowledged. */
  handled: number;
  /** Numbers that were taken and are not acknowledged yet, in order. */
  readonly open: Fifo<number>;
  /** Those of them that were handled before their turn. */
  readonly early: Set<number>;
  /** Whether the peer has to be told of `handled`. */
  owed: boolean;
}

/** Earlier runs of a peer that are remembered: a connection of one may be read after the next one has greeted. */
const RETIRED_MAX = 16;

/**
 * What a node has got from one peer, across all links: which messages are new, and which have to be acknowledged. A channel takes the
 * same memory however many messages went through it.
 */
export class Inbox {
  #incarnation: string | undefined;
  readonly #positions = new Map<string, Position>();
  readonly #seen = new SeenIds();
  readonly #owedIds: string[] = [];
  /** Messages that were handled since the last acknowledgement. */
  #owed = 0;
  #ackDue = Infinity;
  /** Bytes of what was handled since the last acknowledgement. */
  #ackBytes = 0;
  #generation = 0;
  #retired: readonly string[] = [];

  /** Counts how often the peer was started, as far as is known here. */
  get generation(): number {
    return this.#generation;
  }

  /** When what is owed must be acknowledged; `Infinity` when nothing is. */
  get ackDue(): number {
    return this.#ackDue;
  }

  /** Whether so much is owed that its sender may be waiting for it. */
  get isAckUrgent(): boolean {
    return this.#owed > 0 && this.#ackBytes >= limits.rnpAckBytesMax;
  }

  /** The peer has greeted. One that was started again begins its channels anew; whether it is not an earlier run of it, come late. */
  greet(incarnation: string): boolean {
    if (incarnation === this.#incarnation) return true;
    if (this.#retired.includes(incarnation)) return false;
    if (this.#incarnation !== undefined) {
      this.#retired = [this.#incarnation, ...this.#retired.slice(0, RETIRED_MAX - 1)];
    }
    this.#incarnation = incarnation;
    this.#generation++;
    this.#positions.clear();
    this.#owedIds.length = 0;
    this.#settleUp();
    return true;
  }

  /** For a greeting: what was handled of the peer's messages. */
  get received(): Greeting["received"] {
    if (this.#incarnation === undefined) return undefined;
    const channels: Record<string, number> = {};
    for (const [channel, { handled }] of this.#positions) channels[channel] = handled;
    return { incarnation: this.#incarnation, channels };
  }

  /** Looks whether a message is new, and remembers it. */
  take(now: number, message: Message, requiresAck: boolean): Verdict {
    const { channel, seq } = message;
    if (channel !== undefined && seq !== undefined) return this.#takeNumbered(now, channel, seq);
    if (this.#seen.take(message.id, message.timestamp)) return "new";
    // Whoever sends it again has missed the acknowledgement.
    if (requiresAck) this.#oweId(now, message.id);
    return requiresAck ? "duplicate" : "stale";
  }

  /** The application has finished with a message that was new in this generation. */
  handled(now: number, message: Message, requiresAck: boolean, generation: number, bytes: number): void {
    // Of a peer that has been started again since: nobody waits for it any more.
    if (generation !== this.#generation) return;
    this.#ackBytes += bytes;
    const { channel, seq } = message;
    if (channel === undefined || seq === undefined) {
      if (requiresAck) this.#oweId(now, message.id);
      return;
    }
    const position = this.#positions.get(channel);
    if (!position) return;
    position.early.add(seq);
    for (let next = position.open.first; next !== undefined; next = position.open.first) {
      if (!position.early.delete(next)) return;
      position.open.shift();
      position.handled = next;
      this.#owe(now, position);
    }
  }

  /** The data of an ACK for all that is owed; `undefined` when nothing is. */
  takeAck(): { channels?: Record<string, number>; ids?: string[] } | undefined {
    if (this.#owed === 0) return undefined;
    const channels: Record<string, number> = {};
    let any = false;
    for (const [channel, position] of this.#positions) {
      if (!position.owed) continue;
      channels[channel] = position.handled;
      position.owed = false;
      any = true;
    }
    const ids = this.#owedIds.splice(0);
    this.#settleUp();
    return { ...(any && { channels }), ...(ids.length > 0 && { ids }) };
  }

  #takeNumbered(now: number, channel: string, seq: number): Verdict {
    let position = this.#positions.get(channel);
    if (!position) {
      if (this.#positions.size >= limits.rnpChannelsMax) return "crowded";
      position = { taken: 0, handled: 0, open: new Fifo(), early: new Set(), owed: false };
      this.#positions.set(channel, position);
    }
    if (seq <= position.taken) {
      // Whoever sends it again has missed the acknowledgement.
      if (seq <= position.handled) this.#owe(now, position);
      return "duplicate";
    }
    position.taken = seq;
    position.open.push(seq);
    return "new";
  }

  #owe(now: number, position: Position): void {
    position.owed = true;
    this.#count(now);
  }

  #oweId(now: number, id: string): void {
    this.#owedIds.push(id);
    this.#count(now);
  }

  #count(now: number): void {
    if (this.#owed++ === 0) this.#ackDue = now + limits.rnpAckDelayMs;
  }

  #settleUp(): void {
    this.#owed = this.#ackBytes = 0;
    this.#ackDue = Infinity;
  }
}
