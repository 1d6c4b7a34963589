import type { Address } from "../../codec/address.ts";

/** A puller that is pulling now, for status lines. */
export interface PullerStatus {
  /** Where it is. */
  readonly address: Address;
  /** ID of the exposure. */
  readonly exposureId: Uint8Array;
  /** Bytes sent to it. */
  readonly bytesSent: number;
  /** Bytes a second of late. */
  readonly rate: number;
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
  /** Hosts that were refused something a moment ago. */
  readonly refusals: number;
}
