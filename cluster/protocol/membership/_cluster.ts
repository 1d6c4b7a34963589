/*
 * A cluster in virtual time, for tests: messages take some milliseconds or get lost; nodes crash, are kept from working, or are parted.
 */
import { drain } from "../../../core/machine.ts";
import { seededRandom } from "../../../tests/sim/random.ts";
import type { SeededRandom } from "../../../tests/sim/random.ts";
import type { MemberState, MemberUpdate } from "./member.ts";
import { MembershipMachine } from "./membership.ts";
import type { MembershipOutput } from "./membership.ts";

/** How messages fare. */
export interface ClusterOptions {
  readonly seed?: number;
  /** Of each message, from 0 to 1. */
  readonly lossRate?: number;
  /** One way, ms. */
  readonly delayMs?: number;
}

/** A change that a node has seen. */
export interface Change {
  readonly at: number;
  /** Who has seen it. */
  readonly by: string;
  readonly update: MemberUpdate;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** One node. */
export class SimNode {
  readonly id: string;
  readonly machine: MembershipMachine;
  isUp = true;
  /** Until then it does nothing, and what arrives waits. */
  frozenUntil = 0;
  readonly inbox: (() => void)[] = [];
  /** Which side of a partition it is on. */
  side = 0;
  sent = 0;
  wakeAt = Infinity;

  constructor(id: string, machine: MembershipMachine) {
    this.id = id;
    this.machine = machine;
  }

  /** What it takes another node for. */
  sees(id: string): MemberState | undefined {
    return this.machine.members.find(({ node }) => node === id)?.state;
  }
}

/** All nodes, and the time. */
export class SimCluster {
  now = 0;
  readonly nodes = new Map<string, SimNode>();
  readonly changes: Change[] = [];
  readonly random: SeededRandom;
  readonly #options: ClusterOptions;
  readonly #heap: Event[] = [];
  #order = 0;
  #starts = 0;

  constructor(options: ClusterOptions = {}) {
    this.#options = options;
    this.random = seededRandom(options.seed ?? 1, "cluster");
  }

  /** Starts a node, which joins through another one. */
  start(id: string, seed?: string): SimNode {
    const random = seededRandom(this.#options.seed ?? 1, `${id} ${this.#starts++}`).bytes;
    const machine = new MembershipMachine(this.now, {
      nodeId: id,
      address: `${id}:7946`,
      incarnation: 1_000_000 + Math.floor(this.now),
      capabilities: [],
      epochAt: (time) => time,
      random,
      load: () => ({ cpu_percent: 1, ram_used_mb: 1, instances: 0 }),
    });
    const node = new SimNode(id, machine);
    this.nodes.set(id, node);
    if (seed !== undefined) machine.join(this.now, seed);
    this.#drain(node);
    return node;
  }

  /** A cluster of so many nodes that know each other. */
  static of(count: number, options: ClusterOptions = {}): SimCluster {
    const cluster = new SimCluster(options);
    cluster.start("n0");
    for (let i = 1; i < count; i++) {
      cluster.at(i * 20, () => cluster.start(`n${i}`, `n${cluster.random.integer(i)}`));
    }
    cluster.run(count * 20 + 90_000);
    return cluster;
  }

  /** Something that happens later. */
  at(ms: number, run: () => void): void {
    this.#push({ at: this.now + ms, order: this.#order++, run });
  }

  /** Lets a node do something. */
  do(node: SimNode, call: (machine: MembershipMachine) => void): void {
    call(node.machine);
    this.#drain(node);
  }

  /** Lets time pass. */
  run(ms: number): void {
    const end = this.now + ms;
    while (this.#heap.length > 0 && this.#heap[0].at <= end) {
      const event = this.#pop();
      this.now = Math.max(this.now, event.at);
      event.run();
    }
    this.now = end;
  }

  /** The nodes that are up. */
  get up(): SimNode[] {
    return Array.from(this.nodes.values()).filter(({ isUp }) => isUp);
  }

  #drain(node: SimNode): void {
    drain(node.machine, (output) => this.#perform(node, output));
    this.#arm(node);
  }

  #perform(node: SimNode, output: MembershipOutput): void {
    if (output.kind === "changed") {
      this.changes.push({ at: this.now, by: node.id, update: output.update });
      return;
    }
    node.sent++;
    const { lossRate = 0, delayMs = 5 } = this.#options;
    if (this.random.chance(lossRate)) return;
    this.at(delayMs * (0.5 + this.random.float()), () => {
      const to = this.nodes.get(output.to);
      if (!to?.isUp || to.side !== node.side) return;
      const arrive = () =>
        this.do(to, (machine) =>
          // Its time is that of its handling, as with a process that was kept from reading.
          machine.handleMessage(this.now, node.id, output.type, output.data as never));
      if (to.frozenUntil > this.now) to.inbox.push(arrive);
      else arrive();
    });
  }

  #arm(node: SimNode): void {
    const { deadline } = node.machine;
    if (deadline >= node.wakeAt) return;
    node.wakeAt = deadline;
    this.#push({ at: deadline, order: this.#order++, run: () => this.#wake(node, deadline) });
  }

  #wake(node: SimNode, at: number): void {
    if (!node.isUp || node.wakeAt !== at) return;
    if (node.frozenUntil > this.now) {
      node.wakeAt = node.frozenUntil;
      return this.#push({ at: node.wakeAt, order: this.#order++, run: () => this.#wake(node, node.wakeAt) });
    }
    node.wakeAt = Infinity;
    // Timers first: the worse order for a node that was kept from working.
    this.do(node, (machine) => machine.handleTimeout(this.now));
    for (const arrive of node.inbox.splice(0)) arrive();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let i = heap.push(event) - 1;
    for (let parent = (i - 1) >> 1; i > 0 && before(event, heap[parent]); parent = (i - 1) >> 1) {
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
