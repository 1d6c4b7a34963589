import { formatAddress, parseAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import type { EdgeOptions } from "../transport/edge.ts";
import type { PullEvent } from "../transport/pull.ts";
import type { PullFrom } from "../transport/pull_sources.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

/** Who else is asked. */
export const sourceFlags = {
  from: {
    kind: "strings",
    placeholder: "TICKET|HOST:PORT",
    help:
      "pull from this exposer of the same too, at once: its ticket, @FILE, or where the ticket's exposer runs " +
      "once more; may be given several times",
  },
  edge: {
    kind: "strings",
    placeholder: "TICKET",
    help:
      "pull from this edge, by the ticket that 'rgtp edge' printed, or @FILE: exposers then give the key, and data only " +
      "while no edge does; may be given several times",
  },
  "serve-while-pulling": {
    kind: "boolean",
    help: "be an edge for others meanwhile, until this pull ends: prints the ticket that they give to --edge",
  },
} as const satisfies FlagTable;

/** What the flags say. */
export interface OtherSources extends PullFrom {
  /** Where all of them are. */
  readonly addresses: readonly Address[];
}

/** Reads tickets that are in files. @throws {RgtpError} what `readTicket` throws */
export async function readSources(
  { from = [], edge = [] }: Pick<Parsed<typeof sourceFlags>["flags"], "from" | "edge">,
  io: Io,
): Promise<OtherSources> {
  const read = async (source: string): Promise<string | Ticket> =>
    isAddress(source) ? source : await readTicket(source, io);
  const [others, edges] = await Promise.all([Promise.all(from.map(read)), Promise.all(edge.map(read))]);
  const addresses = [...others, ...edges].flatMap((source) =>
    typeof source === "string" ? [parseAddress(source)!] : source.addresses
  );
  return { from: others, edges, addresses };
}

function isAddress(source: string): boolean {
  return !/^@|^rgtp:/i.test(source) && source !== "-" && parseAddress(source) !== undefined;
}

/** An edge for others that this pull itself takes everything from. */
export interface OwnEdge extends AsyncDisposable {
  /** Where the pull is to take from now. */
  readonly sources: OtherSources;
}

/**
 * Serves others while a pull runs: an edge in this process, which pulls from all who are named, without the key, and feeds the pull over
 * loopback. So what others get is verified, and no other than what an edge gives: sealed.
 *
 * @throws {RgtpError} what `edge` throws
 */
export async function serveMeanwhile(
  ticket: Ticket,
  { from = [], edges = [] }: OtherSources,
  options: Pick<EdgeOptions, "signal" | "mayContact">,
  tell: (ticket: string) => void,
): Promise<OwnEdge> {
  const { edge } = await import("../transport/edge.ts");
  const own = await edge(ticket, { from, edges, ...options });
  tell(own.ticket);
  const { host, port } = own.address;
  // Bound to all addresses, or to one.
  const here = { host: host === "::" || host === "0.0.0.0" ? "127.0.0.1" : host, port };
  return {
    sources: { from: [], edges: [{ ...parseTicket(own.ticket), addresses: [here] }], addresses: [here] },
    [Symbol.asyncDispose]: () => own.close(),
  };
}

/** Tells of sources that come and go. */
export function sourceTeller(
  io: Io,
  json: boolean,
  note: (text: string) => void,
): (event: PullEvent) => void {
  return (event) => {
    if (event.kind === "joined") {
      const source = formatAddress(event.source);
      if (json) emit(io, "source", { source, state: "joined" });
      else note(`${source} serves it too`);
    }
    if (event.kind === "group") {
      const group = formatAddress(event.group);
      if (json) emit(io, "group", { group });
      else note(`listening to the multicast group ${group}`);
    }
    if (event.kind === "unicast") {
      if (json) emit(io, "unicast", { reason: event.reason });
      else note(`${visible(event.reason)}: the rest comes without multicast`);
    }
    if (event.kind === "dropped") {
      const { source, error: { condition: name, message } } = event;
      if (json) emit(io, "source", { source, state: "dropped", name, message });
      else note(`going on without ${visible(source)}: ${visible(message)}`);
    }
  };
}
