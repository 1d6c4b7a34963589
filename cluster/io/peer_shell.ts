import { RgtpError } from "../../core/errors.ts";
import { drain } from "../../core/machine.ts";
import type { Clock } from "../../core/machine.ts";
import { Fifo } from "../protocol/_fifo.ts";
import type { RnpFault } from "../protocol/errors.ts";
import type { LocalNode } from "../protocol/link.ts";
import type { PoolName } from "../protocol/message_data.ts";
import { PeerMachine } from "../protocol/peer.ts";
import type { Delivered, PeerOutput, PeerSettings } from "../protocol/peer_types.ts";
import type { SecureConnection } from "./tls.ts";
import { Wire } from "./wire.ts";

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
  #isTurnEndPlanned = false;
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
    this.#planTurnEnd();
    if (this.#isHandling) return;
    this.#isHandling = true;
    for (let next = this.#arrived.shift(); next; next = this.#arrived.shift()) {
      this.#host.onDelivered(this, next);
    }
    this.#isHandling = false;
  }

  /** A connection of the peer was accepted. */
  accept(connection: SecureConnection): void {
    const link = this.#attach(connection);
    this.mutate((now) => this.#machine.accepted(now, link));
  }

  /** The application has finished with a message. */
  handled(delivered: Delivered): void {
    this.#wires.get(delivered.link)?.handled(delivered.bytes);
    this.mutate((now) => this.#machine.handled(now, delivered));
  }

  /** Ends all connections at once. Twice is fine. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const wire of this.#wires.values()) wire.destroy();
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

  #attach(connection: SecureConnection): number {
    const link = this.#nextLink++;
    const wire = new Wire(connection, {
      onBytes: (bytes) => this.mutate((now) => this.#machine.handleBytes(now, link, bytes)),
      onWritten: (bytes) => this.mutate((now) => this.#machine.handleWritten(now, link, bytes)),
      onClosed: () => {
        this.#wires.delete(link);
        this.mutate((now) => this.#machine.handleClosed(now, link));
      },
    });
    this.#wires.set(link, wire);
    return link;
  }

  readonly #perform = (output: PeerOutput): void => {
    switch (output.kind) {
      case "write":
        return this.#wires.get(output.link)?.write(output.bytes);
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
    this.#wires.get(delivered.link)?.delivered(delivered.bytes);
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

  #end(link: number, fault: RnpFault | undefined): void {
    this.#host.onLinkEnd(this, fault);
    this.#wires.get(link)?.end();
  }

  /** Frames of one turn go out together, and the timer is set once for all that was changed in it. */
  #planTurnEnd(): void {
    if (this.#isTurnEndPlanned) return;
    this.#isTurnEndPlanned = true;
    queueMicrotask(() => {
      this.#isTurnEndPlanned = false;
      for (const wire of this.#wires.values()) wire.flush();
      this.#arm();
    });
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
