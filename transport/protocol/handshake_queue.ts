import type { Address } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";
import { networkOf } from "./guess_meter.ts";

/** A handshake packet, and whose it is. */
export interface WaitingHandshake {
  /** Where it came from. */
  readonly from: Address;
  /** The packet. */
  readonly packet: Uint8Array;
}

/**
 * Handshakes that wait for their turn, `limits.handshakeQueueMax` at most. Addresses that have proved that they receive go before all others,
 * and take their places: a flood under invented addresses keeps nobody out who has got as far as a cookie. Of those each network has its
 * turns, and the one that fills the queue gives way: a flood with good cookies keeps out itself.
 */
export class HandshakeQueue {
  /** By network, the next one first. */
  readonly #proven = new Map<string, WaitingHandshake[]>();
  readonly #unproven: WaitingHandshake[] = [];
  #provenCount = 0;

  /** How many wait. */
  get size(): number {
    return this.#provenCount + this.#unproven.length;
  }

  /** Takes one in, with a copy of its packet. False when one is dropped for lack of room: this one, or one that gives way to it. */
  add({ from, packet }: WaitingHandshake, isProven: boolean): boolean {
    const isFull = this.size >= limits.handshakeQueueMax;
    const network = isProven ? networkOf(from) : "";
    if (isFull && !(isProven && this.#makeRoom(network))) return false;
    const share = isProven ? this.#shareOf(network) : this.#unproven;
    share.push({ from, packet: packet.slice() });
    if (isProven) this.#provenCount++;
    return !isFull;
  }

  /** The next one. */
  take(): WaitingHandshake | undefined {
    const [turn] = this.#proven;
    if (!turn) return this.#unproven.shift();
    const [network, share] = turn;
    this.#proven.delete(network);
    if (share.length > 1) this.#proven.set(network, share);
    this.#provenCount--;
    return share.shift();
  }

  #shareOf(network: string): WaitingHandshake[] {
    const share = this.#proven.get(network) ?? [];
    this.#proven.set(network, share);
    return share;
  }

  /** Drops the newest that is not proven; or of the network that has most, if that is more than this one would have. Whether there was one. */
  #makeRoom(network: string): boolean {
    if (this.#unproven.pop()) return true;
    let most = this.#proven.get(network) ?? [];
    const wouldHave = most.length + 1;
    for (const share of this.#proven.values()) if (share.length > most.length) most = share;
    if (most.length <= wouldHave) return false;
    this.#provenCount--;
    return most.pop() !== undefined;
  }
}
