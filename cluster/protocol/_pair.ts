/*
 * What the tests of this room share: two nodes that know each other, in virtual time, joined by connections that carry bytes in pieces of
 * any size and can be cut at any of them.
 */
import { drain } from "../../core/machine.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import type { SeededRandom } from "../../tests/sim/random.ts";
import type { RnpFault } from "./errors.ts";
import { LINK_CAPABILITIES } from "./link.ts";
import type { LocalNode } from "./link.ts";
import type { PoolName } from "./message_data.ts";
import { MessageTypes } from "./message_types.ts";
import { PeerMachine } from "./peer.ts";
import type { Delivered, PeerOutput } from "./peer_types.ts";
import { defaultRetry } from "./retry.ts";
import type { RetryPolicy } from "./retry.ts";
import { count, record } from "./schema.ts";
import { uuidSource } from "./uuid.ts";

/** 2026-01-12, so that timestamps look like some. */
export const EPOCH_MS = 1_768_176_000_000;

/** A node for tests: everything but its name comes from the seed. It knows the type `app.note` with a count `n`. */
export function testNode(nodeId: string, seed = 1, more: Partial<LocalNode> = {}): LocalNode {
  const random = seededRandom(seed, nodeId).bytes;
  const types = new MessageTypes();
  types.add("app.note", record({ n: count }));
  return {
    nodeId,
    incarnation: random(8).toHex(),
    epochMs: EPOCH_MS,
    capabilities: [LINK_CAPABILITIES.compression],
    windowBytes: 1 << 20,
    types,
    newId: uuidSource(random),
    ...more,
  };
}

/** How a pair is joined. */
export interface PairOptions {
  readonly seed?: number;
  /** One way, in ms. */
  readonly delayMs?: number;
  /** Bytes of a piece, at most; all at once when nothing is said. */
  readonly pieceBytesMax?: number;
  /** How long a connection takes to write what it was given, in ms. */
  readonly writingMs?: number;
  readonly retry?: RetryPolicy;
  readonly pools?: Readonly<Record<PoolName, number>>;
  /** How long an application takes for a message, in ms; 0 is at once. */
  readonly handlingMs?: (random: SeededRandom) => number;
  /** Whether a dial succeeds. */
  readonly dials?: (now: number) => boolean;
  readonly left?: LocalNode;
  readonly right?: LocalNode;
}

/** One of two nodes, and what its application has seen. */
export class Side {
  readonly node: LocalNode;
  machine: PeerMachine;
  readonly delivered: Delivered[] = [];
  readonly settled = new Map<string, RnpFault | undefined>();
  readonly answered = new Map<string, Extract<PeerOutput, { kind: "answered" }>>();
  readonly faults: RnpFault[] = [];
  opened = 0;
  /** Bytes that it has written. */
  bytes = 0;
  writable = 0;
  onDelivered: (delivered: Delivered) => void = () => {};

  constructor(node: LocalNode, machine: PeerMachine) {
    this.node = node;
    this.machine = machine;
  }

  /** The numbers of the notes that were delivered, in a channel. */
  notes(channel = "main"): number[] {
    return this.delivered.filter(({ message }) => message.type === "app.note" && message.channel === channel)
      .map(({ message }) => Number(message.data.n));
  }
}

interface Connection {
  readonly dialler: Side;
  isCut: boolean;
  /** Which ends have closed. */
  readonly ended: Set<Side>;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Two nodes and the time. */
export class Pair {
  now = 0;
  readonly left: Side;
  readonly right: Side;
  readonly random: SeededRandom;
  /** Connections that were cut. */
  cuts = 0;
  readonly #options: PairOptions;
  readonly #events: Event[] = [];
  readonly #connections = new Map<number, Connection>();
  #order = 0;
  #nextLink = 1;

  constructor(options: PairOptions = {}) {
    this.#options = options;
    const { seed = 1, left = testNode("left", seed), right = testNode("right", seed) } = options;
    this.random = seededRandom(seed, "pair");
    this.left = new Side(left, this.#machine(left, right.nodeId));
    this.right = new Side(right, this.#machine(right, left.nodeId));
  }

  /** Calls a machine and carries out what it asks for. */
  do<T>(side: Side, call: (machine: PeerMachine) => T): T {
    const result = call(side.machine);
    drain(side.machine, (output) => this.#perform(side, output));
    return result;
  }

  /** Goes on until `isOver`, nothing is left to happen, or the time is over. */
  run(isOver: () => boolean = () => false, ms = 60_000): void {
    const end = this.now + ms;
    for (let steps = 0; !isOver(); steps++) {
      if (steps > 3_000_000) throw new Error("it spins");
      const deadlines = [this.left, this.right].map(({ machine }) => machine.deadline);
      const next = Math.min(this.#events[0]?.at ?? Infinity, ...deadlines);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      const event = this.#events[0];
      if (event && event.at <= this.now) {
        this.#events.shift();
        event.run();
        continue;
      }
      for (const side of [this.left, this.right]) {
        if (side.machine.deadline <= this.now) this.do(side, (machine) => machine.handleTimeout(this.now));
      }
    }
    if (!isOver()) this.now = Math.max(this.now, Math.min(end, this.now + ms));
  }

  /** Connections that are open, in the order in which they were. */
  get links(): number[] {
    return Array.from(this.#connections.keys());
  }

  /** Cuts every connection, or one: each end learns of it, and what is under way is lost. */
  cut(only?: number): void {
    for (const [link, connection] of this.#connections) {
      if (connection.isCut || (only !== undefined && link !== only)) continue;
      connection.isCut = true;
      this.cuts++;
      this.#connections.delete(link);
      for (const side of [this.left, this.right]) this.#close(side, link);
    }
  }

  /** Starts a node again: it has forgotten everything, and its connections are gone. */
  restart(side: Side, node: LocalNode): void {
    const other = side === this.left ? this.right : this.left;
    side.machine = this.#machine(node, other.node.nodeId);
    this.cut();
  }

  /** Something that happens later. */
  at(ms: number, run: () => void): void {
    const event: Event = { at: this.now + ms, order: this.#order++, run };
    let place = this.#events.length;
    while (place > 0 && this.#events[place - 1].at > event.at) place--;
    this.#events.splice(place, 0, event);
  }

  #machine(node: LocalNode, peerId: string): PeerMachine {
    const { retry = defaultRetry, pools = { control: 1, peer: 1, data: 1 } } = this.#options;
    return new PeerMachine(node, { peerId, retry, pools });
  }

  #perform(side: Side, output: PeerOutput): void {
    switch (output.kind) {
      case "write":
        return this.#carry(side, output.link, output.bytes);
      case "dial":
        return this.at(this.#delay, () => this.#dial(side, output.pool, output.slot));
      case "end":
        if (output.fault) side.faults.push(output.fault);
        return this.at(this.#delay, () => this.#endConnection(side, output.link));
      case "deliver":
        return this.#deliver(side, output.delivered);
      case "settled":
        return void side.settled.set(output.id, output.fault);
      case "answered":
        return void side.answered.set(output.id, output);
      case "open":
        side.opened++;
        return;
      case "writable":
        side.writable++;
    }
  }

  get #delay(): number {
    return this.#options.delayMs ?? 1;
  }

  #other(side: Side): Side {
    return side === this.left ? this.right : this.left;
  }

  #dial(side: Side, pool: PoolName, slot: number): void {
    const succeeds = this.#options.dials ?? (() => true);
    if (!succeeds(this.now)) {
      return this.do(side, (machine) => machine.handleDialFailed(this.now, pool, slot, "nobody is there"));
    }
    const link = this.#nextLink++;
    this.#connections.set(link, { dialler: side, isCut: false, ended: new Set() });
    this.do(this.#other(side), (machine) => machine.accepted(this.now, link));
    this.do(side, (machine) => machine.dialled(this.now, link, pool, slot));
  }

  #carry(from: Side, link: number, bytes: Uint8Array): void {
    const connection = this.#connections.get(link);
    if (!connection) return;
    from.bytes += bytes.length;
    const write = () => this.do(from, (machine) => machine.handleWritten(this.now, link, bytes.length));
    this.at(this.#options.writingMs ?? 0, write);
    const to = this.#other(from);
    const { pieceBytesMax = Infinity } = this.#options;
    for (let at = 0; at < bytes.length;) {
      const size = pieceBytesMax === Infinity ? bytes.length : 1 + this.random.integer(pieceBytesMax);
      const piece = bytes.slice(at, at + size);
      at += size;
      this.at(this.#delay, () => {
        // Whoever has closed reads no more.
        if (connection.isCut || connection.ended.has(to)) return;
        this.do(to, (machine) => machine.handleBytes(this.now, link, piece));
      });
    }
  }

  #endConnection(side: Side, link: number): void {
    const connection = this.#connections.get(link);
    if (!connection || connection.ended.has(side)) return;
    connection.ended.add(side);
    this.#connections.delete(link);
    this.#close(this.#other(side), link);
  }

  #close(side: Side, link: number): void {
    this.do(side, (machine) => machine.handleClosed(this.now, link));
  }

  #deliver(side: Side, delivered: Delivered): void {
    side.delivered.push(delivered);
    const ms = this.#options.handlingMs?.(this.random) ?? 0;
    const finish = () => {
      side.onDelivered(delivered);
      this.do(side, (machine) => machine.handled(this.now, delivered));
    };
    // Never within the drain that it came out of.
    this.at(ms, finish);
  }
}
