import { formatAddress, parseAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { FindOptions, NewExposer } from "../transport/find.ts";
import type { PostQuantum } from "../transport/protocol/handshake_shape.ts";
import type { FlagTable } from "./_args.ts";
import { contactOptions } from "./_contact_flag.ts";
import { handshakeOptions } from "./_handshake_flag.ts";
import { Interrupt } from "./_interrupt.ts";
import type { Io } from "./_io.ts";
import { linkOptions } from "./_link_flag.ts";
import type { LinkFlags } from "./_link_flag.ts";
import { identityFolder } from "./_node_identity.ts";
import { passphraseFlags, readPassphrase } from "./_passphrase.ts";
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
  ...passphraseFlags,
} as const satisfies FlagTable;

/** What a pull is to bring, and where to. */
export interface Wanted {
  /** What; without a secret when it was found by its name. */
  readonly ticket: Ticket;
  /** The passphrase that gave it its secret. */
  readonly passphrase?: string | undefined;
  /** OUT. */
  readonly out: string | undefined;
}

/** Flags that say how it is looked for. */
export interface WantedFlags extends LinkFlags {
  readonly "post-quantum"?: PostQuantum | undefined;
  readonly "public-only"?: boolean | undefined;
  readonly key: string | undefined;
  readonly "password-file": string | undefined;
  readonly "state-dir": string | undefined;
  readonly timeout: number | undefined;
  readonly json: boolean;
}

/** Commands that read a ticket, and flags of theirs that say how it is opened. */
export type UnlockFlags =
  & LinkFlags
  & Pick<WantedFlags, "password-file" | "timeout" | "json" | "post-quantum" | "public-only">;

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
    return { ...await readUnlocked(source, flags, io), out: others[0] };
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
  const options = findOptions(flags, io);
  const given = await readPassphrase(flags["password-file"], io);
  const look = async (passphrase: string | undefined): Promise<Wanted> => {
    const { find } = await import("../transport/find.ts");
    using interrupt = new Interrupt();
    const { signal } = interrupt;
    const by = { ...options, signal, ...(passphrase !== undefined && { passphrase }) };
    return { ticket: await find(where, name, by), passphrase, out };
  };
  return await look(given).catch(async (denied) => look(await askAfter(denied, flags, io)));
}

/**
 * The ticket that an argument names, with the secret that its passphrase leads to when one is given.
 *
 * @throws {RgtpError} what `readTicket`, `readPassphrase` and `unlock` throw
 */
export async function readUnlocked(source: string, flags: UnlockFlags, io: Io): Promise<Omit<Wanted, "out">> {
  const file = flags["password-file"];
  if (source === "-" && file === "-") {
    throw new RgtpError("INVALID_ARG", "standard input holds the ticket: give the passphrase in a file");
  }
  const ticket = await readTicket(source, io);
  if (file !== undefined && ticket.secret) {
    throw new RgtpError(
      "INVALID_ARG",
      "this ticket holds a secret and needs no passphrase: leave --password-file out",
    );
  }
  const passphrase = await readPassphrase(file, io);
  if (passphrase === undefined) return { ticket };
  return { ticket: await unlockWith(ticket, passphrase, flags, io), passphrase };
}

/**
 * The same for what its exposer has denied. It may need a passphrase, which nobody can be told; or the exposer has started anew, and wants to
 * be shown the passphrase again.
 *
 * @throws what was thrown, when there is no passphrase and nobody to ask; and what `unlock` throws
 */
export async function unlockAfter(
  denied: unknown,
  { ticket, passphrase: known, out }: Wanted,
  flags: UnlockFlags & Pick<WantedFlags, "json">,
  io: Io,
): Promise<Wanted> {
  if (!isDenial(denied) || (known === undefined && ticket.secret)) throw denied;
  const passphrase = known ?? await askAfter(denied, flags, io);
  return { ticket: await unlockWith(ticket, passphrase, flags, io), passphrase, out };
}

async function unlockWith(
  ticket: Ticket,
  passphrase: string,
  flags: UnlockFlags,
  io: Io,
): Promise<Ticket> {
  demand(netNeeds(ticket));
  const { unlock } = await import("../transport/find.ts");
  using interrupt = new Interrupt();
  return await unlock(ticket, passphrase, {
    signal: interrupt.signal,
    onStall: stallTeller(io, flags.json),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout }),
    ...linkOptions(flags),
    ...handshakeOptions(flags),
    ...contactOptions(flags),
  });
}

function isDenial(error: unknown): boolean {
  return error instanceof RgtpError && error.condition === "ACCESS_DENIED";
}

async function askAfter(
  denied: unknown,
  flags: Pick<WantedFlags, "password-file" | "json">,
  io: Io,
): Promise<string> {
  if (!isDenial(denied) || flags["password-file"] !== undefined || flags.json || !io.readHidden) throw denied;
  io.err("there is no such thing here, it is not for this machine, or it needs a passphrase\n");
  const typed = await io.readHidden("passphrase (Enter: none): ");
  if (typed === "") throw denied;
  return typed;
}

/** Whom to believe, and as whom to ask. @throws {RgtpError} IO when Deno does not permit to use the state folder */
export function findOptions(
  flags: Omit<WantedFlags, "password-file">,
  io: Io,
): FindOptions {
  const { key, timeout, json, "state-dir": given } = flags;
  const stateDir = identityFolder(given);
  const common = {
    onStall: stallTeller(io, json),
    ...(timeout !== undefined && { timeoutMs: timeout }),
    ...linkOptions(flags),
    ...handshakeOptions(flags),
    ...contactOptions(flags),
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
