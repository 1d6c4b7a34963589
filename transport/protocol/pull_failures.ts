/*
 * Why a pull cannot go on, in words: what was wrong, where, and what to do about it. Pure functions; the puller knows the facts.
 */
import { formatAddress, hostKind, parseAddress } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import type { ErrorName } from "../../core/errors.ts";
import { RgtpError } from "../../core/errors.ts";

/** What a puller knows while nothing comes. */
export interface SilenceFacts {
  /** Whether it was granted the pull before. */
  readonly isGranted: boolean;
  /** Whether the source has answered a handshake since the last progress. */
  readonly hasAnswered: boolean;
  /** Whether somebody hinted at another version. */
  readonly isOtherVersion: boolean;
  /** Whether all keep hinting that the key is not theirs. */
  readonly isWrongExposer: boolean;
  /** The addresses that were tried, as text. */
  readonly addresses: string;
  /** Of these, those from which anything at all has come, as text; empty for none. */
  readonly heard: string;
  /** And those of which what came says that our packets are for another exposer. */
  readonly strangers: string;
  /** What this machine's own network says of our packets; empty when it takes them and says nothing. */
  readonly network: string;
  /** The one that granted, as text. */
  readonly source: string;
}

/** Why nothing comes, as far as it can be known. */
export interface Silence {
  /** The error that it is when it is too late. */
  readonly condition: ErrorName;
  /** What is wrong, and where; of a silence from the beginning also what tells more. */
  readonly what: string;
  /** What to do when it is too late. */
  readonly advice: string;
  /** What this machine's own network says of our packets; absent: nothing. */
  readonly network?: string;
}

/** After so long without anything, people are told why, as far as it is known. */
export const STALL_NOTICE_MS = 3000;

const RUN_AGAIN = "what is here is kept: run the same pull again to go on";

/** What is known of why nothing comes. */
export function silence(facts: SilenceFacts): Silence {
  const {
    isGranted,
    hasAnswered,
    isOtherVersion,
    isWrongExposer,
    addresses,
    heard,
    strangers,
    network,
    source,
  } = facts;
  if (isGranted && hasAnswered) {
    const what =
      `${source} answers, but its data does not arrive: something on the way drops large packets (a firewall, a ` +
      "tunnel that carries less than 1280 bytes)";
    return { condition: "TIMEOUT", what, advice: RUN_AGAIN };
  }
  if (isGranted) {
    const what = `${source} no longer answers: it has stopped, or the network between is down`;
    return { condition: "TIMEOUT", what, advice: RUN_AGAIN };
  }
  if (isOtherVersion) {
    const what =
      `${addresses} speaks another version of the protocol, or takes no handshake of the kind that is required (--post-quantum)`;
    return { condition: "VERSION", what, advice: "use the same release on both sides" };
  }
  if (isWrongExposer) {
    const what =
      `the exposer at ${addresses} does not hold the key that the ticket names: another one runs there now, or ` +
      "someone pretends to be it";
    return { condition: "AUTH_FAIL", what, advice: "ask for a new ticket" };
  }
  if (strangers !== "") {
    const what =
      `at ${strangers} another exposer answers, and nobody with the key that the ticket names at any of ${addresses}`;
    return { condition: "TIMEOUT", what, advice: "ask for a new ticket" };
  }
  if (heard !== "") {
    const what =
      `${heard} answers, but the handshake does not come to its end: packets get lost on the way, or it has too much to do`;
    return { condition: "TIMEOUT", what, advice: "try again later" };
  }
  const system = network === "" ? "" : ` (${network})`;
  const first = addresses.split(", ")[0];
  const inTheWay = hostKind(parseAddress(first)?.host ?? "") === "ethernet"
    ? "it is on another cable or in another VLAN than this interface (--interface, --vlan)"
    : `UDP is blocked on the way (firewall, NAT); 'rgtp doctor ${first}' looks which`;
  const what =
    `no answer from ${addresses}${system}: nothing is exposed there, it cannot be reached, or ${inTheWay}`;
  const advice = "check the address and that the exposer runs";
  return { condition: "TIMEOUT", what, advice, ...(network !== "" && { network }) };
}

/** Addresses as text; empty for none. */
export function listed(addresses: readonly Address[] = []): string {
  return addresses.map(formatAddress).join(", ");
}

/** A silence that has lasted too long. */
export function silenceError({ condition, what, advice }: Silence): RgtpError {
  return new RgtpError(condition, `${what}; ${advice}`);
}

/** A grant that is not what was asked for: `what` says in which way, e.g. `"another key"`. */
export function forgedGrant(what: string): RgtpError {
  return new RgtpError(
    "AUTH_FAIL",
    `the exposer granted ${what} than the ticket names: it is broken or not to be trusted`,
  );
}

/** The exposer at `source` has denied the pull; with a ticket or without. */
export function denied(source: string, hasTicket: boolean): RgtpError {
  const why = hasTicket
    ? "the ticket was revoked or has expired, or it no longer exposes this content; ask for a new ticket"
    : "the ticket lacks its secret or needs a passphrase (--password-file), this node, whose key 'rgtp id' shows, is not allowed, or it no " +
      "longer exposes this content; ask for a new ticket, or to be allowed";
  return new RgtpError("ACCESS_DENIED", `the exposer at ${source} does not give this: ${why}`);
}

/** What the exposer at `source` has sealed is no longer there. */
export function sourceChanged(source: string): RgtpError {
  return new RgtpError(
    "SOURCE_CHANGED",
    `the file at ${source} has changed since it was exposed: it must be exposed again`,
  );
}

/** The exposer has said that it serves this no longer. */
export function withdrawn(): RgtpError {
  return new RgtpError(
    "WITHDRAWN",
    "the exposer has stopped serving this; what is here is kept: run the same pull again when it is back",
  );
}

/** Nobody who serves it has its key. */
export function noKey(sources: string): RgtpError {
  return new RgtpError(
    "ACCESS_DENIED",
    `${sources} serves this without its key, which it does not have: pull with the ticket of the exposer, and name this one with --from`,
  );
}

/** A source has sent a piece, named by `what`, that is not the exposure's. */
export function lied(source: string, what: string): RgtpError {
  return new RgtpError(
    "MERKLE_FAIL",
    `${what} from ${source} was not what is exposed: it is damaged, or lies, or someone on the way there changes packets; the others go on`,
  );
}

/** A piece, named by `what`, that was wrong `times` times. */
export function wrongPiece(what: string, source: string, times: number): RgtpError {
  return new RgtpError(
    "MERKLE_FAIL",
    `${what} from ${source} was wrong ${times} times: the source is damaged, or someone on the way changes packets`,
  );
}
