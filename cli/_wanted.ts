import { formatAddress, parseAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import { find } from "../transport/find.ts";
import type { FindOptions, NewExposer } from "../transport/find.ts";
import type { LinkKind } from "../transport/link/open_link.ts";
import type { FlagTable } from "./_args.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { identityFolder } from "./_node_identity.ts";
import { demand, isGranted, netNeeds, toRead, toWrite } from "./_permissions.ts";
import { stallTeller } from "./_stall.ts";
import { visible } from "./_text.ts";
import { readTicket } from "./_ticket_input.ts";

/** Whom to believe where something is pulled by its name. */
export const exposerFlags = {
  key: {
    kind: "string",
    placeholder: "KEY",
    isKey: true,
    help:
      "with HOST:PORT: the exposer's key, as 'rgtp id' prints it there; nobody else is believed, and it is known from then on",
    default: "the one in known_exposers",
  },
} as const satisfies FlagTable;

/** What a pull is to bring, and where to. */
export interface Wanted {
  /** What; without a secret when it was found by its name. */
  readonly ticket: Ticket;
  /** OUT. */
  readonly out: string | undefined;
}

/** Flags that say how it is looked for. */
export interface WantedFlags {
  readonly key: string | undefined;
  readonly "state-dir": string | undefined;
  readonly timeout: number | undefined;
  readonly link: LinkKind | undefined;
  readonly json: boolean;
}

/**
 * Understands `TICKET [OUT]` and `HOST:PORT NAME [OUT]`; the latter is looked up at the exposer.
 *
 * @throws {RgtpError} INVALID_ARG, what `readTicket` and `find` throw, and CANCELLED after Ctrl-C
 */
export async function readWanted(
  [source, ...others]: readonly string[],
  flags: WantedFlags,
  io: Io,
): Promise<Wanted> {
  const address = source === "-" || /^@|^rgtp:/i.test(source) ? undefined : parseAddress(source);
  if (!address) {
    if (others.length > 1) {
      throw new RgtpError(
        "INVALID_ARG",
        `'${visible(others[1])}' is one argument too many behind a ticket and OUT`,
      );
    }
    if (flags.key !== undefined) {
      throw new RgtpError("INVALID_ARG", "--key belongs to HOST:PORT: a ticket holds its exposer's key");
    }
    return { ticket: await readTicket(source, io), out: others[0] };
  }
  const [name, out] = others;
  if (name === undefined) {
    throw new RgtpError(
      "INVALID_ARG",
      `what to pull from ${source} is missing: say its NAME, or give a ticket`,
    );
  }
  const where = formatAddress(address);
  demand(netNeeds({ addresses: [address] }));
  using interrupt = new Interrupt();
  return { ticket: await find(where, name, { ...findOptions(flags, io), signal: interrupt.signal }), out };
}

/** Whom to believe, and as whom to ask. @throws {RgtpError} IO when Deno does not permit to use the state folder */
export function findOptions(
  { key, timeout, link, json, "state-dir": given }: WantedFlags,
  io: Io,
): FindOptions {
  const stateDir = identityFolder(given);
  const common = {
    onStall: stallTeller(io, json),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...(link !== undefined && { link }),
    ...(stateDir !== undefined && { stateDir }),
  };
  if (key !== undefined) {
    const knownDir = permittedFolder(given);
    return { ...common, key, ...(knownDir !== undefined && { knownDir }) };
  }
  const knownDir = given ?? defaultStateDir();
  demand([toRead(knownDir), toWrite(knownDir)]);
  // Somebody has to see the fingerprint: where nobody looks, a stranger is not believed.
  const isSeen = io.errIsTerminal && !json;
  return { ...common, knownDir, ...(isSeen && { onNewExposer: (exposer) => introduce(exposer, io) }) };
}

/** The state folder, if Deno permits to use it: a key that is given needs none. */
function permittedFolder(given: string | undefined): string | undefined {
  try {
    const folder = given ?? defaultStateDir();
    return [toRead(folder), toWrite(folder)].every(({ descriptor }) => isGranted(descriptor))
      ? folder
      : undefined;
  } catch {
    // Deno does not show where it is.
    return undefined;
  }
}

function introduce({ address, key, fingerprint }: NewExposer, io: Io): boolean {
  io.err(
    `first contact with the exposer at ${address}; from now on only this key is believed there:\n` +
      `  fingerprint ${fingerprint}\n  key ${key}\n` +
      "compare it with its owner's 'rgtp id' before you rely on what comes\n",
  );
  return true;
}
