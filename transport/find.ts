import { formatAddress, parseAddress } from "../codec/address.ts";
import { AskKind } from "../codec/grant.ts";
import type { ListAsk, NameAsk } from "../codec/grant.ts";
import { decodeManifest } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import type { Ticket } from "../codec/ticket.ts";
import { equalBytes, utf8 } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import type { ErrorName } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { fingerprint } from "../crypto/identity.ts";
import { exposureId, keyCheck } from "../crypto/key_schedule.ts";
import { ask } from "./ask.ts";
import { formatStaticKey, parseStaticKey } from "./exposure/access.ts";
import { checkListSize, readListing } from "./exposure/listing.ts";
import type { ListedExposure } from "./exposure/listing.ts";
import { KnownExposers } from "./exposure/known_exposers.ts";
import type { FinderFailure } from "./protocol/finder.ts";
import { silenceError } from "./protocol/pull_failures.ts";
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
  extends Pick<PullOptions, "timeoutMs" | "link" | "signal" | "stateDir" | "onStall"> {
  /**
   * The exposer's key, base64url, as its owner's `rgtp id` shows it: nobody else is believed, whatever is known. When the exposer has proved
   * it, it is kept in `knownDir` if nothing is known of that address.
   */
  readonly key?: string;
  /** The folder in which `known_exposers` says whom this user has met; made if need be. Absent: nobody is known. */
  readonly knownDir?: string;
  /** Asked about an exposer that is not known: whether it is to be believed, and kept in `knownDir`. Absent: nobody new is. */
  readonly onNewExposer?: (exposer: NewExposer) => boolean;
}

/**
 * The ticket, without a secret, to what an exposer calls so: a name, or an exposure's label (the first 16 bytes of its ID, in base64url
 * or hexadecimal). Only what is exposed to all, or to this node, is found so. What is believed is the exposer's key: it is given,
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
 * What an exposer exposes to all, or to this node: what can be pulled by its name. Whom to believe is as with {@linkcode find}.
 *
 * @throws {RgtpError} ACCESS_DENIED when there is nothing of that kind; NOT_SUPPORTED for a list that cannot be used; and what `find` and
 * a pull throw
 */
export async function listExposures(where: string, options: FindOptions = {}): Promise<ListedExposure[]> {
  const { ticket, manifest } = await locate(where, { kind: AskKind.LIST }, options);
  checkListSize(manifest);
  const { timeoutMs, link, signal, stateDir, onStall } = options;
  const bytes = await pull(ticket, {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(link !== undefined && { link }),
    ...(signal !== undefined && { signal }),
    ...(stateDir !== undefined && { stateDir }),
    ...(onStall && { onStall }),
  }).bytes();
  return readListing(bytes, manifest);
}

async function locate(
  where: string,
  wanted: NameAsk | ListAsk,
  options: FindOptions,
): Promise<{ ticket: Ticket; manifest: Manifest }> {
  const address = parseAddress(where);
  if (!address) throw new RgtpError("INVALID_ARG", `'${where}' is not HOST:PORT`);
  const place = formatAddress(address);
  const known = options.knownDir === undefined ? undefined : new KnownExposers(options.knownDir);
  const given = options.key === undefined ? undefined : parseStaticKey(options.key);
  const pinned = given ?? known?.find(place);
  if (!pinned && !options.onNewExposer) {
    throw new RgtpError(
      "AUTH_FAIL",
      `the exposer at ${place} is not known here, and nobody is asked whether to believe it: give its key (its owner's 'rgtp id' shows ` +
        "it), with --key on a command line, or a ticket",
      { data: { address: place } },
    );
  }
  const engine = defaultEngine();
  const output = await ask(engine, address, wanted, pinned, options);
  if (output.kind !== "found") {
    if (output.why === "silence" || output.why === "version") throw silenceError(output.silence);
    throw failure(output.why, place, wanted, given ? undefined : known?.path);
  }
  const { grant, exposerKey } = output;
  const manifest = decodeManifest(grant.manifest);
  if (!equalBytes(keyCheck(engine, grant.exposureKey), manifest.keyCheck)) {
    throw new RgtpError(
      "AUTH_FAIL",
      `the exposer at ${place} granted another key than its manifest names: it is broken`,
    );
  }
  if (!pinned) accept(place, exposerKey, known, options);
  else if (given) pin(place, given, known);
  const id = exposureId(engine, grant.manifest);
  return { ticket: { addresses: [address], exposureId: id, exposerKey, name: grant.name }, manifest };
}

function accept(
  address: string,
  exposerKey: Uint8Array,
  known: KnownExposers | undefined,
  { onNewExposer }: FindOptions,
): void {
  const exposer = { address, key: formatStaticKey(exposerKey), fingerprint: fingerprint(exposerKey) };
  if (onNewExposer?.(exposer) !== true) {
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

/** `knownPath` is where the key came from that was not proved, if it was not given. */
function failure(
  why: Exclude<FinderFailure, "silence" | "version">,
  address: string,
  wanted: NameAsk | ListAsk,
  knownPath: string | undefined,
): RgtpError {
  const what = "name" in wanted ? `called '${wanted.name}'` : "to list";
  const kinds: Readonly<Record<typeof why, readonly [ErrorName, string]>> = {
    "wrong key": ["AUTH_FAIL", wrongKey(address, knownPath)],
    denied: [
      "ACCESS_DENIED",
      `the exposer at ${address} has nothing ${what} for this node, whose key 'rgtp id' shows; what needs a ticket is not ` +
      "found by name",
    ],
    "source changed": [
      "SOURCE_CHANGED",
      `what is ${what} at ${address} has changed since it was exposed: it must be exposed again`,
    ],
  };
  return new RgtpError(...kinds[why], { data: { address } });
}

function wrongKey(address: string, knownPath: string | undefined): string {
  if (knownPath === undefined) {
    return `the exposer at ${address} does not hold the key that was given: another one runs there, or someone pretends to be it; ` +
      "compare the key with its owner's 'rgtp id'";
  }
  return `THE EXPOSER AT ${address} HAS CHANGED: it does not hold the key by which it is known here. Someone may pretend to be it, or its ` +
    `identity was made anew. Ask its owner for the key ('rgtp id'); only if it is right, take the line of ${address} out of ` +
    `'${knownPath}', and give --key the first time`;
}
