import type { ExposedHoldings } from "./have_teller.ts";
import type { Group } from "../../codec/group.ts";
import type { Manifest } from "../../codec/manifest.ts";
import type { RatePolicy } from "./group_rate.ts";

/** What stands in the place of a key that is not given. */
export const NO_KEY: Uint8Array = new Uint8Array(32);

/** What a machine has to know of an exposure to grant it and to answer requests; its bytes stay in a store. */
export interface Exposed {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** 88 bytes. */
  readonly manifestBytes: Uint8Array;
  /** The same, decoded. */
  readonly manifest: Manifest;
  /** 32 bytes, `NO_KEY` where it is not known; leaves only inside a grant. */
  readonly exposureKey: Uint8Array;
  /** All leaf hashes, after each other. */
  readonly leaves: Uint8Array;
  /** At most 255 bytes of UTF-8. */
  readonly name: string;
  /**
   * Who may pull: called with the ticket's ID (zeros for none) and the puller's static key, which the handshake has proved. Answers with
   * the psk of the ticket, `"open"` when none is needed, `"denied"` otherwise.
   */
  access(ticketId: Uint8Array, pullerKey: Uint8Array | undefined): Uint8Array | "open" | "denied";
  /** Whether `access` has no effects: then it is asked about what is not here too, so that its time does not show what is. */
  readonly isAccessPure?: boolean;
  /** Whether a token that was granted under this ticket (zeros: without one) is still good. Asked for each request: it must be quick. */
  stillGood(ticketId: Uint8Array): boolean;
  /** Which state of the policy is in force, 0 to 255: a token of another one is good no longer. Absent: always 0. */
  epoch?(): number;
  /** Of an exposure that a passphrase opens: what the exposer knows of it, and what it leads to. */
  readonly passphrase?: ExposedPassphrase;
  /** Whether this is a list of what else there is, made for those whom it lets pull. */
  readonly isList?: boolean;
  /** 16 bytes: the door behind which those of this machine can have it as shared memory. Absent: there is none. */
  readonly share?: Uint8Array;
  /** The multicast group that carries it too. */
  readonly cast?: ExposedCast;
  /** What must be read and sealed before a piece can be sent, in bytes of plaintext; 0 when it is at hand. Absent: always 0. */
  coldBytes?(piece: number): number;
  /** What of it is here; absent: all. */
  readonly holdings?: ExposedHoldings;
}

/** A multicast group, as its exposer serves it. */
export interface ExposedCast {
  /** As grants name it. */
  readonly group: Group;
  /** How its rate follows from what receivers say. */
  readonly policy: RatePolicy;
  /** It begins when there are so many receivers; absent: soon after the first. */
  readonly receivers?: number;
}

/** A passphrase, as its exposer keeps it: in memory alone. */
export interface ExposedPassphrase {
  /** 32 bytes that the slow hash has made of it. */
  readonly stretched: Uint8Array;
  /** The secret, 16 bytes, of the ticket that it leads to; `access` knows that ticket. */
  readonly ticketSecret: Uint8Array;
  /** That ticket's ID, 8 bytes. */
  readonly ticketId: Uint8Array;
}

/** Whether a token that was granted under a ticket, and in one state of the policy, holds what the policy says now. */
export function holdsStill(exposed: Exposed, ticketId: Uint8Array, epoch: number): boolean {
  return epoch === (exposed.epoch?.() ?? 0) && exposed.stillGood(ticketId);
}

/** What somebody may mean by a text: exposures with that name, then those with that label, which is the first half of an ID. */
export function meantBy(text: string, exposures: readonly Exposed[]): Exposed[] {
  const name = text.normalize("NFC");
  const isLabel = ({ id }: Exposed) => {
    const label = id.subarray(0, LABEL_BYTES);
    return text === label.toBase64({ alphabet: "base64url", omitPadding: true }) ||
      text.toLowerCase() === label.toHex();
  };
  const named = exposures.filter((exposed) => !exposed.isList);
  return [...named.filter((exposed) => exposed.name.normalize("NFC") === name), ...named.filter(isLabel)];
}

const LABEL_BYTES = 16;
