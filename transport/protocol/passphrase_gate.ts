/*
 * The exposer's side of a passphrase. A puller that asks as one who knows it gets a challenge, whether there is such a thing or not; its
 * proof comes back with all that has to be remembered in a sealed cookie. Until the proof is right, nothing that is sent depends on the
 * passphrase but a share of CPace, which says nothing of it.
 */
import type { Address } from "../../codec/address.ts";
import { bytes, layout } from "../../codec/layout.ts";
import type { Layout } from "../../codec/layout.ts";
import { encodeChallenge } from "../../codec/passphrase.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { Random } from "../../core/machine.ts";
import { cpaceKey, cpaceShare } from "../../crypto/cpace.ts";
import type { Engine } from "../../crypto/engine.ts";
import { openGrant } from "../../crypto/grant_seal.ts";
import type { TransportKeys } from "../../crypto/noise.ts";
import { passphraseExchange, passphraseKeys } from "../../crypto/passphrase.ts";
import type { PassphraseKeys } from "../../crypto/passphrase.ts";
import type { CookieJar } from "../../crypto/sealed_box.ts";
import type { Exposed } from "./exposed.ts";
import { GuessMeter } from "./guess_meter.ts";

/** What a gate is made of. */
export interface PassphraseGateOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** The exposer's X25519 private key. */
  readonly staticPrivate: Uint8Array;
  /** Seals what is to be remembered. */
  readonly cookies: CookieJar;
  /** The exposure of an ID. */
  readonly find: (id: Uint8Array) => Exposed | undefined;
}

/** A finished Noise handshake, and who asks in it. */
export interface FinishedHandshake {
  /** Binds whatever comes of the passphrase to this handshake. */
  readonly hash: Uint8Array;
  /** Its transport keys: proofs are sealed under the initiator's, denials under the responder's. */
  readonly keys: TransportKeys;
  /** 8 bytes that name it. */
  readonly exchange: Uint8Array;
  /** Associated data of cookies: whose they are. */
  readonly aad: Uint8Array;
}

/** A proof, as a packet holds it. */
export interface SealedProof {
  /** Of the challenge. */
  readonly cookie: Uint8Array;
  /** The packet's first bytes, which are bound to it. */
  readonly head: Uint8Array;
  /** Sealed as a grant is, under the initiator's transport key. */
  readonly sealed: Uint8Array;
}

/** What is to be answered to a proof. */
export interface Verdict {
  /** What was proved to be known of; absent: nothing was. */
  readonly exposed?: Exposed;
  /** The key to seal the answer under: of the passphrase for a grant, of the handshake for a denial. */
  readonly key: Uint8Array;
}

interface GateState extends PassphraseKeys, TransportKeysRead {
  readonly exposureId: Uint8Array;
}

/** As they come out of a cookie. */
type TransportKeysRead = { readonly [Name in keyof TransportKeys]: Uint8Array };

const stateLayout: Layout<GateState> = layout<GateState>({
  proof: bytes(32),
  grantKey: bytes(32),
  initiatorKey: bytes(32),
  responderKey: bytes(32),
  exposureId: bytes(32),
});

/** The ID of nothing. */
const NOTHING = new Uint8Array(32);

/** Sees who knows a passphrase. Stateless but for a count of wrong guesses. */
export class PassphraseGate {
  readonly #options: PassphraseGateOptions;
  readonly #staticKey: Uint8Array;
  /** In place of a passphrase where there is none: nobody can know it. */
  readonly #unknown: Uint8Array;
  /** By passphrase: what one opens in several places is guessed at once. */
  readonly #meters = new Map<string, GuessMeter>();

  /** A gate that has seen no guess. */
  constructor(options: PassphraseGateOptions) {
    this.#options = options;
    this.#staticKey = options.engine.x25519.publicKey(options.staticPrivate);
    this.#unknown = options.random(32).slice();
  }

  /** The challenge to be sealed and sent, with the same work for everything and nothing; `undefined` when the puller's share is not one. */
  challenge(
    now: number,
    handshake: FinishedHandshake,
    share: Uint8Array,
    exposed: Exposed | undefined,
  ): Uint8Array | undefined {
    const { engine, random, cookies } = this.#options;
    const { hash, keys, exchange, aad } = handshake;
    const inputs = passphraseExchange(this.#stretched(exposed), this.#staticKey, exchange);
    // A scalar for each challenge, also for the same ask a second time.
    const own = cpaceShare(engine, inputs, random);
    const key = cpaceKey(engine, exchange, own, { share }, "responder");
    if (!key) return undefined;
    const state = new Uint8Array(stateLayout.size);
    const exposureId = exposed?.passphrase ? exposed.id : NOTHING;
    stateLayout.write(state, 0, { ...passphraseKeys(engine, key, hash), ...keys, exposureId });
    return encodeChallenge(own.share, cookies.seal(now, aad, state));
  }

  /**
   * What a proof is worth; `undefined` when its cookie is none of ours, or it does not come from whoever got that cookie: a guess that
   * somebody forges in another's name is none.
   */
  judge(
    now: number,
    from: Address,
    aad: Uint8Array,
    { cookie, head, sealed }: SealedProof,
  ): Verdict | undefined {
    const { engine, cookies } = this.#options;
    const opened = cookies.open(now, aad, cookie);
    const state = opened && stateLayout.read(opened);
    const proof = state && openGrant(engine, state.initiatorKey, head, sealed);
    if (!proof) return undefined;
    const exposed = this.#options.find(state.exposureId);
    const meter = this.#meter(now, this.#stretched(exposed));
    const isRight = equalBytes(proof, state.proof);
    // When too many were wrong no guess is right, else guessing would go on; and so none costs anything, else one guesser would use up
    // what all have together.
    const allows = meter.allows(now, from);
    if (allows && !isRight) meter.note(now, from);
    return isRight && allows && exposed?.passphrase
      ? { exposed, key: state.grantKey }
      : { key: state.responderKey };
  }

  #stretched(exposed: Exposed | undefined): Uint8Array {
    return exposed?.passphrase?.stretched ?? this.#unknown;
  }

  #meter(now: number, stretched: Uint8Array): GuessMeter {
    const name = stretched.toHex();
    const known = this.#meters.get(name);
    if (known) return known;
    const meter = new GuessMeter(now);
    this.#meters.set(name, meter);
    return meter;
  }
}
