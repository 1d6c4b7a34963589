import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { fingerprint } from "../../crypto/identity.ts";
import { normalPassphrase } from "../../crypto/passphrase.ts";
import { isUsableX25519Key } from "../../crypto/points.ts";
import type { TicketBook } from "./ticket_book.ts";

/** Who asks, as far as the handshake has proved it. */
export interface AccessRequest {
  /** The puller's X25519 key, base64url: that of its node, or one made for this pull alone. */
  readonly key: string;
  /** The same for people to compare: as `rgtp id` shows it. */
  readonly fingerprint: string;
}

/** Who may pull. At most one of these; none of them: whoever has a ticket with a secret that this exposure gave. */
export interface AccessOptions {
  /** Whoever asks. The ticket holds no secret, and is worth as much as the address. */
  readonly open?: boolean;
  /** Nodes, each by its X25519 key (base64url) or that key's fingerprint; `rgtp id` shows both. The ticket holds no secret. */
  readonly allow?: readonly string[];
  /**
   * Decides for each handshake, and so again every few minutes of a long pull, and after `recheck()`. It is not asked about what is not here, so how long it takes
   * shows that something is. One that throws has refused.
   */
  readonly access?: (request: AccessRequest) => boolean;
  /**
   * Whoever knows this passphrase, of 8 characters at least. It is kept nowhere, and goes over no wire: nobody who listens, and no exposer
   * that pretends to be this one, can try guesses without asking each time. The ticket holds no secret.
   */
  readonly passphrase?: string;
}

/** Who may pull one exposure. */
export interface AccessPolicy {
  /** Tells audiences apart in the catalog: what one may pull shares no key with what another may. Empty for tickets. */
  readonly name: string;
  /** Which of the policies it is. */
  readonly kind: "tickets" | "open" | "allow" | "callback" | "passphrase";
  /** What a handshake by the holder of that key gets: the psk of its ticket, `"open"` when none is needed, or `"denied"`. */
  decide(
    book: TicketBook,
    ticketId: Uint8Array,
    pullerKey: Uint8Array | undefined,
  ): Uint8Array | "open" | "denied";
  /** Whether a grant from earlier still holds. */
  stillGood(book: TicketBook, ticketId: Uint8Array): boolean;
}

const b64 = { alphabet: "base64url", omitPadding: true } as const;
const KEY_CHARS = 43;
const FINGERPRINT = /^[a-z2-7]{4}(?:-[a-z2-7]{4}){7}$/;

/** Whether the policy of a catalog's row is that of tickets; the word behind it says how its salt was made. */
export function isByTicket(policy: string): boolean {
  return policy === "" || policy === "reproducible";
}

/**
 * The policy that options ask for.
 *
 * @throws {RangeError} when there are two
 * @throws {RgtpError} INVALID_ARG when an allowed one is neither a key nor a fingerprint, or for a passphrase that is too short or too long
 */
export function accessPolicy({ open, allow, access, passphrase }: AccessOptions): AccessPolicy {
  const given = [open || undefined, allow, access, passphrase].filter((one) => one !== undefined).length;
  if (given > 1) {
    throw new RangeError("open, allow, access and passphrase are four policies: give one of them");
  }
  if (open) return withoutTickets("open", "open", () => true);
  if (allow) return allowList(allow);
  // What a function allows has no name: the catalog takes all functions for one audience, and `rekey` parts them.
  if (access) return withoutTickets("callback", "callback", (key) => access(requestOf(key)));
  if (passphrase === undefined) return withTickets("tickets", "");
  normalPassphrase(passphrase);
  // A passphrase leads to a ticket. All of them are one audience: to tell them apart, something would have to be kept that shows guesses.
  return withTickets("passphrase", "passphrase");
}

function withTickets(kind: AccessPolicy["kind"], name: string): AccessPolicy {
  return {
    name,
    kind,
    decide: (book, ticketId) => book.find(ticketId) ?? "denied",
    stillGood: (book, ticketId) => book.find(ticketId) !== undefined,
  };
}

/** @throws {RgtpError} INVALID_ARG when it is not the text of a key that can be somebody's */
export function parseStaticKey(text: string): Uint8Array {
  const key = decode(text);
  if (key && isUsableX25519Key(key)) return key;
  throw new RgtpError(
    "INVALID_ARG",
    `'${text}' is not a node's key: it has ${KEY_CHARS} characters of base64url, and 'rgtp id' shows it`,
  );
}

/** The text of a key. */
export function formatStaticKey(key: Uint8Array): string {
  return key.toBase64(b64);
}

function allowList(allowed: readonly string[]): AccessPolicy {
  if (allowed.length === 0) throw new RgtpError("INVALID_ARG", "nobody is allowed: name a key at least");
  const fingerprints = allowed.filter((text) => FINGERPRINT.test(text));
  const keys = allowed.filter((text) => !FINGERPRINT.test(text)).map(parseStaticKey);
  // One node is one member of the audience, whichever way it is named.
  const members = new Set([...fingerprints, ...keys.map(fingerprint)]);
  return withoutTickets("allow", `allow ${[...members].sort().join(" ")}`, (key) => {
    // All are looked at: how long it takes does not show how far down somebody stands.
    const hits = keys.filter((one) => equalBytes(one, key)).length;
    return hits + (fingerprints.includes(fingerprint(key)) ? 1 : 0) > 0;
  });
}

function withoutTickets(
  kind: AccessPolicy["kind"],
  name: string,
  allows: (pullerKey: Uint8Array) => boolean,
): AccessPolicy {
  return {
    name,
    kind,
    decide(_book, _ticketId, pullerKey) {
      try {
        // Only `true`: a promise, which is never awaited, would let everybody in.
        return pullerKey && allows(pullerKey) === true ? "open" : "denied";
      } catch {
        return "denied";
      }
    },
    // A token is good for minutes, or until the policy is rechecked; its next handshake is asked about again.
    stillGood: () => true,
  };
}

function requestOf(key: Uint8Array): AccessRequest {
  return { key: formatStaticKey(key), fingerprint: fingerprint(key) };
}

function decode(text: string): Uint8Array | undefined {
  if (text.length !== KEY_CHARS) return undefined;
  try {
    const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
    // One spelling each.
    return bytes.toBase64(b64) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}
