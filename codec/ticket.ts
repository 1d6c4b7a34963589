import { RgtpError } from "../core/errors.ts";
import { utf8 } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { formatAddress, parseAddress } from "./address.ts";
import type { Address } from "./address.ts";

/**
 * All that a puller needs to find an exposure and to trust it:
 * `rgtp://HOST:PORT,HOST:PORT/ID.KEY.SECRET/NAME/`, in characters that no shell touches. The `/` at the end marks a whole ticket:
 * without it, one that lost its last characters would be another, with a shorter name.
 */
export interface Ticket {
  /** Where the exposer can be reached, 1 to 8. */
  readonly addresses: readonly Address[];
  /** 32 bytes. */
  readonly exposureId: Uint8Array;
  /** The exposer's X25519 key, 32 bytes. */
  readonly exposerKey: Uint8Array;
  /** 16 bytes that open the exposure; absent when it is open to all. */
  readonly secret?: Uint8Array;
  /** The exposure key itself, 32 bytes: such a ticket cannot be revoked. */
  readonly exposureKey?: Uint8Array;
  /** What the exposer calls it; may be empty. Not to be trusted as a path. */
  readonly name: string;
}

const SCHEME = "rgtp://";
const b64 = { alphabet: "base64url", omitPadding: true } as const;

/** The text of a ticket. @throws {RangeError} when a part has the wrong size, or an address could not be read back */
export function formatTicket(ticket: Ticket): string {
  const { addresses, exposureId, exposerKey, secret, exposureKey, name } = ticket;
  if (addresses.length < 1 || addresses.length > limits.ticketAddressesMax) {
    throw new RangeError(
      `a ticket holds 1 to ${limits.ticketAddressesMax} addresses, not ${addresses.length}`,
    );
  }
  const sizes: [Uint8Array | undefined, number][] = [[exposureId, 32], [exposerKey, 32], [secret, 16], [
    exposureKey,
    32,
  ]];
  for (const [part, size] of sizes) {
    if (part && part.length !== size) {
      throw new RangeError(`a part of ${part.length} bytes where ${size} belong`);
    }
  }
  const hosts = addresses.map(formatAddress);
  const bad = hosts.find((host) => !parseAddress(host));
  if (bad !== undefined) throw new RangeError(`not an address for a ticket: ${bad}`);
  if (nameBytes(name) > limits.nameBytesMax) {
    throw new RangeError(`a name of ${nameBytes(name)} bytes, ${limits.nameBytesMax} are allowed`);
  }
  const parts = [exposureId.toBase64(b64), exposerKey.toBase64(b64), secret?.toBase64(b64) ?? ""];
  if (exposureKey) parts.push(exposureKey.toBase64(b64));
  const text = `${SCHEME}${hosts.join(",")}/${parts.join(".")}/${encodeName(name)}/`;
  if (text.length > limits.ticketCharsMax) {
    throw new RangeError(`a ticket of ${text.length} characters, ${limits.ticketCharsMax} are allowed`);
  }
  return text;
}

/**
 * A ticket's text with what must stay secret left out: for messages and logs. Only what was understood is shown, so a damaged
 * ticket, whose secret may stand anywhere, is reduced to `rgtp://…`. A text without `rgtp://` comes back as it is.
 */
export function redactTicket(text: string): string {
  const start = text.search(/rgtp:\/\//i);
  if (start < 0) return text;
  try {
    const { addresses, exposureId, name } = parseTicket(text);
    const label = exposureId.toBase64(b64).slice(0, 8);
    return `${SCHEME}${addresses.map(formatAddress).join(",")}/${label}…/${encodeName(name)}/`;
  } catch {
    return `${text.slice(0, start)}${SCHEME}…`;
  }
}

/**
 * The ticket that a text holds. White space around it is ignored.
 *
 * @throws {RgtpError} INVALID_ARG or TRUNCATED, with what is wrong; the message holds no secret
 */
export function parseTicket(text: string): Ticket {
  const trimmed = text.trim();
  if (trimmed.length > limits.ticketCharsMax) {
    throw bad(`it has more than ${limits.ticketCharsMax} characters`);
  }
  if (!trimmed.startsWith(SCHEME)) throw bad(`it does not start with ${SCHEME}`);
  if (/[^A-Za-z0-9._~%:,/\[\]-]/.test(trimmed)) throw bad("it holds a character that no ticket has");
  const [hosts, parts, name, end, ...more] = trimmed.slice(SCHEME.length).split("/");
  if (end === undefined) throw truncated("a part, or the '/' at its end, is missing");
  if (end !== "" || more.length > 0) throw bad("it has too many parts");
  const addresses = hosts.split(",").map((host, i) => {
    const address = parseAddress(host);
    // Not quoted: in a damaged ticket, anything may stand where the addresses belong.
    if (!address) throw bad(`its address ${i + 1} is not HOST:PORT`);
    return address;
  });
  if (addresses.length > limits.ticketAddressesMax) {
    throw bad(`it has more than ${limits.ticketAddressesMax} addresses`);
  }
  const [id, key, secret, exposureKey, ...rest] = parts.split(".");
  if (key === undefined || secret === undefined) {
    throw truncated("its middle part has fewer than three fields");
  }
  if (rest.length > 0) throw bad("its middle part has more than four fields");
  return {
    addresses,
    exposureId: decodePart(id, 32, "exposure ID"),
    exposerKey: decodePart(key, 32, "exposer's key"),
    ...(secret !== "" && { secret: decodePart(secret, 16, "secret") }),
    ...(exposureKey !== undefined && { exposureKey: decodePart(exposureKey, 32, "exposure key") }),
    name: decodeName(name),
  };
}

function decodePart(text: string, size: number, what: string): Uint8Array {
  const chars = Math.ceil((size * 4) / 3);
  if (text.length < chars) throw truncated(`its ${what} has ${text.length} of ${chars} characters`);
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url", lastChunkHandling: "loose" });
    // One spelling each: leftover bits in the last character must be zero, or two texts would name one ticket.
    if (bytes.length === size && bytes.toBase64(b64) === text) return bytes;
  } catch (cause) {
    throw new RgtpError("INVALID_ARG", `not a ticket: its ${what} is not base64url`, { cause });
  }
  throw bad(`its ${what} is not ${size} bytes of base64url`);
}

/** Percent-encodes all but `A-Z a-z 0-9 . _ ~ -`. */
function encodeName(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /[!'()*]/g,
    (char) => "%" + char.charCodeAt(0).toString(16).toUpperCase(),
  );
}

function decodeName(text: string): string {
  let name: string;
  try {
    name = decodeURIComponent(text);
  } catch (cause) {
    throw new RgtpError("INVALID_ARG", "not a ticket: its name is not percent-encoded UTF-8", { cause });
  }
  if (nameBytes(name) > limits.nameBytesMax) throw bad(`its name has more than ${limits.nameBytesMax} bytes`);
  return name;
}

function nameBytes(name: string): number {
  return utf8(name).length;
}

function bad(why: string): RgtpError {
  return new RgtpError(
    "INVALID_ARG",
    `not a ticket: ${why}; copy it again from the line that 'rgtp expose' printed`,
  );
}

function truncated(why: string): RgtpError {
  return new RgtpError("TRUNCATED", `the ticket is cut off: ${why}; copy it again, whole`);
}
