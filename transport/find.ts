import { formatAddress, parseAddress } from "../codec/address.ts";
import { AskKind } from "../codec/grant.ts";
import type { Ask, Grant } from "../codec/grant.ts";
import { decodeManifest } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import type { Ticket } from "../codec/ticket.ts";
import { equalBytes, utf8 } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Engine } from "../crypto/engine.ts";
import { fingerprint } from "../crypto/identity.ts";
import { exposureId, keyCheck } from "../crypto/key_schedule.ts";
import { ask } from "./ask.ts";
import { formatStaticKey, parseStaticKey } from "./exposure/access.ts";
import { checkListSize, readListing } from "./exposure/listing.ts";
import type { ListedExposure } from "./exposure/listing.ts";
import { KnownExposers } from "./exposure/known_exposers.ts";
import { findFailure } from "./find_failures.ts";
import type { LinkChoice } from "./link/open_link.ts";
import { pull } from "./pull.ts";
import type { PullOptions } from "./pull.ts";

/** An exposer that nobody here has met. */
export interface NewExposer {
  /** Where it answers: `HOST:PORT`. */
  readonly address: string;
  /** Its X25519 key, base64url. */
  readonly key: string;
  /** The same for people to compare. */
  readonly fingerprint: string;
}

/** How something is found by its name. */
export interface FindOptions
  extends
    LinkChoice,
    Pick<PullOptions, "timeoutMs" | "signal" | "stateDir" | "onStall" | "postQuantum" | "mayContact"> {
  /**
   * The exposer's key, base64url, as its owner's `rgtp id` shows it: nobody else is believed, whatever is known. When the exposer has proved
   * it, it is kept in `knownDir` if nothing is known of that address.
   */
  readonly key?: string;
  /** The folder in which `known_exposers` says whom this user has met; made if need be. Absent: nobody is known. */
  readonly knownDir?: string;
  /**
   * Asked about an exposer that is not known: whether it is to be believed, and kept in `knownDir`. Absent: nobody new is, but an exposer
   * that has shown that it knows `passphrase`.
   */
  readonly onNewExposer?: (exposer: NewExposer) => boolean;
  /** Finds what this passphrase opens, and nothing else: the ticket then holds a secret. */
  readonly passphrase?: string;
}

/** How a ticket gets its secret. */
export type UnlockOptions =
  & LinkChoice
  & Pick<FindOptions, "timeoutMs" | "signal" | "onStall" | "postQuantum" | "mayContact">;

/**
 * The ticket, without a secret, to what an exposer calls so: a name, or an exposure's label (the first 16 bytes of its ID, in base64url
 * or hexadecimal). Only what is exposed to all, to this node, or to those who know `passphrase`, is found so. What is believed is the exposer's key: it is given,
 * known from an earlier time, or new and accepted; one that has changed is refused.
 *
 * @throws {RgtpError} INVALID_ARG for what is no address, name or key; ACCESS_DENIED; AUTH_FAIL when the exposer has another key, or is
 * not known and not accepted; TIMEOUT, VERSION, SOURCE_CHANGED; NOT_FOUND, SOCKET, IO, NO_SPACE; CANCELLED
 *
 * @example
 * ```ts
 * import { expose, find, pull } from "@red-giant/rgtp";
 *
 * const options = { host: "127.0.0.1", port: 0, open: true, name: "greeting" };
 * await using exposure = await expose(new TextEncoder().encode("hello"), options);
 * const { port } = exposure.address;
 * const ticket = await find(`127.0.0.1:${port}`, "greeting", { onNewExposer: () => true });
 * if (new TextDecoder().decode(await pull(ticket).bytes()) !== "hello") throw new Error("unexpected");
 * ```
 */
export async function find(where: string, name: string, options: FindOptions = {}): Promise<Ticket> {
  const bytes = utf8(name).length;
  if (bytes < 1 || bytes > limits.nameBytesMax) {
    throw new RgtpError(
      "INVALID_ARG",
      `a name has 1 to ${limits.nameBytesMax} bytes of UTF-8, this one ${bytes}`,
    );
  }
  const { ticket } = await locate(where, { kind: AskKind.NAME, name }, options);
  return ticket;
}

/**
 * A ticket without a secret, and the secret that its passphrase leads to. It is as good as one that was given as a ticket, until the
 * exposer starts anew: then the passphrase is needed again.
 *
 * @throws {RgtpError} ACCESS_DENIED when the passphrase is wrong, no passphrase opens it, or there were too many wrong ones; INVALID_ARG
 * for what is no passphrase; AUTH_FAIL, TIMEOUT, VERSION, SOURCE_CHANGED, SOCKET, CANCELLED
 *
 * @example
 * ```ts
 * import { expose, pull, unlock } from "@red-giant/rgtp";
 *
 * const passphrase = "four quiet words here";
 * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0, passphrase });
 * const bytes = await pull(await unlock(exposure.ticket, passphrase)).bytes();
 * if (new TextDecoder().decode(bytes) !== "hello") throw new Error("unexpected");
 * ```
 */
export async function unlock(
  ticket: string | Ticket,
  passphrase: string,
  options: UnlockOptions = {},
): Promise<Ticket> {
  // Nothing is pulled yet, but a ticket that is none is refused.
  const locked = pull(ticket).ticket;
  const { addresses, exposureId: id, exposerKey } = locked;
  const engine = defaultEngine();
  const wanted = { kind: AskKind.ID, exposureId: id, ticketId: new Uint8Array(8) };
  const output = await ask(engine, addresses, wanted, exposerKey, { ...options, passphrase });
  const place = addresses.map(formatAddress).join(", ");
  if (output.kind !== "found") {
    throw findFailure(output.why, { place, wanted, passphrase, silence: output.silence });
  }
  const { grant } = output;
  readManifest(engine, grant, place);
  if (!grant.secret || !equalBytes(exposureId(engine, grant.manifest), id)) {
    throw new RgtpError(
      "AUTH_FAIL",
      `the exposer at ${place} granted something else than the ticket names: it is broken`,
    );
  }
  return { ...locked, secret: grant.secret };
}

/**
 * What an exposer exposes to all, to this node, or to those who know `passphrase`: what can be pulled by its name. Whom to believe is as with {@linkcode find}.
 *
 * @throws {RgtpError} ACCESS_DENIED when there is nothing of that kind; NOT_SUPPORTED for a list that cannot be used; and what `find` and
 * a pull throw
 */
export async function listExposures(where: string, options: FindOptions = {}): Promise<ListedExposure[]> {
  const { ticket, manifest } = await locate(where, { kind: AskKind.LIST }, options);
  checkListSize(manifest);
  const { timeoutMs, signal, stateDir, onStall, postQuantum, mayContact, link, interface: name, vlan } =
    options;
  const bytes = await pull(ticket, {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(link !== undefined && { link }),
    ...(name !== undefined && { interface: name }),
    ...(vlan !== undefined && { vlan }),
    ...(signal !== undefined && { signal }),
    ...(stateDir !== undefined && { stateDir }),
    ...(onStall && { onStall }),
    ...(postQuantum && { postQuantum }),
    ...(mayContact && { mayContact }),
  }).bytes();
  return readListing(bytes, manifest);
}

async function locate(
  where: string,
  wanted: Ask,
  options: FindOptions,
): Promise<{ ticket: Ticket; manifest: Manifest }> {
  const address = parseAddress(where);
  if (!address) throw new RgtpError("INVALID_ARG", `'${where}' is not HOST:PORT`);
  const place = formatAddress(address);
  const known = options.knownDir === undefined ? undefined : new KnownExposers(options.knownDir);
  const given = options.key === undefined ? undefined : parseStaticKey(options.key);
  const pinned = given ?? known?.find(place);
  const { passphrase } = options;
  if (!pinned && !options.onNewExposer && passphrase === undefined) {
    throw new RgtpError(
      "AUTH_FAIL",
      `the exposer at ${place} is not known here, and nobody is asked whether to believe it: give its key (its owner's 'rgtp id' shows ` +
        "it), with --key on a command line, or a ticket",
      { data: { address: place } },
    );
  }
  const engine = defaultEngine();
  const output = await ask(engine, [address], wanted, pinned, options);
  if (output.kind !== "found") {
    const knownPath = given ? undefined : known?.path;
    throw findFailure(output.why, { place, wanted, knownPath, passphrase, silence: output.silence });
  }
  const { grant, exposerKey } = output;
  const manifest = readManifest(engine, grant, place);
  if (!pinned) accept(place, exposerKey, known, options);
  else if (given) pin(place, given, known);
  const { name, secret } = grant;
  const id = exposureId(engine, grant.manifest);
  return {
    ticket: { addresses: [address], exposureId: id, exposerKey, ...(secret && { secret }), name },
    manifest,
  };
}

/** @throws {RgtpError} AUTH_FAIL when the manifest is not that of the granted key, INVALID_ARG or NOT_SUPPORTED when it is none */
function readManifest(engine: Engine, grant: Grant, place: string): Manifest {
  const manifest = decodeManifest(grant.manifest);
  if (equalBytes(keyCheck(engine, grant.exposureKey), manifest.keyCheck)) return manifest;
  throw new RgtpError(
    "AUTH_FAIL",
    `the exposer at ${place} granted another key than its manifest names: it is broken`,
  );
}

function accept(
  address: string,
  exposerKey: Uint8Array,
  known: KnownExposers | undefined,
  { onNewExposer, passphrase }: FindOptions,
): void {
  const exposer = { address, key: formatStaticKey(exposerKey), fingerprint: fingerprint(exposerKey) };
  // Nobody but who knows the passphrase can have answered so.
  const isAccepted = onNewExposer ? onNewExposer(exposer) : passphrase !== undefined;
  if (isAccepted !== true) {
    throw new RgtpError("AUTH_FAIL", `the exposer at ${address} was not accepted: nothing was pulled`, {
      data: { ...exposer },
    });
  }
  known?.add(address, exposerKey);
}

/** A key that was given and proved is known from then on. What is known otherwise is left as it is: no flag changes it. */
function pin(address: string, exposerKey: Uint8Array, known: KnownExposers | undefined): void {
  try {
    if (known && !known.find(address)) known.add(address, exposerKey);
  } catch {
    // A file that is damaged or cannot be written matters when it is needed: here the key is at hand.
  }
}
