import { addressBytes } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";

/** Wrong guesses that somebody still has, at a time. */
interface Account {
  readonly left: number;
  readonly at: number;
}

/** What an account may hold, and how long it takes to get one more. */
interface Rate {
  readonly atOnce: number;
  readonly intervalMs: number;
}

const NETWORK: Rate = { atOnce: limits.guessesAtOnceMax, intervalMs: limits.guessIntervalMs };
const TOTAL: Rate = { atOnce: limits.guessesTotalAtOnceMax, intervalMs: limits.guessTotalIntervalMs };

/** After this long an account is full again, and need not be kept. */
const FORGET_MS = NETWORK.atOnce * NETWORK.intervalMs;

/**
 * Bounds how many guesses at one passphrase are told from right ones. Each network (an IPv4 address, an IPv6 /64) has an account, and all
 * share one: no single guesser locks the others out, and many do not guess faster. Memory is bounded, whoever comes.
 */
export class GuessMeter {
  #total: Account;
  /** Those that guessed last stand last. */
  readonly #networks = new Map<string, Account>();

  /** Nobody has guessed yet; `now` is monotonic ms. */
  constructor(now: number) {
    this.#total = { left: TOTAL.atOnce, at: now };
  }

  /** Accounts that are kept. */
  get size(): number {
    return this.#networks.size;
  }

  /** Whether a guess from that address may be right now. Where not, nobody may learn whether it was. */
  allows(now: number, from: Address): boolean {
    this.#forget(now);
    const account = this.#networks.get(this.#nameOf(from));
    return left(this.#total, TOTAL, now) >= 1 && (!account || left(account, NETWORK, now) >= 1);
  }

  /** A guess that was allowed was wrong. */
  note(now: number, from: Address): void {
    this.#forget(now);
    this.#total = spent(this.#total, TOTAL, now);
    const name = this.#nameOf(from);
    const account = spent(this.#networks.get(name) ?? { left: NETWORK.atOnce, at: now }, NETWORK, now);
    this.#networks.delete(name);
    this.#networks.set(name, account);
  }

  /** Beyond the bound, newcomers share one account. */
  #nameOf(from: Address): string {
    const name = networkOf(from);
    const isFull = this.#networks.size >= limits.guessNetworksMax - 1;
    return isFull && !this.#networks.has(name) ? OTHERS : name;
  }

  #forget(now: number): void {
    for (const [name, { at }] of this.#networks) {
      if (now - at < FORGET_MS) return;
      this.#networks.delete(name);
    }
  }
}

const OTHERS = "others";
const IPV4_MAPPED = "00000000000000000000ffff";

/** The network that an address is of, as text: an IPv4 address, or a /64 of IPv6. */
export function networkOf(from: Address): string {
  const bytes = addressBytes(from).toHex();
  return bytes.startsWith(IPV4_MAPPED) ? bytes.slice(0, 32) : bytes.slice(0, 16);
}

function left({ left, at }: Account, { atOnce, intervalMs }: Rate, now: number): number {
  return Math.min(atOnce, left + Math.max(0, now - at) / intervalMs);
}

function spent(account: Account, rate: Rate, now: number): Account {
  return { left: Math.max(0, left(account, rate, now) - 1), at: Math.max(now, account.at) };
}
