import { limits } from "../../core/limits.ts";
import { Fifo } from "./_fifo.ts";
import type { Greeting } from "./message_data.ts";
import type { FrameParts, Message } from "./payload.ts";

/**
 * What a sender is promised of a message.
 *
 * - `at-most-once`: it is sent once, or not at all.
 * - `at-least-once`: it is sent until it is acknowledged, also to a peer that was started again meanwhile.
 * - `exactly-once`: it is sent until it is acknowledged; whether a peer that was started again had handled it, the sender has to find out.
 */
export type Delivery = "at-most-once" | "at-least-once" | "exactly-once";

/** A message on its way out. */
export interface Outgoing {
  /** The message; its timestamp changes when it is sent again much later. */
  message: Message;
  /** What the sender is promised. */
  readonly delivery: Delivery;
  /** The frame, and how it was made. */
  frame: FrameParts;
  /** Whether the frame may be compressed. */
  compress: boolean;
  /** The incarnation of the peer that it was sent to, if it was. */
  sentTo?: string;
}

/**
 * Messages of one slot of a pool: those that wait for their turn, and those on their way without an acknowledgement, which are kept. Of a
 * channel, the order never changes.
 */
export class Outbox {
  readonly #waiting = new Fifo<Outgoing>();
  /** Those that go first: they were on their way when a link ended. */
  readonly #again = new Fifo<Outgoing>();
  readonly #sent = new Map<string, Fifo<Outgoing>>();
  #waitingBytes = 0;
  #sentBytes = 0;
  #window: number = limits.rnpWindowBytesMin;
  #windowMax: number = limits.rnpWindowBytesMin;
  /** Whether something had to wait because of the window since it grew last. */
  #isHeldBack = false;

  /** Bytes that wait for their turn. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes on their way without an acknowledgement. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** What may be on its way at the moment. */
  get window(): number {
    return this.#window;
  }

  /** Whether there is nothing to send and nothing to wait for. */
  get isEmpty(): boolean {
    return this.#waitingBytes === 0 && this.#sentBytes === 0;
  }

  /** One more, at the end. */
  add(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
    this.#waitingBytes += outgoing.frame.length;
  }

  /** Takes the next one that the window lets pass. */
  next(): Outgoing | undefined {
    const queue = this.#again.length > 0 ? this.#again : this.#waiting;
    const first = queue.first;
    if (!first) return undefined;
    if (first.delivery !== "at-most-once") {
      // One that is larger than the window goes alone.
      if (this.#sentBytes > 0 && this.#sentBytes + first.frame.length > this.#window) {
        this.#isHeldBack = true;
        return undefined;
      }
    }
    this.#waitingBytes -= first.frame.length;
    return queue.shift();
  }

  /** Keeps one that was just sent, until it is acknowledged. */
  keep(outgoing: Outgoing): void {
    const channel = outgoing.message.channel!;
    let sent = this.#sent.get(channel);
    if (!sent) this.#sent.set(channel, sent = new Fifo());
    sent.push(outgoing);
    this.#sentBytes += outgoing.frame.length;
  }

  /** The peer has handled a channel up to a number: gives those that are done. */
  acknowledged(channel: string, seq: number): Outgoing[] {
    const sent = this.#sent.get(channel);
    const done: Outgoing[] = [];
    for (let first = sent?.first; first && first.message.seq! <= seq; first = sent!.first) {
      sent!.shift();
      this.#sentBytes -= first.frame.length;
      done.push(first);
    }
    if (done.length > 0 && this.#isHeldBack) {
      this.#window = Math.min(2 * this.#window, this.#windowMax);
      this.#isHeldBack = false;
    }
    return done;
  }

  /**
   * A new link: what was on its way goes again, in front of the rest. Gives those that the peer has handled already, and those of which
   * nobody knows.
   */
  resume(
    peer: Greeting,
    incarnation: string,
  ): { readonly done: Outgoing[]; readonly unknown: Outgoing[] } {
    this.#windowMax = Math.min(Math.max(peer.window, limits.rnpWindowBytesMin), limits.rnpWindowBytesMax);
    this.#window = limits.rnpWindowBytesMin;
    const done: Outgoing[] = [];
    const unknown: Outgoing[] = [];
    if (peer.received?.incarnation === incarnation) {
      for (const [channel, seq] of Object.entries(peer.received.channels)) {
        done.push(...this.acknowledged(channel, seq));
      }
    }
    // Those that were sent last come before those that still wait to be sent again.
    const again = [...Array.from(this.#sent.values(), (sent) => sent.drain()).flat(), ...this.#again.drain()];
    for (const outgoing of again) {
      const isUnknown = outgoing.delivery === "exactly-once" && outgoing.sentTo !== peer.incarnation;
      if (isUnknown) unknown.push(outgoing);
      else this.#again.push(outgoing);
    }
    this.#sentBytes = 0;
    this.#waitingBytes = this.#waiting.sum(bytesOf) + this.#again.sum(bytesOf);
    return { done, unknown };
  }

  /** Gives up on all of them. */
  drain(): Outgoing[] {
    const sent = Array.from(this.#sent.values(), (fifo) => fifo.drain()).flat();
    this.#waitingBytes = this.#sentBytes = 0;
    return [...sent, ...this.#again.drain(), ...this.#waiting.drain()];
  }
}

function bytesOf({ frame }: Outgoing): number {
  return frame.length;
}
