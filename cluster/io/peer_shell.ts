import type { TLSSocket } from "node:tls";
import { concatBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import type { Clock } from "../../core/machine.ts";
import { Fifo } from "../protocol/_fifo.ts";
import type { RnpFault } from "../protocol/errors.ts";
import type { LocalNode } from "../protocol/link.ts";
import type { PoolName } from "../protocol/message_data.ts";
import { PeerMachine } from "../protocol/peer.ts";
import type { Delivered, PeerOutput, PeerSettings } from "../protocol/peer_types.ts";
import type { SecureConnection } from "./tls.ts";

/** What the shell of a peer needs of its node. */
export interface PeerHost {
  /** Monotonic milliseconds. */
  readonly clock: Clock;
  /** Opens a connection to the peer. */
  dial(peerId: string): Promise<SecureConnection>;
  /** A message has arrived; its end is told by `handled`. */
  onDelivered(peer: PeerShell, delivered: Delivered): void;
  /** An output that is for the application. */
  onOutput(peer: PeerShell, output: PeerOutput): void;
  /** A link has ended. */
  onLinkEnd(peer: PeerShell, fault: RnpFault | undefined): void;
}

/** Bytes that a connection may hold unsent before its link counts as blocked. */
const UNSENT_BYTES_MAX = 65_536;
/** Bytes of messages that an application works on at once before nothing more is read from a connection. */
const UNHANDLED_BYTES_MAX = 1_048_576;
/** Frames that are put together before they are written: as much as a few TLS records hold. */
const BATCH_BYTES = 65_536;
/** From the end of writing to the end of the connection. */
const LINGER_MS = 2000;

/** A connection and what is not written to it yet. */
interface Wire {
  readonly socket: TLSSocket;
  readonly batch: Uint8Array[];
  batchBytes: number;
  isBlocked: boolean;
  isEnding: boolean;
  /** Bytes of messages that the application works on. */
  unhandledBytes: number;
  expiry: ReturnType<typeof setTimeout> | undefined;
}

/** The one loop between the machine of a peer and its connections. */
export class PeerShell {
  /** Who the peer is. */
  readonly peerId: string;
  readonly #host: PeerHost;
  readonly #machine: PeerMachine;
  readonly #wires = new Map<number, Wire>();
  readonly #later: ((now: number) => void)[] = [];
  readonly #arrived = new Fifo<Delivered>();
  #nextLink = 1;
  #isDraining = false;
  #isHandling = false;
  #isFlushPlanned = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #isClosed = false;

  /** Opens no connection before there is something to send. */
  constructor(host: PeerHost, node: LocalNode, settings: PeerSettings) {
    this.#host = host;
    this.peerId = settings.peerId;
    this.#machine = new PeerMachine(node, settings);
  }

  /** For looking; changes go through {@linkcode PeerShell.mutate}. */
  get machine(): PeerMachine {
    return this.#machine;
  }

  /** Connections. */
  get wires(): number {
    return this.#wires.size;
  }

  /**
   * Changes the machine, now or as soon as the present drain has ended; throws what a change that is made now throws. What arrived for the
   * application is handed over behind the drain, so that handlers may send.
   */
  mutate(change: (now: number) => void): void {
    if (this.#isClosed) return;
    if (this.#isDraining) return void this.#later.push(change);
    this.#apply(change);
    if (this.#isHandling) return;
    this.#isHandling = true;
    for (let next = this.#arrived.shift(); next; next = this.#arrived.shift()) {
      this.#host.onDelivered(this, next);
    }
    this.#isHandling = false;
    this.#arm();
  }

  /** A connection of the peer was accepted. */
  accept(connection: SecureConnection): void {
    const link = this.#attach(connection);
    this.mutate((now) => this.#machine.accepted(now, link));
  }

  /** The application has finished with a message. */
  handled(delivered: Delivered): void {
    const wire = this.#wires.get(delivered.link);
    if (wire) {
      wire.unhandledBytes -= delivered.bytes;
      if (wire.unhandledBytes < limits.rnpWindowBytesMin && wire.socket.isPaused()) wire.socket.resume();
    }
    this.mutate((now) => this.#machine.handled(now, delivered));
  }

  /** Ends all connections at once. Twice is fine. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const wire of this.#wires.values()) {
      clearTimeout(wire.expiry);
      wire.socket.destroy();
    }
    this.#wires.clear();
  }

  #apply(change: (now: number) => void): void {
    this.#isDraining = true;
    try {
      change(this.#host.clock());
      drain(this.#machine, this.#perform);
      for (let next = this.#later.shift(); next; next = this.#later.shift()) {
        next(this.#host.clock());
        drain(this.#machine, this.#perform);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #attach({ socket, expires }: SecureConnection): number {
    const link = this.#nextLink++;
    const wire: Wire = {
      socket,
      batch: [],
      batchBytes: 0,
      isBlocked: false,
      isEnding: false,
      unhandledBytes: 0,
      expiry: undefined,
    };
    this.#wires.set(link, wire);
    endWhenExpired(wire, expires);
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => {
      const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.mutate((now) => this.#machine.handleBytes(now, link, view));
    });
    socket.on("drain", () => {
      wire.isBlocked = false;
      this.mutate((now) => this.#machine.handleBlocked(now, link, false));
    });
    socket.on("end", () => socket.end());
    socket.once("close", () => {
      clearTimeout(wire.expiry);
      this.#wires.delete(link);
      this.mutate((now) => this.#machine.handleClosed(now, link));
    });
    return link;
  }

  readonly #perform = (output: PeerOutput): void => {
    switch (output.kind) {
      case "write":
        return this.#write(output.link, output.bytes);
      case "deliver":
        return this.#deliver(output.delivered);
      case "dial":
        return void this.#dial(output.pool, output.slot);
      case "end":
        return this.#end(output.link, output.fault);
      default:
        this.#host.onOutput(this, output);
    }
  };

  #deliver(delivered: Delivered): void {
    const wire = this.#wires.get(delivered.link);
    if (wire) {
      wire.unhandledBytes += delivered.bytes;
      if (wire.unhandledBytes >= UNHANDLED_BYTES_MAX) wire.socket.pause();
    }
    this.#arrived.push(delivered);
  }

  async #dial(pool: PoolName, slot: number): Promise<void> {
    let connection: SecureConnection;
    try {
      connection = await this.#host.dial(this.peerId);
    } catch (error) {
      const why = error instanceof RgtpError ? error.message : String(error);
      return this.mutate((now) => this.#machine.handleDialFailed(now, pool, slot, why));
    }
    if (this.#isClosed) return void connection.socket.destroy();
    const link = this.#attach(connection);
    this.mutate((now) => this.#machine.dialled(now, link, pool, slot));
  }

  /** Frames of one turn go out together. */
  #write(link: number, bytes: Uint8Array): void {
    const wire = this.#wires.get(link);
    if (!wire) return;
    // A large byte string is not copied to go with what is in front of it.
    if (bytes.length >= BATCH_BYTES) this.#flush(link, wire);
    wire.batch.push(bytes);
    wire.batchBytes += bytes.length;
    if (wire.batchBytes >= BATCH_BYTES) return this.#flush(link, wire);
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    queueMicrotask(() => {
      this.#isFlushPlanned = false;
      for (const [link, wire] of this.#wires) this.#flush(link, wire);
    });
  }

  #flush(link: number, wire: Wire): void {
    if (wire.batchBytes === 0) return;
    const bytes = wire.batch.length === 1 ? wire.batch[0] : concatBytes(...wire.batch);
    wire.batch.length = wire.batchBytes = 0;
    if (wire.socket.destroyed) return;
    wire.socket.write(bytes);
    if (wire.isBlocked || wire.socket.writableLength < UNSENT_BYTES_MAX) return;
    wire.isBlocked = true;
    this.mutate((now) => this.#machine.handleBlocked(now, link, true));
  }

  #end(link: number, fault: RnpFault | undefined): void {
    this.#host.onLinkEnd(this, fault);
    const wire = this.#wires.get(link);
    if (!wire || wire.isEnding) return;
    wire.isEnding = true;
    this.#flush(link, wire);
    wire.socket.end();
    clearTimeout(wire.expiry);
    wire.expiry = setTimeout(() => wire.socket.destroy(), LINGER_MS);
  }

  #arm(): void {
    if (this.#isClosed) return;
    const { deadline } = this.#machine;
    // A timer that is early is harmless, and setting it anew for every message is not: only an earlier deadline moves it.
    if (deadline >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = deadline;
    const wait = Math.min(Math.max(0, deadline - this.#host.clock()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.mutate((now) => this.#machine.handleTimeout(now));
    }, wait);
  }
}

/** A link does not outlive the certificate that it stands on. */
function endWhenExpired(wire: Wire, expires: number): void {
  const left = expires - Date.now();
  // Timers take at most 2^31 - 1 ms.
  wire.expiry = left <= 0
    ? void wire.socket.destroy()
    : setTimeout(() => endWhenExpired(wire, expires), Math.min(left, 2 ** 31 - 1));
}
