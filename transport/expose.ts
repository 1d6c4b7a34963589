import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { fittingSymbolSize } from "../codec/geometry.ts";
import { decodeManifest, ManifestKind } from "../codec/manifest.ts";
import { formatTicket, parseTicket } from "../codec/ticket.ts";
import { equalBytes, utf8 } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { AeadName, Engine } from "../crypto/engine.ts";
import { exposerSecret } from "../crypto/identity.ts";
import { SALT_BYTES } from "../crypto/key_schedule.ts";
import { stretchPassphrase } from "../crypto/passphrase.ts";
import { reachableHosts } from "./addresses.ts";
import { announcedFacts, Announcer } from "./announce.ts";
import { bindExposer } from "./bind.ts";
import { castLink, exposedCast } from "./group_cast.ts";
import type { CastOptions } from "./group_cast.ts";
import { ExposerShell } from "./exposer_shell.ts";
import type { ExposureEvent, ExposureStats } from "./exposure_stats.ts";
import type { ExposerEvent } from "./exposer_shell.ts";
import { LIST_CHUNK_BYTES, listingSource } from "./exposure/listing.ts";
import { accessPolicy } from "./exposure/access.ts";
import type { AccessOptions, AccessPolicy } from "./exposure/access.ts";
import { passphraseDoor } from "./exposure/passphrase_door.ts";
import type { PassphraseDoor } from "./exposure/passphrase_door.ts";
import { DEFAULT_PROFILE, profiles } from "./exposure/profiles.ts";
import type { ProfileName } from "./exposure/profiles.ts";
import { sealSource } from "./exposure/seal.ts";
import type { SealedExposure } from "./exposure/seal.ts";
import { openSource, sourceName } from "./exposure/open_source.ts";
import type { ExposeSource } from "./exposure/open_source.ts";
import type { ByteSource } from "./exposure/source.ts";
import type { SpoolOptions } from "./exposure/spooled_source.ts";
import { openState } from "./exposure/state.ts";
import type { ExposerState } from "./exposure/state.ts";
import { TicketBook } from "./exposure/ticket_book.ts";
import { watchTickets } from "./exposure/ticket_watch.ts";
import type { Link } from "./link/link.ts";
import type { LinkChoice } from "./link/open_link.ts";
import type { Exposed, ExposedCast } from "./protocol/exposed.ts";
import { openShareDoor } from "./share_door.ts";
export type { ExposureEvent, ExposureStats, ServingStats } from "./exposure_stats.ts";
export type { ShareStats } from "./share_door.ts";

/** How something is exposed, and (`open`, `allow`, `access`, `passphrase`) to whom. */
export interface ExposeOptions extends AccessOptions, LinkChoice {
  /** The address to listen on; all of this machine's when absent. Not with `ethernet`, whose interface has one. */
  readonly host?: string;
  /** The port: exactly this one, 0 for any. Absent: 9000, or the next free one above. */
  readonly port?: number;
  /** Hosts for the ticket; absent: this machine's addresses that others can reach. */
  readonly advertise?: readonly string[];
  /** What pullers see; absent: the file's name. At most 255 bytes of UTF-8. */
  readonly name?: string;
  /** `lan`, `wan` (the default), `mobile` or `satellite`: sets the chunk size. */
  readonly profile?: ProfileName;
  /** Plaintext bytes of a chunk, a power of two from 4 KiB to 1 MiB; goes before `profile`. */
  readonly chunkSize?: number;
  /** How chunks are sealed; ChaCha20-Poly1305 when absent. */
  readonly aead?: AeadName;
  /** Where identity and catalog live. Absent: nowhere; the exposure ends with the process and cannot be made again. */
  readonly stateDir?: string;
  /** Bytes of memory for sealed chunks, at least 16 MiB; 256 MiB when absent. What is larger is sealed again in parts when it is asked for. */
  readonly memoryBytesMax?: number;
  /** A folder for a file that holds sealed what does not fit the memory: more disk, and less work; absent: none. */
  readonly spill?: string;
  /**
   * A folder for the file that a stream is read into before it is sealed, as large as the stream; absent: that of `spill`, else
   * `stateDir`, else the system's for temporary files.
   */
  readonly spool?: string;
  /** Makes a new exposure, with a new key and ID, of what was exposed before; the tickets of that one end. */
  readonly rekey?: boolean;
  /**
   * Derives key and ID from the content, which is read twice: the same bytes are then the same exposure on any day, without a catalog. So
   * everybody who has had a ticket to these bytes recognises them in any later exposure, and holds its key.
   */
  readonly reproducible?: boolean;
  /** Bytes a second for all pullers together. */
  readonly limitRate?: number;
  /** Bytes a second for each puller. */
  readonly pullRateMax?: number;
  /**
   * Tells the local network of it once a second, for `discover` there: name, size, ID, this machine's name, and whom it lets pull. Whoever is
   * on that network may know it then; the ticket's secret is in none of it.
   */
  readonly announce?: boolean;
  /**
   * Which pullers on this machine get the bytes as shared memory, rather than over the network: those of the same user (`"user"`), of any
   * user (`"all"`; they need a ticket all the same), or none (`"off"`). Absent: `"user"`, but `"off"` where `link`, `multicast`, `limitRate`
   * or `pullRateMax` say something of the network. It takes Linux, and `--allow-ffi=/lib`.
   */
  readonly shared?: "user" | "all" | "off";
  /** A multicast group that carries it too: once for all who pull at the same time. Absent: none. */
  readonly multicast?: CastOptions;
  /** Ends the sealing, and closes the exposure. */
  readonly signal?: AbortSignal;
  /** Told while a stream is read, before it is sealed: bytes so far. */
  readonly onRead?: (bytes: number) => void;
  /** Told while sealing: plaintext bytes sealed, and of how many. */
  readonly onSeal?: (bytes: number, total: number) => void;
  /** Told what is not as it should be, but stops nothing. */
  readonly onWarning?: (text: string) => void;
  /** Told when a puller gets a grant, and when it has everything or falls silent. */
  readonly onEvent?: (event: ExposureEvent) => void;
}

/** Something that is being exposed. */
export interface Exposure extends AsyncDisposable {
  /** For pullers: `rgtp://HOST:PORT/ID.KEY.SECRET/NAME/`. Whoever has it may pull; without a secret, those whom the policy lets. */
  readonly ticket: string;
  /** The exposure's ID, base64url. */
  readonly id: string;
  /** Whom it lets pull: holders of tickets with a secret, all, nodes of a list, those that a function lets, or that know a passphrase. */
  readonly access: "tickets" | "open" | "allow" | "callback" | "passphrase";
  /** Plaintext bytes. */
  readonly bytes: number;
  /** Chunks. */
  readonly chunks: number;
  /** How long reading, sealing and hashing took. */
  readonly sealSeconds: number;
  /** Where it listens. */
  readonly address: Address;
  /** Ends when the exposure is closed; rejects when its socket dies. */
  readonly closed: Promise<void>;
  /** What it has done so far. */
  stats(): ExposureStats;
  /**
   * One more ticket, that can be revoked on its own. `expiresMs` is wall-clock time, ms since 1970.
   *
   * @throws {RangeError} for a label or an expiry where it is not tickets that let pull: all are the same there
   */
  newTicket(options?: { label?: string; expiresMs?: number }): string;
  /** Ends a ticket and the pulls under it; false when it is not one of this exposure's. What was pulled cannot be taken back. */
  revokeTicket(ticket: string): boolean;
  /**
   * Has the policy decide anew about all who pull: each shakes hands again, and whoever is not let in any more ends with ACCESS_DENIED. For
   * an `access` function that has changed its mind; without this it is asked again within ten minutes.
   */
  recheck(): void;
  /** Tells those who are pulling, and closes. Twice is fine. */
  close(): Promise<void>;
}

const MEMORY_BYTES = 256 * 1_048_576;

/**
 * Seals something once and serves it to whoever has the ticket, until it is closed: a file or bytes as they are; the contents of a folder,
 * or several files and folders, as a collection. A stream is read to its end into a file that nobody else sees, then sealed.
 *
 * @param source path of a file or folder, several of them, bytes (not copied while they are sealed), or a stream of bytes
 * @throws {RgtpError} INVALID_ARG for a key that is none, or a passphrase that is too short; NOT_FOUND, IO, NOT_SUPPORTED (what cannot be carried, see docs/decisions/0009), SOURCE_CHANGED, ADDRESS_IN_USE, SOCKET, NOMEM,
 * NO_SPACE, CANCELLED
 * @throws {RangeError} when an option is out of its range
 *
 * @example
 * ```ts
 * import { expose, pull } from "@red-giant/rgtp";
 *
 * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0 });
 * const bytes = await pull(exposure.ticket).bytes();
 * if (new TextDecoder().decode(bytes) !== "hello") throw new Error("unexpected");
 * ```
 */
export async function expose(source: ExposeSource, options: ExposeOptions = {}): Promise<Exposure> {
  checkStoreOptions(options);
  const policy = accessPolicy(options);
  const name = checkedName(options.name ?? sourceName(source));
  const engine = defaultEngine();
  const chunkSize = options.chunkSize ?? profiles[options.profile ?? DEFAULT_PROFILE];
  const { signal } = options;
  let bytes: ByteSource | undefined;
  let state: ExposerState | undefined;
  let link: Link | undefined;
  let groupLink: Link | undefined;
  let sealed: SealedExposure | undefined;
  try {
    // A taken port shall not show only after a large file was sealed. Who asks meanwhile asks again.
    link = await bindExposer(options);
    const cast = options.multicast && exposedCast(options.multicast, systemRandom);
    groupLink = options.multicast && await castLink(options.multicast, options.link);
    state = openState(engine, systemRandom, options.stateDir);
    for (const warning of state.warnings) options.onWarning?.(warning);
    const { size } = bytes = await openSource(source, {
      ...intakeOf(options),
      chunkSize,
      hash: engine.sha256,
    });
    const started = performance.now();
    sealed = await state.seal(bytes, {
      aead: options.aead ?? "chacha20-poly1305",
      chunkSize,
      ...packedAhead(link),
      memoryBytesMax: options.memoryBytesMax ?? MEMORY_BYTES,
      ...(options.spill !== undefined && { spillFolder: options.spill }),
      rekey: options.rekey ?? false,
      reproducible: options.reproducible ?? false,
      audience: policy.name,
      onProgress: (done) => options.onSeal?.(done, size),
      onLost: (reason) => options.onWarning?.(reason.message),
      ...(signal && { signal }),
    });
    const sealSeconds = (performance.now() - started) / 1000;
    const book = new TicketBook(engine, systemRandom, Date.now, state.shelf(sealed.id));
    // What only tickets open is on no list.
    const listing = policy.kind === "tickets" ? undefined : await sealList(engine, state, sealed, name);
    const makeDoor = doors(engine, state, options.passphrase);
    return serve({
      options,
      source: bytes,
      policy,
      name,
      engine,
      state,
      sealed,
      listing,
      sealSeconds,
      book,
      makeDoor,
      link,
      ...(cast && groupLink && { cast: { exposed: cast, link: groupLink } }),
    });
  } catch (error) {
    sealed?.store.close();
    bytes?.close();
    state?.close();
    link?.close();
    groupLink?.close();
    throw error;
  }
}

/** The size of symbols that pullers on this link will ask for, where it knows what all of them can take. */
function packedAhead({ pathBytesMax }: Link): { symbolSize?: number } {
  const symbolSize = pathBytesMax === undefined ? undefined : fittingSymbolSize(pathBytesMax);
  return symbolSize === undefined ? {} : { symbolSize };
}

/** How a source is read. */
function intakeOf({ spool, spill, stateDir, onRead, signal }: ExposeOptions): SpoolOptions {
  const folder = spool ?? spill ?? stateDir;
  return { ...(folder !== undefined && { folder }), ...(onRead && { onRead }), ...(signal && { signal }) };
}

interface Parts {
  readonly options: ExposeOptions;
  readonly source: ByteSource;
  readonly policy: AccessPolicy;
  readonly name: string;
  readonly engine: Engine;
  readonly state: ExposerState;
  readonly sealed: SealedExposure;
  readonly listing: SealedExposure | undefined;
  readonly sealSeconds: number;
  readonly book: TicketBook;
  /** Makes what lets in those who know the passphrase, for each exposure; absent: there is none. */
  readonly makeDoor: (() => PassphraseDoor) | undefined;
  readonly link: Link;
  /** Its multicast group; absent: there is none. */
  readonly cast?: { readonly exposed: ExposedCast; readonly link: Link };
}

/** The slow hash runs here, once. */
function doors(
  engine: Engine,
  { identity }: ExposerState,
  passphrase: string | undefined,
): Parts["makeDoor"] {
  if (passphrase === undefined) return undefined;
  const stretched = stretchPassphrase(passphrase, identity.staticKey);
  return () => passphraseDoor(engine, systemRandom, stretched);
}

/** The list of what is here without a ticket, for those who may pull it; as long as this process lives. */
function sealList(
  engine: Engine,
  { identity }: ExposerState,
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

function exposedOf(
  sealed: SealedExposure,
  name: string,
  { policy, makeDoor, ...parts }: Pick<Parts, "policy" | "book" | "makeDoor">,
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
    coldBytes: (piece, symbolSize) => sealed.store.coldBytes(piece, symbolSize),
  };
}

function serve(parts: Parts): Exposure {
  const { options, policy, name, engine, state, sealed, listing, sealSeconds, book, link } = parts;
  const epoch = new PolicyEpoch();
  const { cast } = parts;
  const share = openShareDoor({ memoryBytesMax: MEMORY_BYTES, ...options }, {
    engine,
    random: systemRandom,
    holding: (token) => shell.machine.holding(shell.now(), token),
  });
  const exposed: Exposed = {
    ...exposedOf(sealed, name, parts, epoch),
    ...(cast && { cast: cast.exposed }),
    ...(share && { share: share.name }),
  };
  const { manifest } = exposed;
  const pulls = { completed: 0, left: 0 };
  const handleEvent = (event: ExposerEvent) => {
    // Who looks at the list has not pulled.
    if (event.exposed !== exposed) return;
    if (event.kind === "granted") {
      return options.onEvent?.({ kind: "granted", address: event.to, bytesSent: 0 });
    }
    const kind = event.done ? "completed" : "left";
    pulls[kind]++;
    options.onEvent?.({ kind, address: event.from, bytesSent: event.bytesSent });
  };
  const { limitRate, pullRateMax } = options;
  const shell = new ExposerShell(link, {
    engine,
    staticPrivate: state.identity.staticPrivate,
    random: systemRandom,
    ...(limitRate !== undefined && { limitRate }),
    ...(pullRateMax !== undefined && { pullRateMax }),
  }, handleEvent);
  shell.add(exposed, sealed.store, cast?.link);
  share?.add(exposed, parts.source);
  if (!share && !sealed.store.holdsSource) parts.source.close();
  if (listing) shell.add({ ...exposedOf(listing, "", parts, epoch), isList: true }, listing.store);
  const hosts = options.advertise ?? reachableHosts(link.local.host);
  const addresses = hosts.map((host) => ({ host, port: link.local.port }));
  state.noteServed(sealed.id, { name, addresses: addresses.map(formatAddress), sinceMs: Date.now() });
  const newTicket: Exposure["newTicket"] = (ticketOptions = {}) => {
    if (policy.kind !== "tickets" && (ticketOptions.label ?? ticketOptions.expiresMs) !== undefined) {
      throw new RangeError("a ticket without a secret has no label and no expiry: all of them are the same");
    }
    return formatTicket({
      addresses,
      exposureId: sealed.id,
      exposerKey: state.identity.staticKey,
      ...(policy.kind === "tickets" && { secret: book.issue(ticketOptions) }),
      name,
    });
  };
  const closed = shell.run();
  const stopWatching = watchTickets(state, book, {
    ended: (id) => shell.revoke(id),
    blind: (error) =>
      options.onWarning?.(
        `revocations by others are not noticed: ${error instanceof Error ? error.message : error}`,
      ),
  });
  const announcer = options.announce && new Announcer({
    ...{ engine, identity: state.identity, link, onWarning: options.onWarning },
    facts: announcedFacts({ exposureId: sealed.id, manifest, name, access: policy.kind }),
  });
  const stop = () => {
    stopWatching();
    if (announcer) announcer[Symbol.dispose]();
  };
  // Whoever does not look at `closed` shall not be ended by it, and a dead socket keeps no process alive.
  closed.catch(() => {}).finally(() => {
    stop();
    share?.close();
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    stop();
    return closing ??= shell.close().finally(() => state.close());
  };
  options.signal?.addEventListener("abort", close, { once: true });
  return {
    ticket: newTicket(),
    id: sealed.id.toBase64({ alphabet: "base64url", omitPadding: true }),
    access: policy.kind,
    bytes: manifest.totalSize,
    chunks: sealed.chunkCount,
    sealSeconds,
    address: link.local,
    closed,
    stats: () => ({
      ...shell.stats(),
      ...pulls,
      pullers: shell.machine.pullers(shell.now()).filter(({ exposureId }) =>
        equalBytes(exposureId, sealed.id)
      ),
      store: sealed.store.counters,
      storeBytes: sealed.store.memoryBytes,
      ...(share && { shared: share.stats }),
      ...(cast && { multicast: shell.machine.groups.status(exposed) }),
    }),
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

function checkStoreOptions({ memoryBytesMax = MEMORY_BYTES, rekey, reproducible }: ExposeOptions): void {
  if (!(memoryBytesMax >= limits.memoryBytesMin)) {
    throw new RangeError(`memoryBytesMax is ${memoryBytesMax}, at least ${limits.memoryBytesMin} are needed`);
  }
  if (rekey && reproducible) {
    throw new RangeError("a key cannot be new and follow from the content: drop one");
  }
}

function checkedName(name: string): string {
  const bytes = utf8(name).length;
  if (bytes <= limits.nameBytesMax) return name;
  throw new RangeError(`the name has ${bytes} bytes, at most ${limits.nameBytesMax} fit: give a shorter one`);
}
