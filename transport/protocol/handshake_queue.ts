import type { Address } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";

/** A handshake packet, and whose it is. */
export interface WaitingHandshake {
  /** Where it came from. */
  readonly from: Address;
  /** The packet. */
  readonly packet: Uint8Array;
}

/**
 * Handshakes that wait for their turn, `limits.handshakeQueueMax` at most. Addresses that have proved that they receive go before all others,
 * and take their places: a flood under invented addresses keeps nobody out who has got as far as a cookie.
 */
export class HandshakeQueue {
  readonly #proven: WaitingHandshake[] = [];
  readonly #unproven: WaitingHandshake[] = [];

  /** How many wait. */
  get size(): number {
    return this.#proven.length + this.#unproven.length;
  }

  /** Takes one in, with a copy of its packet. False when one is dropped for lack of room: this one, or the newest of those that it goes before. */
  add({ from, packet }: WaitingHandshake, isProven: boolean): boolean {
    const isFull = this.size >= limits.handshakeQueueMax;
    if (isFull && (!isProven || this.#unproven.pop() === undefined)) return false;
    (isProven ? this.#proven : this.#unproven).push({ from, packet: packet.slice() });
    return !isFull;
  }

  /** The next one. */
  take(): WaitingHandshake | undefined {
    return this.#proven.shift() ?? this.#unproven.shift();
  }
}
