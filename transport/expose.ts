import type { Address } from "../codec/address.ts";
import type { AeadName } from "../crypto/engine.ts";
import { checkedPlan, openExposer } from "./exposer.ts";
import type { AccessOptions } from "./exposure/access.ts";
import type { ExposeSource } from "./exposure/open_source.ts";
import type { ProfileName } from "./exposure/profiles.ts";
import type { ExposureEvent, ExposureStats } from "./exposure_stats.ts";
import type { CastOptions } from "./group_cast.ts";
import type { LinkChoice } from "./link/open_link.ts";
import type { HandshakeChoice } from "./protocol/handshake_shape.ts";
export type { ExposureEvent, ExposureStats, ServingStats } from "./exposure_stats.ts";
export type { ShareStats } from "./share_door.ts";

/** How something is exposed, and (`open`, `allow`, `access`, `passphrase`) to whom. */
export interface ExposeOptions extends AccessOptions, LinkChoice, HandshakeChoice {
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
  // What is wrong with the options shows before a port is taken.
  checkedPlan(source, options);
  const exposer = await openExposer(options);
  try {
    const exposure = await exposer.expose(source, options);
    const close = () => exposer.close();
    options.signal?.addEventListener("abort", close, { once: true });
    return { ...exposure, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await exposer.close();
    throw error;
  }
}
