import { formatAddress, parseAddress } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { drain, systemRandom } from "../../core/machine.ts";
import type { MessageType } from "../protocol/message_data.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import { MembershipMachine } from "../protocol/membership/membership.ts";
import type { MembershipOutput } from "../protocol/membership/membership.ts";
import type { ClusterNode } from "./node.ts";

/** How a node fares. */
export interface NodeLoad {
  /** Of all processors, 0 to 100. */
  readonly cpu_percent: number;
  /** 2^20 bytes. */
  readonly ram_used_mb: number;
  /** Instances that run. */
  readonly instances: number;
}

/** How a node takes part in a cluster. */
export interface MembershipOptions {
  /** Any node that belongs to the cluster; none for its first one. */
  readonly seed?: Address;
  /** What the node can do. */
  readonly capabilities?: readonly string[];
  /** How it fares, for its heartbeats; nothing is measured when nothing is said. */
  readonly load?: () => NodeLoad;
  /**
   * How many times as fast as RNP's timeline: 1 when nothing is said, the same on all nodes. At 5 a node is found dead within 4 s rather than
   * 20, for five times the messages; and one that is kept from working for 0.2 s counts as late.
   */
  readonly pace?: number;
  /** Called with each change of what is known of a node. */
  readonly onChange?: (update: MemberUpdate) => void;
}

/** Messages that are a matter of membership. */
const TYPES: readonly MessageType[] = [
  "gossip.announce",
  "gossip.heartbeat",
  "gossip.leave",
  "gossip.suspect",
  "gossip.updates",
  "gossip.probe",
  "gossip.probe_ack",
];

/** Slower, and nobody would wait for it; faster, and every pause of a healthy runtime would count. */
const PACE_MIN = 0.1;
const PACE_MAX = 100;

/**
 * Lets a running node take part in its cluster: it learns who else does, where they are, and who lives.
 *
 * @throws {RgtpError} SOCKET, TIMEOUT or AUTH_FAIL when nobody of the cluster is at the seed's address
 * @throws {RangeError} for a pace that cannot be
 */
export async function joinCluster(node: ClusterNode, options: MembershipOptions = {}): Promise<Membership> {
  const seed = options.seed && await node.meet(options.seed);
  const membership = new Membership(node, options);
  if (seed !== undefined) membership.join(seed);
  return membership;
}

/** A node's part in a cluster. It ends with {@linkcode Membership.leave}, or without a word when the node is closed. */
export class Membership {
  readonly #node: ClusterNode;
  readonly #machine: MembershipMachine;
  readonly #onChange: (update: MemberUpdate) => void;
  readonly #pace: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** Use {@linkcode joinCluster}. */
  constructor(node: ClusterNode, options: MembershipOptions) {
    const { capabilities = [], load = () => ({ cpu_percent: 0, ram_used_mb: 0, instances: 0 }) } = options;
    this.#node = node;
    this.#onChange = options.onChange ?? (() => {});
    this.#pace = options.pace ?? 1;
    if (!(this.#pace >= PACE_MIN && this.#pace <= PACE_MAX)) {
      throw new RangeError(`a pace of ${this.#pace}: ${PACE_MIN} to ${PACE_MAX} are allowed`);
    }
    this.#machine = new MembershipMachine(this.#now(), {
      nodeId: node.id,
      address: node.address ? formatAddress(node.address) : "",
      incarnation: Date.now(),
      capabilities,
      epochAt: (time) => performance.timeOrigin + time / this.#pace,
      random: systemRandom,
      load,
    });
    for (const type of TYPES) {
      node.handle(
        type,
        (data, { sender }) => this.#do((now) => this.#machine.handleMessage(now, sender, type, data)),
      );
    }
    this.#do(() => {});
  }

  /** What is known of all nodes, this one first. */
  get members(): MemberUpdate[] {
    return this.#machine.members;
  }

  /** Joins through a node whose address is known. */
  join(seed: string): void {
    this.#do((now) => this.#machine.join(now, seed));
  }

  /** Says that this node goes; `heir` gets what it did. Close the node afterwards. Twice is fine. */
  leave(reason: string, heir?: string): void {
    this.#do(() => this.#machine.leave(reason, heir));
    this.end();
  }

  /** Takes part no more, without a word: the others will find it dead. */
  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  /** The machine's clock: a cluster with another pace has another one. */
  #now(): number {
    return performance.now() * this.#pace;
  }

  #do(change: (now: number) => void): void {
    if (this.#isOver) return;
    change(this.#now());
    drain(this.#machine, (output) => this.#perform(output));
    clearTimeout(this.#timer);
    const { deadline } = this.#machine;
    if (deadline === Infinity) return;
    const wait = Math.max(0, deadline - this.#now()) / this.#pace;
    this.#timer = setTimeout(() => this.#do((now) => this.#machine.handleTimeout(now)), wait);
  }

  #perform(output: MembershipOutput): void {
    if (output.kind === "changed") {
      const address = parseAddress(output.update.address);
      if (address) this.#node.know(output.update.node, address);
      return this.#onChange(output.update);
    }
    try {
      this.#node.post(output.to, output.type, output.data as never, {
        delivery: "at-most-once",
        channel: "gossip",
        pool: "control",
      });
    } catch (error) {
      // The node is closed, or too much waits for a peer that does not answer: a loss like others.
      this.#node.note(`membership: ${(error as Error).message}`);
      if (this.#node.isClosed) this.end();
    }
  }
}
