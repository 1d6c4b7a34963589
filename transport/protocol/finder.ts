import type { Address } from "../../codec/address.ts";
import { refusal, RefusalReason, retry } from "../../codec/control.ts";
import { DenialReason } from "../../codec/grant.ts";
import type { Ask, Grant } from "../../codec/grant.ts";
import { PacketType, PROTOCOL_VERSION, readWord } from "../../codec/packet.ts";
import type { Machine, Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { Attempts } from "./attempts.ts";
import { OFFERS } from "./handshake_shape.ts";
import type { PostQuantum } from "./handshake_shape.ts";
import type { PassphraseProver } from "./passphrase_prover.ts";
import { listed, silence, STALL_NOTICE_MS } from "./pull_failures.ts";
import type { Silence } from "./pull_failures.ts";

/** What a finder asks its shell to do. */
export type FinderOutput =
  /** Send one packet. */
  | { readonly kind: "send"; readonly to: Address; readonly bytes: Uint8Array }
  /** No answer of use has come for a while: {@linkcode FinderMachine.silence} says what is known of why. Once. */
  | { readonly kind: "stalled" }
  /** It is there, and may be pulled; the exposer has proved this key. */
  | { readonly kind: "found"; readonly grant: Grant; readonly exposerKey: Uint8Array }
  /** It ends without an answer of use. */
  | { readonly kind: "failed"; readonly why: FinderFailure };

/** Why something was not found: absent and denied are one. */
export type FinderFailure = "silence" | "wrong key" | "denied" | "source changed" | "version";

/** What a finder is made of. */
export interface FinderOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** X25519 private key of this node, or of this question. */
  readonly staticPrivate: Uint8Array;
  /** The exposer's key when it is known: then nobody else is asked. */
  readonly exposerKey?: Uint8Array;
  /** What is asked for: a name, the list, or (by passphrase) an ID. */
  readonly ask: Ask;
  /** For what a passphrase opens: see `InitiatorOptions`. */
  readonly passphrase?: PassphraseProver;
  /** Where to ask, 1 to 8. */
  readonly addresses: readonly Address[];
  /** Whether the handshake is hybrid; absent: `auto`. */
  readonly postQuantum?: PostQuantum;
  /** How long to wait for an answer. */
  readonly timeoutMs: number;
  /** See `PullerOptions.network`. */
  readonly network?: () => string;
}

/** Asks what is called so: one handshake, sans-IO. Nothing is pulled. */
export class FinderMachine implements Machine<FinderOutput> {
  readonly #attempts: Attempts;
  readonly #outputs: FinderOutput[] = [];
  readonly #addresses: readonly Address[];
  readonly #network: () => string;
  readonly #endsAt: number;
  #stallsAt: number;
  #ended = false;

  /** Begins the handshake; the first packet is due at once. @throws {RangeError} when the name has no or too many bytes */
  constructor(
    now: number,
    { addresses, timeoutMs, network = () => "", postQuantum = "auto", ...handshake }: FinderOptions,
  ) {
    this.#addresses = addresses;
    this.#network = network;
    this.#endsAt = now + timeoutMs;
    this.#stallsAt = now + STALL_NOTICE_MS;
    this.#attempts = new Attempts(now, addresses, { ...handshake, offers: OFFERS[postQuantum] });
    this.#send(now);
  }

  /** A datagram has arrived. Where from proves nothing: only what it says does. */
  handleDatagram(now: number, _from: Address, packet: Uint8Array): void {
    const word = readWord(packet);
    if (this.#ended || word?.version !== PROTOCOL_VERSION) return;
    if (word.type === PacketType.HANDSHAKE) this.#handleHandshake(now, packet);
    else if (word.type === PacketType.RETRY) this.#handleRetry(now, packet);
    else if (word.type === PacketType.REFUSAL) this.#handleRefusal(packet);
  }

  /** See {@linkcode Machine.handleTimeout}. */
  handleTimeout(now: number): void {
    if (this.#ended) return;
    if (now >= this.#endsAt) return this.#fail(this.#attempts.otherVersion ? "version" : "silence");
    if (now >= this.#stallsAt) {
      this.#stallsAt = Infinity;
      this.#outputs.push({ kind: "stalled" });
    }
    this.#send(now);
  }

  /** See {@linkcode Machine.deadline}. */
  get deadline(): number {
    return this.#ended ? Infinity : Math.min(this.#endsAt, this.#stallsAt, this.#attempts.deadline);
  }

  /** What is known of why no answer comes. */
  get silence(): Silence {
    const { heard, strangers, otherVersion, wrongExposer } = this.#attempts;
    return silence({
      isGranted: false,
      hasAnswered: false,
      isOtherVersion: otherVersion,
      isWrongExposer: wrongExposer,
      addresses: listed(this.#addresses),
      heard: listed(heard),
      strangers: listed(strangers),
      network: this.#network(),
      source: "",
    });
  }

  /** See {@linkcode Machine.poll}. */
  poll(): FinderOutput | undefined {
    return this.#outputs.shift();
  }

  #handleHandshake(now: number, packet: Uint8Array): void {
    const result = this.#attempts.handle(now, packet);
    if (!result || result === "part") return;
    if (result === "next") return this.#send(now);
    const { answer, exposerKey } = result;
    if (answer.granted) {
      this.#ended = true;
      this.#outputs.push({ kind: "found", grant: answer.grant, exposerKey });
    } else if (answer.reason !== DenialReason.BUSY) {
      this.#fail(answer.reason === DenialReason.SOURCE_CHANGED ? "source changed" : "denied");
    }
  }

  #handleRetry(now: number, packet: Uint8Array): void {
    const message = retry.decode(packet);
    if (message && this.#attempts.handleRetry(now, message)) this.#send(now);
  }

  /** Hints: they end nothing before every address has given several. */
  #handleRefusal(packet: Uint8Array): void {
    const message = refusal.decode(packet);
    if (message?.field === RefusalReason.VERSION) this.#attempts.handleHint(message.echo, "version");
    if (message?.field !== RefusalReason.KEY) return;
    this.#attempts.handleHint(message.echo, "key");
    if (this.#attempts.wrongExposer) this.#fail("wrong key");
  }

  #send(now: number): void {
    for (const packet of this.#attempts.due(now)) this.#outputs.push({ kind: "send", ...packet });
  }

  #fail(why: FinderFailure): void {
    this.#ended = true;
    this.#outputs.push({ kind: "failed", why });
  }
}
