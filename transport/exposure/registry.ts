import { parseAddress } from "../../codec/address.ts";
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity } from "../../crypto/identity.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { isByTicket } from "./access.ts";
import { openCatalog } from "./catalog.ts";
import type { Catalog, CatalogEntry, CatalogTicket } from "./catalog.ts";
import { loadIdentitySeed } from "./identity_file.ts";
import { forgetEnded } from "./running.ts";
import { shelfOf, TicketBook } from "./ticket_book.ts";

/** A ticket, for people: without what it needs to be one. */
export interface KnownTicket {
  /** base64url of 8 bytes: names it, and opens nothing. */
  readonly id: string;
  /** For people. */
  readonly label: string;
  /** ms since 1970; absent: never. */
  readonly expiresMs?: number;
  /** ms since 1970; absent: not known. */
  readonly createdMs?: number;
}

/** An exposure that this node has made, and the tickets to it that are not revoked. */
export interface KnownExposure extends Omit<CatalogEntry, "id" | "exposerKey" | "running"> {
  /** base64url of 32 bytes. */
  readonly id: string;
  /** Whether it is of a stream, or of bytes in memory: it runs, and is forgotten when it ends. Its path is `-`. */
  readonly isStream: boolean;
  /** Oldest first. */
  readonly tickets: readonly KnownTicket[];
}

/** So much of an ID is enough to name it. */
const PREFIX_CHARS_MIN = 6;

/** What a node has exposed and to whom it gave tickets, to look at and to change, also while it serves. */
export class Registry {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #stateDir: string;
  readonly #catalog: Catalog;

  /** Opens the state in a folder, made when it is not there. @throws {RgtpError} IO, NO_SPACE, NOT_SUPPORTED */
  constructor(engine: Engine, random: Random, stateDir: string) {
    this.#engine = engine;
    this.#random = random;
    this.#stateDir = stateDir;
    this.#catalog = openCatalog(stateDir);
    forgetEnded(this.#catalog, stateDir);
  }

  /** All exposures, the one that was sealed last first. */
  list(): KnownExposure[] {
    return this.#catalog.list().map(({ id, running, exposerKey: _, ...entry }) => ({
      ...entry,
      id: base64url(id),
      isStream: running !== undefined,
      tickets: this.#catalog.tickets(id).map(knownTicket),
    }));
  }

  /**
   * A new ticket to the exposure of a path, or with an ID or the beginning of one. A running exposer takes it within seconds.
   *
   * @throws {RgtpError} NOT_FOUND, also for what was exposed under another identity; INVALID_ARG when several are meant
   */
  newTicket(pathOrId: string, options: { label?: string; expiresMs?: number } = {}): string {
    const { id, served, path, policy, exposerKey } = this.#exposure(pathOrId);
    const addresses = (served?.addresses ?? []).flatMap((text) => parseAddress(text) ?? []);
    if (!served || addresses.length === 0) {
      throw new RgtpError(
        "NOT_FOUND",
        `'${path}' has never been served, so nobody knows where: expose it first, which makes a ticket too`,
      );
    }
    const byTicket = isByTicket(policy);
    if (!byTicket && (options.label ?? options.expiresMs) !== undefined) {
      throw new RgtpError(
        "INVALID_ARG",
        `'${path}' is exposed without secrets: its tickets are all the same, and take neither label nor expiry`,
      );
    }
    const identity = createIdentity(this.#engine, loadIdentitySeed(this.#stateDir, this.#random).seed);
    if (exposerKey && !equalBytes(exposerKey, identity.staticKey)) {
      throw new RgtpError(
        "NOT_FOUND",
        `'${path}' was exposed under another identity than this machine has now: a ticket would open nothing. Expose it again (an exposer ` +
          "that still runs keeps the old one: stop it first); or restore the old identity, 'rgtp id restore'",
      );
    }
    const book = new TicketBook(this.#engine, this.#random, Date.now, shelfOf(this.#catalog, id));
    return formatTicket({
      addresses,
      exposureId: id,
      exposerKey: identity.staticKey,
      ...(byTicket && { secret: book.issue(options) }),
      name: served.name,
    });
  }

  /**
   * Ends tickets: the one that is given as text or by its ID, all to the exposure with an ID (or the beginning of one), or all with a
   * label. Answers with those that were good.
   *
   * @throws {RgtpError} NOT_FOUND when nothing is meant; INVALID_ARG when several exposures are
   */
  revoke(what: string): KnownTicket[] {
    const meant = this.#tickets(what);
    if (meant.length === 0) {
      throw new RgtpError(
        "NOT_FOUND",
        "no ticket, exposure ID or label of that name is good here: 'rgtp status' lists those that are",
      );
    }
    return meant.filter(({ ticketId }) => this.#catalog.revoke(ticketId)).map(knownTicket);
  }

  /** Twice is fine. */
  close(): void {
    this.#catalog.close();
  }

  #tickets(what: string): CatalogTicket[] {
    const entries = this.#catalog.list();
    const all = entries.flatMap(({ id }) => this.#catalog.tickets(id));
    if (/^rgtp:/i.test(what)) {
      const { secret } = parseTicket(what);
      const id = secret && base64url(ticketId(this.#engine, ticketPsk(this.#engine, secret)));
      return all.filter(({ ticketId }) => base64url(ticketId) === id);
    }
    const named = all.filter(({ ticketId }) => base64url(ticketId) === what);
    if (named.length > 0) return named;
    const labelled = what === "" ? [] : all.filter(({ label }) => label === what);
    const exposures = byPrefix(entries, what);
    if (labelled.length > 0 && exposures.length > 0) throw ambiguous(what);
    if (exposures.length > 1) throw ambiguous(what);
    return exposures.length === 1 ? this.#catalog.tickets(exposures[0].id) : labelled;
  }

  #exposure(pathOrId: string): CatalogEntry {
    const entries = this.#catalog.list();
    // Of streams, which have no path, one alone can be meant by it.
    const streams = pathOrId === "-" ? entries.filter(({ running }) => running !== undefined) : [];
    if (streams.length > 1) throw ambiguous(pathOrId);
    if (streams.length === 1) return streams[0];
    const path = realPath(pathOrId);
    const ofPath = entries.filter((entry) => entry.path === path)
      .sort((a, b) => (b.served?.sinceMs ?? 0) - (a.served?.sinceMs ?? 0));
    if (ofPath.length > 0) return ofPath[0];
    const ofId = byPrefix(entries, pathOrId);
    if (ofId.length === 1) return ofId[0];
    if (ofId.length > 1) throw ambiguous(pathOrId);
    throw new RgtpError(
      "NOT_FOUND",
      `nothing was exposed here from '${pathOrId}', nor is that an exposure's ID: 'rgtp status' lists what was`,
    );
  }
}

function byPrefix(entries: readonly CatalogEntry[], prefix: string): CatalogEntry[] {
  return prefix.length < PREFIX_CHARS_MIN ? [] : entries.filter(({ id }) => base64url(id).startsWith(prefix));
}

function ambiguous(what: string): RgtpError {
  return new RgtpError("INVALID_ARG", `'${what}' means more than one thing here: give a longer or exact ID`);
}

function knownTicket({ ticketId, label, expiresMs, createdMs }: CatalogTicket): KnownTicket {
  return {
    id: base64url(ticketId),
    label,
    ...(expiresMs !== undefined && { expiresMs }),
    ...(createdMs !== undefined && { createdMs }),
  };
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Gone by now, or not a path at all.
    return path;
  }
}
