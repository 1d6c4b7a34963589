import type { Address } from "../../codec/address.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import type { Exposed } from "./exposed.ts";
import type { CastOutput } from "./group_casts.ts";
import type { PostQuantum } from "./handshake_shape.ts";
import type { Answer, LiveToken } from "./live_token.ts";

/** What an exposer asks its shell to do. */
export type ExposerOutput =
  /** Send one control packet. */
  | { readonly kind: "send"; readonly to: Address; readonly bytes: Uint8Array }
  /** Send symbols of a piece, stamped with tag, request and receipt; then call `handleServed`. */
  | ({ readonly kind: "serve"; readonly puller: LiveToken; readonly receipt: number } & Answer)
  /** For a multicast group. */
  | CastOutput
  /** A puller has got a grant. */
  | {
    readonly kind: "granted";
    readonly to: Address;
    readonly exposed: Exposed;
    readonly ticketId: Uint8Array;
    readonly isHybrid: boolean;
  }
  /** A puller says that it has all that it wants, or has fallen silent. */
  | {
    readonly kind: "left";
    readonly from: Address;
    readonly exposed: Exposed;
    readonly bytesSent: number;
    readonly done: boolean;
  };

/** What an exposer is made of. */
export interface ExposerOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** The node's X25519 private key, 32 bytes. */
  readonly staticPrivate: Uint8Array;
  /** Random bytes. */
  readonly random: Random;
  /** Bytes a second over all pullers; absent: no limit. */
  readonly limitRate?: number;
  /** Bytes a second for each puller; absent: no limit. */
  readonly pullRateMax?: number;
  /** Whether handshakes are hybrid; absent: `auto`. */
  readonly postQuantum?: PostQuantum;
}

/**
 * What came of a handshake packet. `granted`: somebody may pull. `answered`: something short of that, such as a cookie to be shown, the
 * first half of a longer handshake, a question, or a fragment, taken to wait for the others. `denied`: no such exposure, or not for this puller. `dropped`: nothing.
 */
export type HandshakeOutcome = "granted" | "answered" | "denied" | "dropped";

/** A puller that is pulling now: it has asked for something in the last 20 seconds. All of it is known from its token and its requests. */
export interface PullerStatus {
  /** Where it is. */
  readonly address: Address;
  /** ID of the exposure. */
  readonly exposureId: Uint8Array;
  /** Which ticket it holds, 8 bytes; zeros for none. */
  readonly ticketId: Uint8Array;
  /** The label of that ticket, where there is one. */
  readonly ticket?: string;
  /** Bytes sent to it, under its present token. */
  readonly bytesSent: number;
  /** Bytes a second of late. */
  readonly rate: number;
  /** The share of what was sent of late that it does not report as received, 0 to 1; absent while that is not known. */
  readonly loss?: number;
  /** For how long it has been pulling, ms. */
  readonly forMs: number;
}

/** How much an exposer keeps for others. */
export interface ExposerMemory {
  /** Pullers whose soft state is kept. */
  readonly liveTokens: number;
  /** Answers that wait for their turn. */
  readonly answers: number;
  /** Bytes that they will send. */
  readonly answerBytes: number;
  /** Handshakes that wait for their turn. */
  readonly handshakes: number;
  /** First messages in fragments, with their answers. */
  readonly fragmented: number;
  /** Hosts that were refused something a moment ago. */
  readonly refusals: number;
}
