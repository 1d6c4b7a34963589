import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { TICKET_SECRET_BYTES, ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import type { Catalog, CatalogTicket } from "./catalog.ts";

/** Where tickets outlive the process. */
export interface TicketShelf {
  /** Tickets of the exposure that are neither revoked nor forgotten. */
  load(): readonly CatalogTicket[];
  /** Keeps one more. */
  add(ticket: CatalogTicket): void;
  /** One is good no longer. */
  revoke(ticketId: Uint8Array): void;
}

/** Clocks of two machines and a slow network may differ by this much before an expiry counts. */
const EXPIRY_SLACK_MS = 5 * 60_000;

/** The tickets of one exposure. */
export class TicketBook {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #wallClock: () => number;
  readonly #shelf: TicketShelf | undefined;
  readonly #tickets = new Map<string, CatalogTicket>();

  /** Starts with what the shelf holds; without one, tickets end with the process. */
  constructor(engine: Engine, random: Random, wallClock: () => number, shelf?: TicketShelf) {
    this.#engine = engine;
    this.#random = random;
    this.#wallClock = wallClock;
    this.#shelf = shelf;
    for (const ticket of shelf?.load() ?? []) this.#tickets.set(ticket.ticketId.toHex(), ticket);
  }

  /** Takes over what others have changed on the shelf. Answers with the IDs of tickets that are good no longer. */
  refresh(): Uint8Array[] {
    if (!this.#shelf) return [];
    const present = new Map(this.#shelf.load().map((ticket) => [ticket.ticketId.toHex(), ticket]));
    const ended = [...this.#tickets].filter(([id]) => !present.has(id)).map(([, ticket]) => ticket.ticketId);
    this.#tickets.clear();
    for (const [id, ticket] of present) this.#tickets.set(id, ticket);
    return ended;
  }

  /** A new ticket's secret, 16 bytes: kept nowhere. */
  issue(options: { label?: string; expiresMs?: number } = {}): Uint8Array {
    const secret = this.#random(TICKET_SECRET_BYTES);
    const psk = ticketPsk(this.#engine, secret);
    const { label = "", expiresMs } = options;
    const ticket = {
      ticketId: ticketId(this.#engine, psk),
      psk,
      label,
      createdMs: this.#wallClock(),
      ...(expiresMs !== undefined && { expiresMs }),
    };
    this.#tickets.set(ticket.ticketId.toHex(), ticket);
    this.#shelf?.add(ticket);
    return secret;
  }

  /** Takes a ticket whose secret was made elsewhere, until the process ends; answers with its ID. */
  admit(secret: Uint8Array): Uint8Array {
    const psk = ticketPsk(this.#engine, secret);
    const id = ticketId(this.#engine, psk);
    this.#tickets.set(id.toHex(), { ticketId: id, psk, label: "" });
    return id;
  }

  /** The psk of a ticket that is good now. */
  find(id: Uint8Array): Uint8Array | undefined {
    const ticket = this.#tickets.get(id.toHex());
    if (!ticket) return undefined;
    const { expiresMs = Infinity, psk } = ticket;
    return this.#wallClock() > expiresMs + EXPIRY_SLACK_MS ? undefined : psk;
  }

  /** What a ticket was called when it was made; `undefined` without a name, or for a ticket that is none of these. */
  labelOf(id: Uint8Array): string | undefined {
    return this.#tickets.get(id.toHex())?.label || undefined;
  }

  /** Ends a ticket, by its secret. Answers with its ID when there was such a ticket. */
  revoke(secret: Uint8Array): Uint8Array | undefined {
    const id = ticketId(this.#engine, ticketPsk(this.#engine, secret));
    if (!this.#tickets.delete(id.toHex())) return undefined;
    this.#shelf?.revoke(id);
    return id;
  }
}

/** The shelf of one exposure in a catalog. */
export function shelfOf(catalog: Catalog, exposureId: Uint8Array): TicketShelf {
  return {
    load: () => catalog.tickets(exposureId),
    add: (ticket) => catalog.addTicket(exposureId, ticket),
    revoke: (ticketId) => void catalog.revoke(ticketId),
  };
}
