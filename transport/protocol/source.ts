import type { Address } from "../../codec/address.ts";
import type { Ask, Grant } from "../../codec/grant.ts";
import { MAC_BYTES } from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import { Attempts } from "./attempts.ts";
import type { Flow } from "./flow.ts";
import { OFFERS } from "./handshake_shape.ts";
import type { PostQuantum } from "./handshake_shape.ts";

/** Where one exposer is, and how it knows us. */
export interface SourceFacts {
  /** Its addresses, 1 to 8. */
  readonly addresses: readonly Address[];
  /** Its key, when it is known. */
  readonly exposerKey?: Uint8Array;
  /** Which ticket, 8 bytes, and its psk; absent: none. */
  readonly ticket?: { readonly id: Uint8Array; readonly psk: Uint8Array };
  /** It is a cache: as long as it serves, those who are none are spared. */
  readonly isEdge?: boolean;
}

/** What all sources of a pull are asked with. */
export interface SourceOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** X25519 private key of this node, or of this pull. */
  readonly staticPrivate: Uint8Array;
  /** Whether handshakes are hybrid; absent: `auto`. */
  readonly postQuantum?: PostQuantum;
  /** What is asked for, with the ID of a ticket, 8 bytes. */
  readonly ask: (ticketId: Uint8Array) => Ask;
}

/** What came of a HANDSHAKE packet: the next message is due, another fragment is awaited, or a source has answered. */
export type SourceAnswer =
  | "next"
  | "part"
  | { readonly granted: true; readonly grant: Grant }
  | { readonly granted: false; readonly reason: number; readonly from: Address };

const HANDSHAKE_EVERY_MS = 1000;
const SILENT_TIMEOUTS_MAX = 3;
const RENEW_AT_SHARE = 0.8;
const NO_TICKET = new Uint8Array(8);

/** One source of a pull: its handshakes, its token, and the flow of what it sends. */
export class Source {
  /** Requests and symbols; from the beginning of the pull on. */
  flow: Flow | undefined;
  /** It is asked for nothing more. */
  isGone = false;
  /** When something of use came from it last, or it was asked first. */
  heardAt: number;
  /** Which one it is, from 0. */
  readonly number: number;
  /** Whether nobody has said that it is one: it was found in trying. */
  readonly isTrial: boolean;
  /** What it was asked with. */
  readonly facts: SourceFacts;
  readonly #options: SourceOptions;
  #attempts: Attempts | undefined;
  #attemptsSince: number;
  #renewAt = Infinity;
  #tokenLost = false;
  #to: Address | undefined;
  #grant: Grant | undefined;
  #roundTrip = 0;
  #isHybrid = false;
  /** When it last answered a handshake: that alone is no progress. */
  #answeredAt = -Infinity;
  /** Proved by a handshake, or named by the ticket: from then on it is never anybody else. */
  #exposerKey: Uint8Array | undefined;

  /** Begins the handshake; the first packet is due at once. */
  constructor(now: number, number: number, facts: SourceFacts, options: SourceOptions, isTrial = false) {
    this.heardAt = now;
    this.number = number;
    this.isTrial = isTrial;
    this.facts = facts;
    this.#options = options;
    this.#attemptsSince = now;
    this.#exposerKey = facts.exposerKey;
    this.#shakeHands(now);
  }

  /** Which address of it has granted the pull. */
  get address(): Address | undefined {
    return this.#to;
  }

  /** Its newest grant. */
  get grant(): Grant | undefined {
    return this.#grant;
  }

  /** Its key, when it is known or proved. */
  get exposerKey(): Uint8Array | undefined {
    return this.#exposerKey;
  }

  /** Whether its last handshake was hybrid. */
  get isHybrid(): boolean {
    return this.#isHybrid;
  }

  /** Of the handshake, ms. */
  get roundTrip(): number {
    return this.#roundTrip;
  }

  /** When it last answered a handshake. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Handshakes under way, to look at. */
  get attempts(): Attempts | undefined {
    return this.#attempts;
  }

  /** Where it may be. */
  get addresses(): readonly Address[] {
    return this.facts.addresses;
  }

  /** Whether it is asked with a ticket. */
  get hasTicket(): boolean {
    return this.facts.ticket !== undefined;
  }

  /** When a handshake packet is due, or the flow wants to be woken. */
  get deadline(): number {
    return Math.min(this.#attempts?.deadline ?? this.#renewAt, this.flow?.deadline ?? Infinity);
  }

  /** Handshake packets that are due. */
  *due(now: number): Generator<{ to: Address; bytes: Uint8Array }> {
    if (!this.#attempts && now >= this.#renewAt) this.#shakeHands(now);
    if (this.#attempts) yield* this.#attempts.due(now);
  }

  /** Takes a HANDSHAKE packet; `undefined` when it is not of one of ours. */
  handleHandshake(now: number, packet: Uint8Array): SourceAnswer | undefined {
    const result = this.#attempts?.handle(now, packet);
    if (!result || result === "next" || result === "part") return result;
    const { answer, address } = result;
    if (!answer.granted) return { ...answer, from: address };
    this.#attempts = undefined;
    this.#renewAt = now + answer.grant.tokenLifeSeconds * 1000 * RENEW_AT_SHARE;
    this.#roundTrip = result.roundTrip;
    this.#to = address;
    this.#exposerKey = result.exposerKey;
    this.#isHybrid = result.isHybrid;
    this.#answeredAt = now;
    this.heardAt = now;
    return answer;
  }

  /** The grant of the last answer is taken. */
  accept(now: number, grant: Grant): void {
    this.#grant = grant;
    this.flow?.renew(now, grant, this.#tokenLost);
    this.#tokenLost = false;
  }

  /** Its present token seems to be good no longer, and with it what is under way. */
  renewSoon(now: number): void {
    this.#tokenLost = true;
    const soonest = this.#attemptsSince + HANDSHAKE_EVERY_MS;
    if (this.#attempts) return;
    if (now >= soonest) this.#shakeHands(now);
    else this.#renewAt = Math.min(this.#renewAt, soonest);
  }

  /** What it was asked for did not come in time: often enough in a row, its token may be to blame. */
  handleLost(now: number): void {
    if (this.flow!.silentTimeouts >= SILENT_TIMEOUTS_MAX) this.renewSoon(now);
  }

  /** Whether a tag, or what a refusal echoes, is that of its flow. */
  hasTag(tag: Uint8Array): boolean {
    return this.flow !== undefined && equalBytes(tag, this.flow.tag);
  }

  /** Whether a control packet of `size` bytes and a MAC is its own. */
  hasSent(packet: Uint8Array, size: number): boolean {
    return packet.length === size + MAC_BYTES && this.flow !== undefined &&
      packetMacIsRight(this.#options.engine, this.flow.pullKey, packet);
  }

  #shakeHands(now: number): void {
    const { engine, random, staticPrivate, ask, postQuantum = "auto" } = this.#options;
    const { addresses, ticket } = this.facts;
    const exposerKey = this.#exposerKey;
    this.#attemptsSince = now;
    this.#attempts = new Attempts(now, addresses, {
      engine,
      random,
      staticPrivate,
      ask: ask(ticket?.id ?? NO_TICKET),
      offers: OFFERS[postQuantum],
      ...(exposerKey && { exposerKey }),
      ...(ticket && { psk: ticket.psk }),
    });
  }
}
