import { parseAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { Engine } from "../crypto/engine.ts";
import { ticketId, ticketPsk } from "../crypto/key_schedule.ts";
import { isUsableX25519Key } from "../crypto/points.ts";
import { resolveAddresses } from "./addresses.ts";
import type { ResolveOptions } from "./addresses.ts";
import type { SourceFacts } from "./protocol/source.ts";

/** Who else serves what a ticket names. */
export interface PullFrom {
  /**
   * Exposers of the same: a ticket for each, or `HOST:PORT` where the ticket's own exposer (the same key, with the same tickets) runs once
   * more. All of them are asked, each for what it brings soonest.
   */
  readonly from?: readonly (string | Ticket)[];
  /**
   * Caches of it, as `edge()` makes them: their tickets. As long as one of them serves, exposers are asked for the key and for nothing
   * else.
   */
  readonly edges?: readonly (string | Ticket)[];
}

/** One of them. */
export interface OtherSource {
  /** Its ticket, or the pull's own with other addresses. */
  readonly ticket: Ticket;
  /** Whether it is a cache. */
  readonly isEdge: boolean;
}

/**
 * Who else serves it.
 *
 * @throws {RgtpError} INVALID_ARG or TRUNCATED for what is no ticket and no address, for a ticket to something else, and for too many
 */
export function otherSources(ticket: Ticket, { from = [], edges = [] }: PullFrom): OtherSource[] {
  const most = limits.pullSourcesMax - 1;
  if (from.length + edges.length > most) {
    throw new RgtpError(
      "INVALID_ARG",
      `${from.length + edges.length} other sources, at most ${most} are asked`,
    );
  }
  const other = (isEdge: boolean) => (source: string | Ticket): OtherSource => ({
    ticket: sameExposure(ticket, typeof source === "string" ? read(ticket, source) : source),
    isEdge,
  });
  return [...from.map(other(false)), ...edges.map(other(true))];
}

function read(ticket: Ticket, source: string): Ticket {
  const address = /^rgtp:/i.test(source) ? undefined : parseAddress(source);
  return address ? { ...ticket, addresses: [address] } : parseTicket(source);
}

function sameExposure(ticket: Ticket, other: Ticket): Ticket {
  if (!isUsableX25519Key(other.exposerKey)) {
    throw new RgtpError(
      "INVALID_ARG",
      "a ticket of another source is damaged: its exposer's key is not a key",
    );
  }
  if (equalBytes(ticket.exposureId, other.exposureId)) return other;
  throw new RgtpError(
    "INVALID_ARG",
    "a ticket of another source names another exposure: all sources of a pull must have the same one",
  );
}

/** What a puller's machine has to know of a source. */
export function factsOf(
  engine: Engine,
  { exposerKey, secret }: Ticket,
  addresses: readonly Address[],
): SourceFacts {
  const psk = secret && ticketPsk(engine, secret);
  return { addresses, exposerKey, ...(psk && { ticket: { id: ticketId(engine, psk), psk } }) };
}

/** The same of others, whose names are looked up; of whom nothing is found is told to `onLost`. */
export async function otherFacts(
  engine: Engine,
  others: readonly OtherSource[],
  options: ResolveOptions,
  onLost: (source: string, error: RgtpError) => void,
): Promise<SourceFacts[]> {
  const found = await Promise.all(others.map(async ({ ticket, isEdge }) => {
    try {
      const addresses = await resolveAddresses(ticket.addresses, options);
      return { ...factsOf(engine, ticket, addresses), isEdge };
    } catch (error) {
      if (!(error instanceof RgtpError) || options.signal?.aborted) throw error;
      onLost(ticket.addresses.map(({ host }) => host).join(", "), error);
      return undefined;
    }
  }));
  return found.filter((facts) => facts !== undefined);
}
