import type { ExposerState } from "./state.ts";
import type { TicketBook } from "./ticket_book.ts";

/** A ticket that was revoked elsewhere is good here no longer than this, and a moment. */
const WATCH_MS = 1000;

/** Who is told what a {@linkcode watchTickets} finds. */
export interface TicketWatchEvents {
  /** A ticket has been ended by another process. */
  ended(ticketId: Uint8Array): void;
  /** The catalog cannot be read any more, and why: what is revoked elsewhere is not noticed while that lasts. Told once. */
  blind(error: unknown): void;
}

/** Keeps the tickets of running exposures in step with what other processes do to the catalog. Answers with what ends that. */
export function watchTickets(
  state: ExposerState,
  books: Iterable<TicketBook>,
  events: TicketWatchEvents,
): () => void {
  let isBlind = false;
  const look = () => {
    try {
      if (state.changedByOthers() || isBlind) {
        for (const book of books) for (const id of book.refresh()) events.ended(id);
      }
      isBlind = false;
    } catch (error) {
      if (!isBlind) events.blind(error);
      isBlind = true;
    }
  };
  const timer = setInterval(look, WATCH_MS);
  return () => clearInterval(timer);
}
