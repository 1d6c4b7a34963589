import type { Address } from "../codec/address.ts";
import { decodeManifest, ManifestKind } from "../codec/manifest.ts";
import { formatTicket, parseTicket } from "../codec/ticket.ts";
import { equalBytes } from "../core/bytes.ts";
import { systemRandom } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { exposerSecret } from "../crypto/identity.ts";
import type { Identity } from "../crypto/identity.ts";
import { SALT_BYTES } from "../crypto/key_schedule.ts";
import { stretchPassphrase } from "../crypto/passphrase.ts";
import { announcedFacts, Announcer } from "./announce.ts";
import type { ExposeOptions, Exposure } from "./expose.ts";
import type { ExposerEvent, ExposerShell } from "./exposer_shell.ts";
import { grantedEvent } from "./exposure_stats.ts";
import type { AccessPolicy } from "./exposure/access.ts";
import { LIST_CHUNK_BYTES, listingSource } from "./exposure/listing.ts";
import { passphraseDoor } from "./exposure/passphrase_door.ts";
import type { PassphraseDoor } from "./exposure/passphrase_door.ts";
import { sealSource } from "./exposure/seal.ts";
import type { SealedExposure } from "./exposure/seal.ts";
import type { ByteSource } from "./exposure/source.ts";
import type { ExposerState } from "./exposure/state.ts";
import type { TicketBook } from "./exposure/ticket_book.ts";
import type { Link } from "./link/link.ts";
import type { Exposed, ExposedCast } from "./protocol/exposed.ts";
import { openShareDoor } from "./share_door.ts";
import type { ShareDoor } from "./share_door.ts";

/** Memory for sealed chunks, and for what is shared, unless somebody says how much. */
export const MEMORY_BYTES = 256 * 1_048_576;

/** What one exposure of an exposer is made of. */
export interface Parts {
  readonly options: ExposeOptions;
  readonly source: ByteSource;
  readonly policy: AccessPolicy;
  readonly name: string;
  readonly engine: Engine;
  readonly identity: Identity;
  readonly sealed: SealedExposure;
  readonly listing: SealedExposure | undefined;
  readonly sealSeconds: number;
  readonly book: TicketBook;
  readonly shell: ExposerShell;
  /** For tickets. */
  readonly addresses: readonly Address[];
  /** Its multicast group; absent: there is none. */
  readonly cast?: { readonly exposed: ExposedCast; readonly link: Link };
  /** Ends with the exposer; rejects when its socket dies. */
  readonly portClosed: Promise<void>;
  /** Has the events of this exposure told. */
  listen(exposed: Exposed, handle: (event: ExposerEvent) => void): void;
  /** It is about to end. */
  forget(exposed: Exposed): void;
}

/** Makes what lets in those who know the passphrase, for each exposure; absent: there is none. */
type MakeDoor = (() => PassphraseDoor) | undefined;

/** Serves what is sealed on an exposer's port, until it is closed. */
export function serveExposure(parts: Parts): Exposure {
  const { options, policy, name, engine, identity, sealed, listing, sealSeconds, book, shell, cast } = parts;
  const epoch = new PolicyEpoch();
  const share = openShareDoor({ memoryBytesMax: MEMORY_BYTES, ...options }, {
    engine,
    random: systemRandom,
    holding: (token) => shell.machine.holding(shell.now(), token),
  });
  const makeDoor = doors(engine, identity, options.passphrase);
  const exposed: Exposed = {
    ...exposedOf(sealed, name, { policy, book, makeDoor }, epoch),
    ...(cast && { cast: cast.exposed }),
    ...(share && { share: share.name }),
  };
  const listed: Exposed | undefined = listing &&
    { ...exposedOf(listing, "", { policy, book, makeDoor }, epoch), isList: true };
  const counts = { completed: 0, left: 0 };
  parts.listen(exposed, (event) => tell(event, options, counts));
  shell.add(exposed, sealed.store, cast?.link);
  share?.add(exposed, parts.source);
  if (!share && !sealed.store.holdsSource) parts.source.close();
  if (listing && listed) shell.add(listed, listing.store);
  const end = Promise.withResolvers<void>();
  parts.portClosed.then(end.resolve, end.reject);
  const announcer = options.announce && new Announcer({
    ...{ engine, identity, link: shell.link, onWarning: options.onWarning },
    facts: announcedFacts({
      exposureId: sealed.id,
      manifest: exposed.manifest,
      name,
      access: policy.kind,
    }),
  });
  const stop = () => {
    if (announcer) announcer[Symbol.dispose]();
    share?.close();
  };
  // Whoever does not look at `closed` shall not be ended by it.
  end.promise.catch(() => {}).finally(stop);
  const shut = async () => {
    stop();
    parts.forget(exposed);
    await Promise.all([exposed, ...(listed ? [listed] : [])].map((one) => shell.remove(one)));
    end.resolve();
  };
  let closing: Promise<void> | undefined;
  const close = () => closing ??= shut();
  options.signal?.addEventListener("abort", close, { once: true });
  const newTicket = ticketMaker(parts);
  return {
    ticket: newTicket(),
    id: sealed.id.toBase64({ alphabet: "base64url", omitPadding: true }),
    access: policy.kind,
    bytes: exposed.manifest.totalSize,
    chunks: sealed.chunkCount,
    sealSeconds,
    address: shell.link.local,
    closed: end.promise,
    stats: () => statsOf(parts, exposed, share, counts),
    newTicket,
    revokeTicket: (text) => {
      const { secret } = parseTicket(text);
      const id = secret && book.revoke(secret);
      if (id) shell.revoke(id);
      return id !== undefined;
    },
    recheck: () => epoch.next(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Pulls that have ended. */
type Counts = Record<"completed" | "left", number>;

function tell(event: ExposerEvent, { onEvent }: ExposeOptions, counts: Counts): void {
  if (event.kind === "granted") return onEvent?.(grantedEvent(event));
  const kind = event.done ? "completed" : "left";
  counts[kind]++;
  onEvent?.({ kind, address: event.from, bytesSent: event.bytesSent });
}

function ticketMaker({ policy, addresses, sealed, identity, book, name }: Parts): Exposure["newTicket"] {
  return (ticketOptions = {}) => {
    if (policy.kind !== "tickets" && (ticketOptions.label ?? ticketOptions.expiresMs) !== undefined) {
      throw new RangeError("a ticket without a secret has no label and no expiry: all of them are the same");
    }
    return formatTicket({
      addresses,
      exposureId: sealed.id,
      exposerKey: identity.staticKey,
      ...(policy.kind === "tickets" && { secret: book.issue(ticketOptions) }),
      name,
    });
  };
}

function statsOf(
  { shell, sealed, cast, book }: Parts,
  exposed: Exposed,
  share: ShareDoor | undefined,
  counts: Counts,
): ReturnType<Exposure["stats"]> {
  return {
    ...shell.stats(),
    ...counts,
    bytesSent: shell.bytesSent(exposed),
    pullers: shell.machine.pullers(shell.now()).filter(({ exposureId }) => equalBytes(exposureId, sealed.id))
      .map((puller) => {
        const ticket = book.labelOf(puller.ticketId);
        return { ...puller, ...(ticket !== undefined && { ticket }) };
      }),
    store: sealed.store.counters,
    storeBytes: sealed.store.memoryBytes,
    ...(share && { shared: share.stats }),
    ...(cast && { multicast: shell.machine.groups.status(exposed) }),
  };
}

function exposedOf(
  sealed: SealedExposure,
  name: string,
  { policy, makeDoor, ...parts }: Pick<Parts, "policy" | "book"> & { readonly makeDoor: MakeDoor },
  epoch: PolicyEpoch,
): Exposed {
  const door = makeDoor?.();
  const book = door?.book ?? parts.book;
  return {
    ...(door && { passphrase: door.passphrase }),
    id: sealed.id,
    manifestBytes: sealed.manifest,
    manifest: decodeManifest(sealed.manifest),
    exposureKey: sealed.exposureKey,
    leaves: sealed.leaves,
    name,
    access: (ticketId, pullerKey) => policy.decide(book, ticketId, pullerKey),
    isAccessPure: policy.kind !== "callback",
    stillGood: (ticketId) => policy.stillGood(book, ticketId),
    epoch: () => epoch.now,
    coldBytes: (piece) => sealed.store.coldBytes(piece),
  };
}

/** The list of what is here without a ticket, for those who may pull it; as long as this process lives. */
export function sealList(
  engine: Engine,
  { identity }: Pick<ExposerState, "identity">,
  { id, manifest }: SealedExposure,
  name: string,
): Promise<SealedExposure> {
  const { totalSize, kind } = decodeManifest(manifest);
  const listed = {
    name,
    id: id.toBase64({ alphabet: "base64url", omitPadding: true }),
    bytes: totalSize,
    isCollection: kind === ManifestKind.COLLECTION,
  };
  return sealSource(listingSource(engine, [listed]), {
    engine,
    chunkSize: LIST_CHUNK_BYTES,
    secret: exposerSecret(engine, identity),
    salt: systemRandom(SALT_BYTES),
  });
}

/** The slow hash runs here, once. */
function doors(
  engine: Engine,
  identity: Identity,
  passphrase: string | undefined,
): MakeDoor {
  if (passphrase === undefined) return undefined;
  const stretched = stretchPassphrase(passphrase, identity.staticKey);
  return () => passphraseDoor(engine, systemRandom, stretched);
}

/** Which state of the policy is in force; it has room for 256, and a token of the state that long ago has ended long since. */
class PolicyEpoch {
  #number = 0;

  get now(): number {
    return this.#number;
  }

  next(): void {
    this.#number = (this.#number + 1) % 256;
  }
}
