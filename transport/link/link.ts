/**
 * What carries datagrams. Everything is batch shaped, so that a kind which moves many datagrams in one system call
 * has the same interface as one that moves them singly. No protocol decision is made here.
 *
 * A link promises: borders and bytes of what arrives are those of what was sent, and `peer` can be answered as it stands.
 * It does not promise arrival, order, or that a datagram comes once, and it does not hide that a network lost something.
 *
 * @module
 */
import type { Address } from "../../codec/address.ts";

export type { Address };

/** The largest payload of UDP over IPv4, bytes. */
export const udpPayloadBytesMax = 65507;

/**
 * One or more datagrams to or from one peer, after each other in one buffer: each of `segmentSize` bytes, the last may be
 * shorter. No bytes at all is one empty datagram.
 */
export interface Datagrams {
  /** The other side; `host` is a canonical IP address, or that of a network card. */
  readonly peer: Address;
  /** The datagrams after each other. */
  readonly bytes: Uint8Array;
  /** Bytes of every datagram but perhaps the last; positive unless `bytes` is empty. */
  readonly segmentSize: number;
  /** Views of the first datagrams of full size, where a link that uses its memory again has them already. */
  readonly views?: readonly Uint8Array[];
}

/**
 * Datagrams to one peer whose headers lie apart from what follows them: what is kept can be sent from where it lies, and stays as it is.
 * To write a few bytes into each packet of a chunk that no cache holds costs more than sending it.
 */
export interface SplitDatagrams {
  /** The other side. */
  readonly peer: Address;
  /** The headers of all datagrams after each other, each of `headerBytes`. */
  readonly headers: Uint8Array;
  /** Bytes of a header. */
  readonly headerBytes: number;
  /** What follows the headers, in runs: in each the bodies after each other. None is empty. */
  readonly runs: readonly Uint8Array[];
  /** Bytes of each body, but perhaps the last of a run. */
  readonly bodyBytes: number;
}

/** Datagrams that may be sent at once in this form. */
export const splitDatagramsMax = 768;

/** What a link has done and seen since it was opened. The object lives: read it again for newer figures. */
export interface LinkStats {
  /** Datagrams that the network took. It may still have lost them. */
  readonly packetsSent: number;
  /** Payload bytes of `packetsSent`. */
  readonly bytesSent: number;
  /** Datagrams that `receive()` returned. */
  readonly packetsReceived: number;
  /** Payload bytes of `packetsReceived`. */
  readonly bytesReceived: number;
  /** Datagrams that the network refused: too long, no route, no permission for that peer. */
  readonly sendErrors: number;
  /** Failures reported while receiving, e.g. that a peer's port is closed. They end nothing. */
  readonly receiveErrors: number;
  /** Datagrams that arrived and that the link itself dropped as nobody fetched them. The system's own drops do not show. */
  readonly receiveDrops: number;
  /** Text of the latest of `sendErrors`. */
  readonly lastSendError: string | undefined;
  /** Text of the latest of `receiveErrors`. */
  readonly lastReceiveError: string | undefined;
}

/** A bound socket, or something like it. */
export interface Link extends Disposable {
  /** Which kind it is, e.g. `"datagram_conn"`. */
  readonly kind: string;
  /** Where it is bound, canonical. `0.0.0.0` and `::` stand for every address of the machine. */
  readonly local: Address;
  /** The largest datagram that it sends. A path to a peer usually carries far less. */
  readonly payloadBytesMax: number;
  /** The largest datagram that goes in one piece all the way to any peer; absent where that is not known, as with any path of IP. */
  readonly pathBytesMax?: number;
  /**
   * Where the system puts what strangers send, apart from what belongs to pulls: whoever serves reads these as well, as far as it has the
   * time. They count in this link's {@linkcode Link.stats}, and close with it. Absent or empty: it all arrives here.
   */
  readonly strangers?: readonly Link[];
  /** How many packets of 1452 bytes may arrive here in one burst without overflowing the receive buffer. */
  readonly burstPacketsMax: number;
  /**
   * Sends datagrams in order, and is done when the buffer may be used again. What the network refuses is counted in
   * {@linkcode Link.stats} and does not throw: datagrams get lost anyway, and a stranger's address must not stop a server.
   *
   * @throws {RgtpError} `SOCKET` when the link is closed or its socket is dead
   * @throws {TypeError} when `peer.host` is a name
   * @throws {RangeError} when `segmentSize` does not fit the bytes
   */
  send(datagrams: Datagrams): Promise<void>;
  /**
   * The same for at most {@linkcode splitDatagramsMax} datagrams that lie apart, in any order; without a promise where there is nothing to
   * wait for. Absent: they are to be put together first, see {@linkcode joined}.
   *
   * @throws {RgtpError} `SOCKET`, also at once
   * @throws {TypeError} when `peer.host` is a name
   * @throws {RangeError} when they are too many
   */
  sendSplit?(datagrams: SplitDatagrams): Promise<void> | undefined;
  /**
   * What has arrived: waits for at least one. Empty after `close`, and only then. The arrays (and the bytes they hold)
   * are valid until the next call. One caller at a time.
   *
   * @throws {RgtpError} `SOCKET` when the socket is dead
   * @throws {TypeError} when another call is waiting
   */
  receive(): Promise<readonly Datagrams[]>;
  /**
   * What has arrived, if anything, without waiting; also while somebody waits in {@linkcode Link.receive}, and as one call of that. Absent:
   * nobody can know before the system says so.
   */
  receiveNow?(): readonly Datagrams[];
  /** Counters. */
  readonly stats: LinkStats;
  /** Ends it: a waiting `receive` returns nothing. Doing it twice is fine. */
  close(): void;
}

/** What a link has to do with multicast groups. */
export interface MulticastOptions {
  /** The group to join; absent: it only sends. */
  readonly join?: string;
  /** The interface, by its name; absent: the one that the system's routes say. */
  readonly interfaceName?: string;
  /** How many networks what is sent may pass, 1 for this one alone; absent: the system's default, which is that. */
  readonly hops?: number;
}

/** Where a link is to be bound. */
export interface LinkOptions {
  /** An IP address of this machine, a name of one, `0.0.0.0` (any IPv4), or `::` (any, IPv4 peers too). */
  readonly host: string;
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number;
  /** For a link to a multicast group. */
  readonly multicast?: MulticastOptions;
  /** Whether {@linkcode Link.strangers} are wanted, where the kind has them: all of them have to be read then. */
  readonly strangersApart?: boolean;
  /**
   * Whether `receive` may hold up this thread for 2 ms at a time while much comes from this machine: who does little but answer saves what
   * it costs to be woken by another thread. Not every kind does it.
   */
  readonly naps?: boolean;
}

/**
 * How many datagrams there are.
 *
 * @throws {RangeError} when `segmentSize` does not fit the bytes
 */
export function segmentCount(datagrams: Datagrams): number {
  const length = datagrams.bytes.length;
  if (length === 0) return 1;
  const size = datagrams.segmentSize;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`segmentSize of ${length} bytes is ${size}: it must be a positive integer`);
  }
  return Math.ceil(length / size);
}

/** The datagram at `index`, a view. A loop over `index` makes no garbage but the views that the link had not made before. */
export function segmentAt(datagrams: Datagrams, index: number): Uint8Array {
  const { bytes, segmentSize, views } = datagrams;
  if (index === 0 && bytes.length <= segmentSize) return bytes;
  if (views !== undefined && index < views.length && (index + 1) * segmentSize <= bytes.length) {
    return views[index];
  }
  return bytes.subarray(index * segmentSize, (index + 1) * segmentSize);
}

/**
 * The datagrams one after another, as views.
 *
 * @throws {RangeError} when `segmentSize` does not fit the bytes
 * @example
 * ```ts
 * import { segments } from "./link.ts";
 * const bytes = Uint8Array.of(1, 2, 3, 4, 5);
 * const sizes = [...segments({ peer: { host: "127.0.0.1", port: 9 }, bytes, segmentSize: 2 })].map((s) => s.length);
 * if (sizes.join() !== "2,2,1") throw new Error("unexpected");
 * ```
 */
export function* segments(datagrams: Datagrams): Generator<Uint8Array, void, undefined> {
  const count = segmentCount(datagrams);
  for (let i = 0; i < count; i++) yield segmentAt(datagrams, i);
}

/** Bodies in a run of {@linkcode SplitDatagrams}. */
export function bodyCount(run: Uint8Array, { bodyBytes }: Pick<SplitDatagrams, "bodyBytes">): number {
  return Math.ceil(run.length / bodyBytes);
}

/** The same datagrams put together, a row for each run, one row after the other in the front of `memory`. */
export function* joined(split: SplitDatagrams, memory: Uint8Array): Generator<Datagrams, void, undefined> {
  const { peer, headers, headerBytes, runs, bodyBytes } = split;
  let header = 0;
  for (const run of runs) {
    let end = 0;
    for (let at = 0; at < run.length; at += bodyBytes, header += headerBytes) {
      const body = run.subarray(at, at + bodyBytes);
      memory.set(headers.subarray(header, header + headerBytes), end);
      memory.set(body, end + headerBytes);
      end += headerBytes + body.length;
    }
    yield { peer, bytes: memory.subarray(0, end), segmentSize: headerBytes + bodyBytes };
  }
}

/** Bytes that {@linkcode joined} needs: those of the longest run. */
export function joinedBytes(split: SplitDatagrams): number {
  const each = split.headerBytes + split.bodyBytes;
  return Math.max(...split.runs.map((run) => bodyCount(run, split) * each));
}
