import type { Address } from "../../codec/address.ts";
import type { Retry } from "../../codec/control.ts";
import { Offer, RETRY_HYBRID_FLAG } from "../../codec/handshake.ts";
import { equalBytes } from "../../core/bytes.ts";
import { Initiator } from "./initiator.ts";
import type { HandshakeResult, InitiatorOptions } from "./initiator.ts";

/** Addresses are tried one after the other, this far apart, and all go on until one answers (RFC 8305 §5). */
const STAGGER_MS = 250;
/** Then each is repeated: soon enough that half of all packets may get lost, and ever less often. */
const RESEND_MS = 250;
const RESEND_GROWTH = 1.2;
const RESEND_MS_MAX = 2000;
/** So many hints that our packets mean another exposer, before they are believed. */
const KEY_HINTS_MIN = 3;
/** So many RETRYs bring a packet at once; further ones have to wait for its time. */
const RETRIES_AT_ONCE = 3;
/** So often is the last message of XX repeated: then its cookie is taken for dead, and the handshake starts anew. */
const LAST_TRIES_MAX = 5;

/** So often the first question is put again beside a hybrid message: whoever said that it is taken may be restarted, or a stranger. */
const ASK_AGAIN_TRIES = 3;

interface Attempt {
  readonly address: Address;
  initiator: Initiator;
  /** The hybrid message, once the exposer at that address takes one. */
  hybrid: Initiator | undefined;
  sendAt: number;
  /** When the present message went out first. */
  sentAt: number;
  tries: number;
  keyHints: number;
  retries: number;
  /** Something has come that only an answer to our packet holds. */
  heard: boolean;
}

/** Handshakes with all addresses of one exposer at once: the first good answer wins. */
export class Attempts {
  readonly #attempts: Attempt[];
  readonly #options: InitiatorOptions;
  #versionHints = 0;

  /** Starts one attempt for each address; the first is due at `now`. */
  constructor(now: number, addresses: readonly Address[], options: InitiatorOptions) {
    this.#options = options;
    this.#attempts = addresses.map((address, i) => ({
      address,
      initiator: new Initiator(options),
      hybrid: undefined,
      sendAt: now + i * STAGGER_MS,
      sentAt: now,
      tries: 0,
      keyHints: 0,
      retries: 0,
      heard: false,
    }));
  }

  /** When the next packet is due. */
  get deadline(): number {
    return Math.min(...this.#attempts.map((attempt) => attempt.sendAt));
  }

  /** Packets that are due now. */
  *due(now: number): Generator<{ to: Address; bytes: Uint8Array }> {
    for (const attempt of this.#attempts) {
      if (now < attempt.sendAt) continue;
      if (attempt.initiator.isLast && attempt.tries >= LAST_TRIES_MAX) {
        attempt.initiator = new Initiator(this.#options);
        attempt.tries = 0;
      }
      // The first of several sends: an answer may be to any of them, and a round trip that is too short would do harm.
      if (attempt.tries === 0) attempt.sentAt = now;
      attempt.sendAt = now + Math.min(RESEND_MS_MAX, RESEND_MS * RESEND_GROWTH ** attempt.tries++);
      for (const bytes of packetsOf(attempt)) yield { to: attempt.address, bytes };
    }
  }

  /**
   * Takes a HANDSHAKE packet: `"next"` when the next message is due, `"part"` when another fragment is awaited. A result carries the round trip that it took, in ms, and the
   * address that was asked, which need not be where the packet seemed to come from: that proves nothing.
   */
  handle(
    now: number,
    packet: Uint8Array,
  ): (HandshakeResult & { address: Address; roundTrip: number }) | "next" | "part" | undefined {
    const { attempt, initiator } = this.#find(packet.subarray(4, 12)) ?? {};
    const result = initiator?.handle(packet);
    if (!attempt || !initiator) return undefined;
    if (!result) return initiator.hasPart ? "part" : undefined;
    if (result === "next") {
      attempt.initiator = initiator;
      attempt.hybrid = undefined;
      attempt.sendAt = now;
      attempt.tries = 0;
      return "next";
    }
    return { ...result, address: attempt.address, roundTrip: now - attempt.sentAt };
  }

  /** Takes the cookie of a RETRY, if it is for us; with word that a hybrid is taken (`flags`), that is begun. */
  handleRetry(now: number, { exchange, cookie, flags }: Retry & { flags: number }): boolean {
    const found = this.#find(exchange);
    if (!found || found.initiator.isLast) return false;
    const { attempt } = found;
    const initiator = (flags & RETRY_HYBRID_FLAG) !== 0 ? this.#hybrid(attempt) : found.initiator;
    if (!initiator?.handleRetry(cookie)) return true;
    // Nothing proves a RETRY: a forger must not make us send as often as he does.
    if (attempt.retries++ < RETRIES_AT_ONCE) attempt.sendAt = now;
    return true;
  }

  #hybrid(attempt: Attempt): Initiator | undefined {
    if (!this.#options.offers?.includes(Offer.X25519_MLKEM768)) return undefined;
    if (!attempt.hybrid) {
      attempt.hybrid = new Initiator({ ...this.#options, isHybrid: true });
      attempt.tries = 0;
    }
    return attempt.hybrid;
  }

  /** Somebody hints that our key is not theirs, or our version. */
  handleHint(exchange: Uint8Array, hint: "key" | "version"): boolean {
    const { attempt } = this.#find(exchange) ?? {};
    // One for each packet of ours: a single forger cannot outrun the exposer's own answer.
    if (attempt && hint === "key") attempt.keyHints = Math.min(attempt.keyHints + 1, attempt.tries);
    if (attempt && hint === "version") this.#versionHints++;
    return attempt !== undefined;
  }

  /** Whether every address that was tried keeps saying that it is not the exposer that we mean. */
  get wrongExposer(): boolean {
    return this.#attempts.every((attempt) => attempt.keyHints >= KEY_HINTS_MIN);
  }

  /** Whether some address hinted at another version. */
  get otherVersion(): boolean {
    return this.#versionHints > 0;
  }

  /** The addresses from which an answer of any kind has come. */
  get heard(): Address[] {
    return this.#attempts.filter(({ heard }) => heard).map(({ address }) => address);
  }

  /** Of these, those that have hinted that they are not the exposer that we mean. */
  get strangers(): Address[] {
    return this.#attempts.filter(({ keyHints }) => keyHints > 0).map(({ address }) => address);
  }

  /** The attempt that a packet answers: it names our exchange, which nobody else has seen. */
  #find(exchange: Uint8Array): { attempt: Attempt; initiator: Initiator } | undefined {
    for (const attempt of this.#attempts) {
      const { initiator, hybrid } = attempt;
      const own = [initiator, hybrid].find((one) => one && equalBytes(one.exchange, exchange));
      if (!own) continue;
      attempt.heard = true;
      return { attempt, initiator: own };
    }
    return undefined;
  }
}

function packetsOf({ initiator, hybrid, tries }: Attempt): Uint8Array[] {
  if (!hybrid) return initiator.packets;
  return tries % ASK_AGAIN_TRIES === 0 ? [...hybrid.packets, ...initiator.packets] : hybrid.packets;
}
