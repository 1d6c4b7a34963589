import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { TICKET_SECRET_BYTES } from "../../crypto/key_schedule.ts";
import { TicketBook } from "./ticket_book.ts";

/** What opens one exposure to those who know its passphrase: it leads to one ticket, which is good as long as the exposer runs. */
export interface PassphraseDoor {
  /** Knows that ticket, and no other. */
  readonly book: TicketBook;
  /** For the exposer's machine: see `ExposedPassphrase`. */
  readonly passphrase: {
    readonly stretched: Uint8Array;
    readonly ticketSecret: Uint8Array;
    readonly ticketId: Uint8Array;
  };
}

/**
 * A door for a passphrase that was stretched with the key of this exposer. The ticket's secret is random, and not made of the passphrase: its
 * ID is in every handshake, where whoever steals the exposer's key later could compare it with guesses.
 */
export function passphraseDoor(engine: Engine, random: Random, stretched: Uint8Array): PassphraseDoor {
  const book = new TicketBook(engine, random, Date.now);
  const ticketSecret = random(TICKET_SECRET_BYTES);
  return { book, passphrase: { stretched, ticketSecret, ticketId: book.admit(ticketSecret) } };
}
