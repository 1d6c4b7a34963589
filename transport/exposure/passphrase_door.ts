import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { exposerSecret } from "../../crypto/identity.ts";
import type { Identity } from "../../crypto/identity.ts";
import { passphraseTicketSecret } from "../../crypto/passphrase.ts";
import { TicketBook } from "./ticket_book.ts";

/** What opens one exposure to those who know its passphrase: it leads to one ticket, which nobody keeps and this exposer can make again. */
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

/** The door of an exposure, for a passphrase that was stretched with the key of this exposer. */
export function passphraseDoor(
  engine: Engine,
  random: Random,
  identity: Identity,
  exposureId: Uint8Array,
  stretched: Uint8Array,
): PassphraseDoor {
  const book = new TicketBook(engine, random, Date.now);
  const secret = exposerSecret(engine, identity);
  const ticketSecret = passphraseTicketSecret(engine, secret, exposureId, stretched);
  return { book, passphrase: { stretched, ticketSecret, ticketId: book.admit(ticketSecret) } };
}
