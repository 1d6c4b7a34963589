/*
 * The exposer's side of the handshake. It keeps no state: what it must remember of XX between two messages travels in a sealed
 * cookie. Every answer is encrypted under keys that are fresh for that answer, so a message that is played back a thousand times
 * gets a thousand unrelated answers.
 */
import { addressBytes } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { RefusalReason, retry } from "../../codec/control.ts";
import { AskKind, decodeAsk, DenialReason, encodeAnswer, INSTANCE_BYTES } from "../../codec/grant.ts";
import type { Answer, Ask } from "../../codec/grant.ts";
import {
  decodeHandshake,
  encodeFragments,
  HANDSHAKE_HEAD_BYTES,
  HandshakeMessage,
  handshakePrologue,
  Offer,
  RETRY_COOKIE_BYTES,
  RETRY_HYBRID_FLAG,
} from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { PacketType, PROTOCOL_VERSION } from "../../codec/packet.ts";
import { decodePassphraseAsk } from "../../codec/passphrase.ts";
import { concatBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { GRANT_SEAL_BYTES, sealGrant } from "../../crypto/grant_seal.ts";
import { Handshake } from "../../crypto/noise.ts";
import type { NoisePattern } from "../../crypto/noise.ts";
import { CookieJar, RetryCookies } from "../../crypto/sealed_box.ts";
import type { TokenMint } from "../../crypto/tokens.ts";
import { requestCeiling } from "./answers.ts";
import type { DropReason } from "./drops.ts";
import { NO_KEY } from "./exposed.ts";
import type { Exposed } from "./exposed.ts";
import type { HandshakeOutcome } from "./exposer_types.ts";
import { HandshakeAssemblies } from "./handshake_assemblies.ts";
import {
  bareMessage,
  FIRST_MESSAGE_BYTES,
  GRANT_AAD_BYTES,
  NO_PSK,
  OFFERS,
  provesSecret,
  sealedAad,
  shapeOf,
  shapeOfFirst,
} from "./handshake_shape.ts";
import type { HandshakeShape, PostQuantum } from "./handshake_shape.ts";
import { PassphraseGate } from "./passphrase_gate.ts";

/** What came of a handshake packet. */
export interface HandshakeReply {
  /** To be sent back. */
  readonly bytes?: Uint8Array;
  /** To be sent after it: the other fragments of a hybrid answer. */
  readonly more?: readonly Uint8Array[];
  /** To be sent back, as a hint, at a bounded rate. */
  readonly refuse?: { readonly reason: number; readonly echo: Uint8Array };
  /** Why it was dropped. */
  readonly drop?: DropReason;
  /** Who got what. */
  readonly granted?: { readonly exposed: Exposed; readonly ticketId: Uint8Array; readonly isHybrid: boolean };
  /** `bytes` say no. */
  readonly denied?: boolean;
}

/** What came of a handshake packet, in a word. */
export function outcomeOf({ granted, denied, drop }: HandshakeReply): HandshakeOutcome {
  if (granted) return "granted";
  if (denied) return "denied";
  return drop === undefined ? "answered" : "dropped";
}

/** What a responder is made of. */
export interface ResponderOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** X25519 private key, 32 bytes. */
  readonly staticPrivate: Uint8Array;
  /** Random bytes. */
  readonly random: Random;
  /** Makes tokens. */
  readonly mint: TokenMint;
  /** Bytes a second that each puller may have at most; `Infinity` without a ceiling. */
  readonly pullRateMax: number;
  /** The exposure of an ID. */
  readonly find: (id: Uint8Array) => Exposed | undefined;
  /** The exposures that somebody may mean by a name or label, the best first; absent: none. */
  readonly findNamed?: (name: string) => readonly Exposed[];
  /** The lists that there are, each for others; absent: none. */
  readonly findLists?: () => readonly Exposed[];
  /** Whether handshakes are hybrid; absent: `auto`. */
  readonly postQuantum?: PostQuantum;
  /** An exposure whose `access` is asked, for the time that it takes, where there is nothing to ask; absent: none. */
  readonly decoy?: () => Exposed | undefined;
}

/** Messages that bring back a state cookie. */
const LAST: ReadonlySet<number> = new Set([HandshakeMessage.XX3, HandshakeMessage.PASS_PROOF]);

/** Answers handshake packets. */
export class Responder {
  readonly #options: ResponderOptions;
  readonly #cookies: CookieJar;
  readonly #retries: RetryCookies;
  readonly #gate: PassphraseGate;
  readonly #assemblies = new HandshakeAssemblies();
  /** Tells pullers that several addresses are this one exposer. */
  readonly #instance: Uint8Array;
  #second = { at: -Infinity, handshakes: 0 };

  /** Fresh cookie keys, in memory only. */
  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#cookies = new CookieJar(options.engine, options.random);
    this.#retries = new RetryCookies(options.engine, options.random);
    this.#gate = new PassphraseGate({ ...options, cookies: this.#cookies });
    this.#instance = options.random(INSTANCE_BYTES);
  }

  /**
   * What costs little is done with a HANDSHAKE packet as soon as it comes: whatever is wrong with it, or with its cookie, is answered here, and
   * so is who has to prove its address first. What is left is worth {@linkcode Responder.work}: an address is `"proven"` if it has shown
   * that it receives.
   */
  screen(now: number, from: Address, packet: Uint8Array): HandshakeReply | "proven" | "unproven" {
    const message = decodeHandshake(packet);
    if (!message) return { drop: "malformed" };
    const shape = shapeOfFirst(message.message);
    if (message.fragments !== (shape?.fragments ?? 1)) return { drop: "unexpected" };
    if (LAST.has(message.message)) {
      const state = this.#cookies.open(now, cookieAad(from, message.message), message.stateCookie);
      return state ? "proven" : { drop: "bad cookie" };
    }
    if (!shape) return { drop: "unexpected" };
    if (packet.length < FIRST_MESSAGE_BYTES - RETRY_COOKIE_BYTES) return { drop: "handshake too short" };
    const { takesPlain, takesHybrid } = this.#choices(message.offers);
    if (!takesPlain && !takesHybrid) {
      const refuse = { reason: RefusalReason.VERSION, echo: message.exchange.slice() };
      return { drop: "unexpected", refuse };
    }
    if (shape.offer === Offer.X25519_MLKEM768) {
      if (!takesHybrid) return { drop: "unexpected" };
      // Memory is for addresses that have proved themselves, whatever the load.
      const isProven = this.#retries.check(now, addressBytes(from), message.retryCookie);
      return isProven ? "proven" : { drop: "bad cookie", bytes: this.#retry(now, from, message, true) };
    }
    // Whoever offers a hybrid gets nothing less: so nobody on the way can talk the two of us out of it. A ticket's secret is no less, and
    // saves a round trip; under load, where there is one more anyway, half the work.
    const isEnough = takesPlain && (!takesHybrid || provesSecret(shape.pattern));
    if (!isEnough) return { bytes: this.#retry(now, from, message, true) };
    return this.#challenge(now, from, message);
  }

  /** The answer to one HANDSHAKE packet, for whoever has no queue between the two steps. */
  answer(now: number, from: Address, packet: Uint8Array): HandshakeReply {
    const screened = this.screen(now, from, packet);
    return typeof screened === "string" ? this.work(now, from, packet) : screened;
  }

  /** The answer to a packet that has passed {@linkcode Responder.screen}: a Diffie-Hellman and more. */
  work(now: number, from: Address, packet: Uint8Array): HandshakeReply {
    const message = decodeHandshake(packet);
    if (!message) return { drop: "malformed" };
    if (message.message === HandshakeMessage.XX3) return this.#answerLast(now, from, message);
    if (message.message === HandshakeMessage.PASS_PROOF) return this.#answerProof(now, from, message, packet);
    const shape = shapeOfFirst(message.message);
    if (!shape) return { drop: "unexpected" };
    const isWhole = shape.offer !== Offer.X25519_MLKEM768;
    return isWhole
      ? this.#answerFirst(now, from, message, shape)
      : this.#answerFragment(now, from, message, shape);
  }

  /** What is kept of messages in fragments, to look at. */
  get fragmented(): number {
    return this.#assemblies.size;
  }

  /** Overwrites cookie keys whose life is over. */
  expire(now: number): void {
    this.#cookies.expire(now);
    this.#assemblies.expire(now);
  }

  /** What can be chosen among a puller's offers. */
  #choices(offers: readonly number[]): { takesPlain: boolean; takesHybrid: boolean } {
    const ours = OFFERS[this.#options.postQuantum ?? "auto"];
    const takes = (offer: number) => ours.includes(offer) && offers.includes(offer);
    return { takesPlain: takes(Offer.X25519), takesHybrid: takes(Offer.X25519_MLKEM768) };
  }

  /** A cookie for whoever is at that address, and word that a hybrid is to come of it, or the same message again. */
  #retry(now: number, from: Address, { exchange }: HandshakePacket, isHybrid: boolean): Uint8Array {
    const cookie = this.#retries.mint(now, addressBytes(from));
    return retry.encode({ exchange, cookie }, { flags: isHybrid ? RETRY_HYBRID_FLAG : 0 });
  }

  /** Under load an address must prove that it receives before any Diffie-Hellman is done for it. */
  #challenge(
    now: number,
    from: Address,
    message: HandshakePacket,
  ): HandshakeReply | "proven" | "unproven" {
    if (now - this.#second.at >= 1000) this.#second = { at: now, handshakes: 0 };
    this.#second.handshakes++;
    const hasCookie = message.retryCookie.length > 0;
    if (hasCookie && this.#retries.check(now, addressBytes(from), message.retryCookie)) return "proven";
    if (this.#second.handshakes <= limits.handshakesPerSecondBeforeRetry) return "unproven";
    const bytes = this.#retry(now, from, message, false);
    // Stale, or from before a restart: its sender would repeat it for ever if it got no other one.
    return hasCookie ? { drop: "bad cookie", bytes } : { bytes };
  }

  #answerFragment(now: number, from: Address, part: HandshakePacket, shape: HandshakeShape): HandshakeReply {
    const assembled = this.#assemblies.take(now, from, part);
    if (assembled.kind === "waits") return {};
    if (assembled.kind === "answered") return assembled.again ? { bytes: assembled.again } : {};
    const reply = this.#answerFirst(now, from, assembled.message, shape);
    const answer = reply.bytes && [reply.bytes, ...reply.more ?? []];
    this.#assemblies.settle(from, part, answer);
    return reply;
  }

  #answerFirst(now: number, from: Address, message: HandshakePacket, shape: HandshakeShape): HandshakeReply {
    const { engine, staticPrivate, random } = this.#options;
    const { pattern, way, fragments } = shape;
    const prologue = handshakePrologue(PROTOCOL_VERSION, pattern, message.offers);
    const noise = Handshake.start(engine, { pattern, initiator: false, prologue, staticPrivate });
    const payload = noise.readMessage(message.body);
    if (!payload) {
      // Most likely the puller means another exposer, or an old key of ours.
      const refuse = { reason: RefusalReason.KEY, echo: message.exchange.slice() };
      return { drop: "handshake not for this key", refuse };
    }
    const choice = Uint8Array.of(shape.offer);
    const answer = bareMessage(shape.answer, message.exchange, fragments);
    if (way === "XX") {
      const body = noise.writeMessage(choice, random);
      const aad = cookieAad(from, HandshakeMessage.XX3);
      const state = noise.exportState();
      const stateCookie = this.#cookies.seal(now, aad, state);
      state.fill(0);
      noise.wipe();
      return inPackets({ ...answer, stateCookie, body });
    }
    const decision = this.#decide(payload, noise.remoteStatic, pattern);
    if (way === "IKpsk2") noise.usePsk(decision.psk ?? NO_PSK);
    const head = noise.writeMessage(choice, random);
    return this.#conclude(now, from, { noise, payload, decision, head, answer });
  }

  #answerLast(now: number, from: Address, message: HandshakePacket): HandshakeReply {
    const { engine, staticPrivate } = this.#options;
    const state = this.#cookies.open(now, cookieAad(from, HandshakeMessage.XX3), message.stateCookie);
    const noise = state && Handshake.importState(engine, state, { staticPrivate });
    const payload = noise?.readMessage(message.body);
    if (!noise || !payload) return { drop: "bad cookie" };
    const decision = this.#decide(payload, noise.remoteStatic, "XX");
    const answer = bareMessage(HandshakeMessage.XX_GRANT, message.exchange);
    return this.#conclude(now, from, { noise, payload, decision, head: NONE, answer });
  }

  /** The end of a Noise handshake: a grant, a denial, or a challenge to whoever says that it knows a passphrase. */
  #conclude(
    now: number,
    from: Address,
    { noise, payload, decision, head, answer }: Concluded,
  ): HandshakeReply {
    const keys = noise.split();
    noise.wipe();
    const key = keys.responderKey;
    const isHybrid = noise.isHybrid;
    const asked = provesSecret(noise.pattern) ? undefined : decodePassphraseAsk(payload);
    if (!asked) return this.#reply(now, from, answer, { decision: { ...decision, isHybrid }, key, head });
    const handshake = {
      hash: noise.handshakeHash,
      keys,
      exchange: answer.exchange,
      aad: cookieAad(from, HandshakeMessage.PASS_PROOF),
    };
    const challenge = this.#gate.challenge(now, handshake, asked.share, this.#secured(asked.ask));
    if (!challenge) return { drop: "malformed" };
    return this.#sealed(answer, { plaintext: challenge, key, head });
  }

  #answerProof(now: number, from: Address, message: HandshakePacket, packet: Uint8Array): HandshakeReply {
    const aad = cookieAad(from, HandshakeMessage.PASS_PROOF);
    const head = packet.subarray(0, GRANT_AAD_BYTES);
    const proof = { cookie: message.stateCookie, head, sealed: message.body };
    const verdict = this.#gate.judge(now, from, aad, proof);
    if (!verdict) return { drop: "bad cookie" };
    const { exposed, key } = verdict;
    const passphrase = exposed?.passphrase;
    const decision = passphrase
      ? { exposed, ticketId: passphrase.ticketId, secret: passphrase.ticketSecret, isQuestion: true }
      : {};
    const answer = bareMessage(HandshakeMessage.PASS_GRANT, message.exchange);
    const answered = this.#reply(now, from, answer, { decision, key, head: NONE });
    return passphrase ? answered : { ...answered, drop: "no proof of a passphrase" };
  }

  /** What somebody means who knows a passphrase. */
  #secured(ask: Ask): Exposed | undefined {
    const { find, findNamed, findLists } = this.#options;
    const meant = "exposureId" in ask
      ? [find(ask.exposureId)]
      : "name" in ask
      ? findNamed?.(ask.name)
      : findLists?.();
    return meant?.find((exposed) => exposed?.passphrase);
  }

  /**
   * Absent and denied are one answer, with the same work behind it. A ticket counts only where the handshake proves its secret: its ID
   * alone is no more than a name.
   */
  #decide(payload: Uint8Array, pullerKey: Uint8Array | undefined, pattern: NoisePattern): Decision {
    const ask = decodeAsk(payload);
    if (!ask) return {};
    if (!("exposureId" in ask)) {
      const { findNamed, findLists } = this.#options;
      const meant = "name" in ask ? findNamed?.(ask.name) : findLists?.();
      return this.#decideQuestion(meant ?? [], pullerKey, pattern);
    }
    const exposed = this.#options.find(ask.exposureId);
    const access = (exposed ?? this.#options.decoy?.())?.access(ask.ticketId, pullerKey);
    if (!exposed || access === undefined || access === "denied") return {};
    // A psk that nobody here knows protects nothing: its holder would not believe a grant, and waits for none.
    const isRight = (access === "open") === !provesSecret(pattern);
    if (!isRight) return {};
    const isSealed = ask.kind === AskKind.SEALED;
    return { exposed, ticketId: ask.ticketId, isSealed, ...(access !== "open" && { psk: access }) };
  }

  #decideQuestion(
    meant: readonly Exposed[],
    pullerKey: Uint8Array | undefined,
    pattern: NoisePattern,
  ): Decision {
    const exposed = meant.filter((one) => one.access(NO_TICKET, pullerKey) === "open")[0];
    if (meant.length === 0) this.#options.decoy?.()?.access(NO_TICKET, pullerKey);
    if (!exposed || provesSecret(pattern)) return {};
    return { exposed, ticketId: NO_TICKET, isQuestion: true };
  }

  #reply(
    now: number,
    from: Address,
    answer: HandshakePacket,
    { decision, key, head }: { decision: Decision; key: Uint8Array; head: Uint8Array },
  ): HandshakeReply {
    const plaintext = encodeFitting(this.#answer(now, from, decision));
    const packets = this.#sealed(answer, { plaintext, key, head });
    const { exposed, ticketId, isQuestion, isHybrid = false } = decision;
    if (!exposed || !ticketId) return { ...packets, denied: true };
    return isQuestion ? packets : { ...packets, granted: { exposed, ticketId, isHybrid } };
  }

  /** `head` is what stands before the sealed part: a Noise message, or nothing. */
  #sealed(
    answer: HandshakePacket,
    { plaintext, key, head }: { plaintext: Uint8Array; key: Uint8Array; head: Uint8Array },
  ): HandshakeReply {
    const { engine, random } = this.#options;
    const sealed = sealGrant(engine, key, random, sealedAad(answer), plaintext);
    return inPackets({ ...answer, body: concatBytes(head, sealed) });
  }

  #answer(now: number, from: Address, { exposed, ticketId, secret, isSealed }: Decision): Answer {
    if (!exposed || !ticketId) return { granted: false, reason: DenialReason.DENIED };
    const { mint, pullRateMax } = this.#options;
    const flags = exposed.epoch?.() ?? 0;
    const token = mint.mint(now, { exposureId: exposed.id, ticketId, address: addressBytes(from), flags });
    const pullKey = mint.pullKey(token)!;
    const { expirySeconds } = mint.open(now, token, addressBytes(from))!;
    const leaves = exposed.leaves.length <= 32 * limits.grantLeavesMax ? exposed.leaves : new Uint8Array(0);
    return {
      granted: true,
      grant: {
        manifest: exposed.manifestBytes,
        exposureKey: isSealed ? NO_KEY : exposed.exposureKey,
        token,
        pullKey,
        receipt: mint.receipt(now, token),
        tokenLifeSeconds: Math.floor(expirySeconds - now / 1000),
        requestBytesMax: requestCeiling(exposed.manifest, !Number.isFinite(pullRateMax)),
        pullRateMax: Number.isFinite(pullRateMax) ? Math.floor(pullRateMax) : 0,
        name: exposed.name,
        leaves,
        ...(exposed.share && !isSealed && { share: exposed.share }),
        ...(secret && { secret }),
        ...(exposed.cast && { group: exposed.cast.group }),
        instance: this.#instance,
      },
    };
  }
}

interface Decision {
  readonly exposed?: Exposed;
  readonly ticketId?: Uint8Array;
  readonly psk?: Uint8Array;
  /** Of the ticket that a passphrase leads to. */
  readonly secret?: Uint8Array;
  /** It was asked what something is: the pull comes with a handshake of its own. */
  readonly isQuestion?: boolean;
  /** It was asked for without its key. */
  readonly isSealed?: boolean;
  /** In a hybrid handshake. */
  readonly isHybrid?: boolean;
}

/** A Noise handshake whose last message was read, or is written in `head`. */
interface Concluded {
  readonly noise: Handshake;
  readonly payload: Uint8Array;
  readonly decision: Decision;
  readonly head: Uint8Array;
  /** What is to be filled and sent. */
  readonly answer: HandshakePacket;
}

/** What a grant may be long, so that its packet is no longer than the shortest first message that it answers. */
const ANSWER_BYTES_MAX = FIRST_MESSAGE_BYTES - RETRY_COOKIE_BYTES - HANDSHAKE_HEAD_BYTES -
  shapeOf("IK", Offer.X25519).answerBytes - GRANT_SEAL_BYTES;

/** An answer as bytes. A long name, a group and a door leave no room for leaves: then those are on a leaf page. */
function encodeFitting(answer: Answer): Uint8Array {
  const whole = encodeAnswer(answer);
  if (!answer.granted || whole.length <= ANSWER_BYTES_MAX) return whole;
  return encodeAnswer({ granted: true, grant: { ...answer.grant, leaves: NONE } });
}

const NO_TICKET = new Uint8Array(8);
const NONE = new Uint8Array(0);

function inPackets(answer: HandshakePacket): HandshakeReply {
  const [bytes, ...more] = encodeFragments(answer);
  return more.length > 0 ? { bytes, more } : { bytes };
}

/** A cookie is good for one address and one message: what it holds for another is nothing for this one. */
function cookieAad(from: Address, message: number): Uint8Array {
  return concatBytes(addressBytes(from), Uint8Array.of(PROTOCOL_VERSION, PacketType.HANDSHAKE, message));
}
