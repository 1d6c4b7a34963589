import type { Server } from "node:tls";
import type { Address } from "../../codec/address.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { systemRandom } from "../../core/machine.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { rnpError } from "../protocol/errors.ts";
import { FrameMemory } from "../protocol/frame_memory.ts";
import { defaultPools } from "../protocol/channels.ts";
import { LINK_CAPABILITIES } from "../protocol/link.ts";
import type { LocalNode } from "../protocol/link.ts";
import type { DataOf, PoolName } from "../protocol/message_data.ts";
import { MessageTypes } from "../protocol/message_types.ts";
import { isNodeId } from "../protocol/node_id.ts";
import type { Message } from "../protocol/payload.ts";
import type { Delivered, PeerCounters, PeerOutput, SendOptions } from "../protocol/peer_types.ts";
import { defaultRetry } from "../protocol/retry.ts";
import type { RetryPolicy } from "../protocol/retry.ts";
import type { Schema } from "../protocol/schema.ts";
import { uuidSource } from "../protocol/uuid.ts";
import { checkedCredentials } from "./credentials.ts";
import { Handlers, messageOf } from "./handlers.ts";
import type { Handler, HandlerOptions, Reply } from "./handlers.ts";
import { PeerShell } from "./peer_shell.ts";
import type { PeerHost } from "./peer_shell.ts";
import { assertStrangersRefused, createMutualTlsServer, dialMutualTls, listen } from "./tls.ts";
import type { Credentials, SecureConnection } from "./tls.ts";

/** How a node is started. */
export interface NodeOptions {
  /** Who it is: its ID stands in the certificate. */
  readonly credentials: Credentials;
  /** Where it takes connections; nowhere when nothing is said. Port 0 is any free one. */
  readonly listen?: Address;
  /** Where other nodes are found, by ID. */
  readonly peers?: Readonly<Record<string, Address>>;
  /** Which nodes of the cluster may connect; all when nothing is said. */
  readonly allow?: readonly string[];
  /** The cluster's secret, at least 16 bytes: every message then carries an HMAC, and one without it is refused. */
  readonly secret?: Uint8Array;
  /** What this node can do, for others to know. */
  readonly capabilities?: readonly string[];
  /** Links to each peer: 4 for `control`, 2 for `peer`, 8 for `data` when nothing is said. */
  readonly pools?: Partial<Readonly<Record<PoolName, number>>>;
  /** How often a peer is tried; the protocol's five attempts when nothing is said. */
  readonly retry?: RetryPolicy;
  /** Bytes that are taken from a peer before they are acknowledged: 64 KiB to 16 MiB, the most when nothing is said. */
  readonly windowBytes?: number;
  /** Links to all peers at once: 1,000 when nothing is said. Each takes less than 100 KB, and a descriptor of the system. */
  readonly linksMax?: number;
  /** Ends the node. */
  readonly signal?: AbortSignal;
}

/** What a node knows of another one. */
export interface PeerStatus {
  /** Its ID. */
  readonly id: string;
  /** Whether a link is open. */
  readonly isReachable: boolean;
  /** Connections to it. */
  readonly links: number;
  /** Bytes that wait to be sent, or to be acknowledged. */
  readonly pendingBytes: number;
  /** Messages of it that were not delivered. */
  readonly counters: Readonly<PeerCounters>;
}

/** How a request is sent. */
export interface RequestOptions extends SendOptions {
  /** How long to wait for the answer, in ms: 10 s when nothing is said. */
  readonly timeoutMs?: number;
}

const REQUEST_MS = 10_000;

interface Waiting {
  readonly isRequest: boolean;
  readonly resolve: (message: Message | undefined) => void;
  readonly reject: (error: RgtpError) => void;
}

/**
 * Starts a node of a cluster.
 *
 * @throws {RgtpError} INVALID_ARG for credentials that do not belong together, NOT_SUPPORTED when the runtime would let in peers without a
 *   certificate, ADDRESS_IN_USE, SOCKET
 */
export async function startNode(options: NodeOptions): Promise<ClusterNode> {
  const facts = checkedCredentials(options.credentials);
  const node = new ClusterNode(facts.nodeId, options);
  if (options.listen) await node.listen(options.listen);
  return node;
}

/** A running node: it sends messages to others of its cluster, and takes theirs. */
export class ClusterNode implements AsyncDisposable {
  /** Its ID. */
  readonly id: string;
  readonly #options: NodeOptions;
  readonly #node: LocalNode;
  readonly #host: PeerHost;
  readonly #addresses: Map<string, Address>;
  readonly #peers = new Map<string, PeerShell>();
  readonly #handlers = new Handlers();
  readonly #waiting = new Map<string, Waiting>();
  readonly #roomWaiters = new Map<string, (() => void)[]>();
  #credentials: Credentials;
  #server: Server | undefined;
  #address: Address | undefined;
  #troubles: string[] = [];
  #isClosed = false;

  /** Use {@linkcode startNode}. */
  constructor(id: string, options: NodeOptions) {
    this.id = id;
    this.#options = options;
    this.#credentials = options.credentials;
    this.#addresses = new Map(Object.entries(options.peers ?? {}));
    this.#node = localNode(id, options);
    this.#host = {
      clock: () => performance.now(),
      dial: (peerId) => this.#dial(peerId),
      onDelivered: (peer, delivered) => this.#handle(peer, delivered),
      onOutput: (peer, output) => this.#perform(peer, output),
      onLinkEnd: (peer, fault) => fault && this.note(`${peer.peerId}: ${fault.message}`),
    };
    options.signal?.addEventListener("abort", () => void this.close(), { once: true });
  }

  /** Where it takes connections; `undefined` when it does not. */
  get address(): Address | undefined {
    return this.#address;
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Other nodes that it has had to do with. */
  get peers(): PeerStatus[] {
    return Array.from(this.#peers.values(), ({ peerId, machine, wires }) => ({
      id: peerId,
      isReachable: machine.isReachable,
      links: wires,
      pendingBytes: machine.pendingBytes,
      counters: { ...machine.counters },
    }));
  }

  /** The last things that went wrong with connections, the newest first: for people. */
  get troubles(): readonly string[] {
    return this.#troubles;
  }

  /** The certificate that it shows, in PEM. */
  get certificate(): string {
    return this.#credentials.cert;
  }

  /**
   * Finds out which node of the cluster is at an address, and remembers it.
   *
   * @throws {RgtpError} SOCKET, TIMEOUT, or AUTH_FAIL when nobody of the cluster is there
   */
  async meet(address: Address): Promise<string> {
    const { peerId, socket } = await dialMutualTls(address, this.#credentials);
    socket.destroy();
    this.know(peerId, address);
    return peerId;
  }

  /** Says where a node is found. */
  know(peerId: string, address: Address): void {
    this.#addresses.set(peerId, address);
  }

  /**
   * Defines a type of the application's own; both sides need it.
   *
   * @throws {RangeError} when the name cannot be, or is taken
   */
  define(type: string, schema: Schema<PackedMap>): void {
    this.#node.types.add(type, schema);
  }

  /**
   * Says who deals with messages of a type. Those of one channel are handed over one after the other, each when the one before is dealt
   * with, unless `concurrent` is set. Whoever takes much should say `borrows`.
   *
   * @throws {RangeError} when nobody has defined the type
   */
  handle<T extends string>(type: T, handler: Handler<T>, options: HandlerOptions = {}): void {
    if (!this.#node.types.has(type)) {
      throw new RangeError(`nobody has said what a '${type}' is: define it first`);
    }
    // The schema has checked what the handler's type says.
    this.#handlers.set(type, handler as Handler, options);
  }

  /**
   * Sends a message. Resolves when the peer has dealt with it; of one that goes `at-most-once`, when it was sent. Byte strings in it must
   * not change before that: large ones are not copied.
   *
   * @throws {RgtpError} TIMEOUT when the peer could not be reached, or was started again and may or may not have dealt with it
   *   (`data.uncertain`); RATE_LIMITED when too much waits already; what the peer has refused it for
   * @throws {RangeError} for data that the type does not allow
   */
  async send<T extends string>(
    peerId: string,
    type: T,
    data: DataOf<T>,
    options?: SendOptions,
  ): Promise<void> {
    await this.#await(peerId, (machine, now) => machine.send(now, type, data, options));
  }

  /**
   * Sends a message and looks no more after it. Whether there is room for more: else wait for {@linkcode ClusterNode.room}.
   *
   * @throws {RgtpError} RATE_LIMITED when too much waits already
   * @throws {RangeError} for data that the type does not allow
   */
  post<T extends string>(peerId: string, type: T, data: DataOf<T>, options?: SendOptions): boolean {
    const peer = this.#peer(peerId);
    peer.mutate((now) => void peer.machine.send(now, type, data, options));
    return !peer.machine.isFull;
  }

  /** Waits until there is room for more messages to a peer. */
  async room(peerId: string): Promise<void> {
    if (this.#isClosed || !this.#peer(peerId).machine.isFull) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#roomWaiters.set(peerId, [...this.#roomWaiters.get(peerId) ?? [], resolve]);
    await promise;
  }

  /**
   * Sends a message and waits for the answer.
   *
   * @throws {RgtpError} TIMEOUT without an answer in time; what the peer answers with when it cannot do it
   * @throws {RangeError} for data that the type does not allow
   */
  async request<T extends string>(
    peerId: string,
    type: T,
    data: DataOf<T>,
    { timeoutMs = REQUEST_MS, ...options }: RequestOptions = {},
  ): Promise<Message> {
    const answer = await this.#await(
      peerId,
      (machine, now) => machine.request(now, type, data, timeoutMs, options),
      true,
    );
    return answer!;
  }

  /** How long a PING to a node and its PONG take, in ms. @throws {RgtpError} TIMEOUT */
  async ping(peerId: string, timeoutMs = REQUEST_MS): Promise<number> {
    const started = performance.now();
    await this.request(peerId, "ping", { timestamp: Date.now() }, { timeoutMs, delivery: "at-most-once" });
    return performance.now() - started;
  }

  /**
   * From now on this certificate: for connections to come, and for new ones in place of those that this node has opened. No message is
   * lost by it.
   *
   * @throws {RgtpError} INVALID_ARG when it is of another node, or key and certificate do not belong together
   */
  renew(credentials: Credentials): void {
    const { nodeId } = checkedCredentials(credentials);
    if (nodeId !== this.id) {
      throw new RgtpError(
        "INVALID_ARG",
        `this certificate is for '${nodeId}', and this node is '${this.id}'`,
      );
    }
    this.#credentials = credentials;
    this.#server?.setSecureContext(credentials);
    for (const peer of this.#peers.values()) peer.mutate(() => peer.machine.renew());
  }

  /** Begins to take connections. @throws {RgtpError} NOT_SUPPORTED, ADDRESS_IN_USE, SOCKET */
  async listen(address: Address): Promise<void> {
    await assertStrangersRefused(this.#credentials);
    const server = createMutualTlsServer(
      this.#credentials,
      (connection) => this.#accept(connection),
      (why) => this.note(why),
    );
    await listen(server, address);
    this.#server = server;
    this.#address = { host: address.host, port: (server.address() as { port: number }).port };
  }

  /**
   * Takes no more messages, waits until what was sent is acknowledged, says goodbye on all links, and ends. What is not acknowledged after
   * `drainMs` fails. Twice is fine.
   */
  async close(drainMs: number = limits.rnpGoodbyeMsMax): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server?.close();
    const peers = Array.from(this.#peers.values());
    await waitFor(() => peers.every(({ machine }) => machine.pendingBytes === 0), drainMs);
    for (const peer of peers) peer.mutate((now) => peer.machine.goodbye(now, "shutdown"));
    await waitFor(() => this.#linkCount() === 0, limits.rnpGoodbyeMsMax);
    for (const peer of peers) peer.close();
    const closed = new RgtpError("CANCELLED", "this node was closed before the peer had acknowledged this");
    for (const { reject } of this.#waiting.values()) reject(closed);
    this.#waiting.clear();
    for (const peerId of this.#roomWaiters.keys()) this.#makeRoom(peerId);
  }

  /** See {@linkcode ClusterNode.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #await(
    peerId: string,
    start: (machine: PeerShell["machine"], now: number) => string,
    isRequest = false,
  ): Promise<Message | undefined> {
    const peer = this.#peer(peerId);
    const { promise, resolve, reject } = Promise.withResolvers<Message | undefined>();
    peer.mutate((now) => {
      // Before what it leads to is carried out: the end may come at once.
      try {
        this.#waiting.set(start(peer.machine, now), { isRequest, resolve, reject });
      } catch (error) {
        reject(error);
      }
    });
    return await promise;
  }

  #peer(peerId: string): PeerShell {
    if (this.#isClosed) throw new RgtpError("CANCELLED", "this node is closed");
    return this.#peers.get(peerId) ?? this.#newPeer(peerId);
  }

  #newPeer(peerId: string): PeerShell {
    if (!isNodeId(peerId) || peerId === this.id) throw new RangeError(`'${peerId}' is no ID of another node`);
    if (this.#peers.size >= limits.rnpPeersMax) {
      throw rnpError({ code: "QUOTA_EXCEEDED", message: `${this.#peers.size} peers are known already` });
    }
    const { pools, retry = defaultRetry } = this.#options;
    const settings = { peerId, retry, pools: { ...defaultPools, ...pools } };
    const peer = new PeerShell(this.#host, this.#node, settings);
    this.#peers.set(peerId, peer);
    return peer;
  }

  async #dial(peerId: string): Promise<SecureConnection> {
    const address = this.#addresses.get(peerId);
    if (!address) {
      throw new RgtpError("NOT_FOUND", `nobody has said where '${peerId}' is: say it with know()`);
    }
    if (this.#linkCount() >= this.#linksMax) throw this.#tooMany();
    return await dialMutualTls(address, this.#credentials, peerId);
  }

  #accept(connection: SecureConnection): void {
    const { peerId, socket } = connection;
    const { allow } = this.#options;
    const refuse = (why: string) => {
      this.note(`'${peerId}' was refused: ${why}`);
      socket.destroy();
    };
    if (this.#isClosed) return void socket.destroy();
    if (allow && !allow.includes(peerId)) return refuse("it is not on the list");
    if (peerId === this.id) return refuse("it has this node's own certificate");
    if (this.#linkCount() >= this.#linksMax) return refuse(this.#tooMany().message);
    try {
      this.#peer(peerId).accept(connection);
    } catch (error) {
      refuse(messageOf(error));
    }
  }

  get #linksMax(): number {
    return this.#options.linksMax ?? limits.rnpConnectionsMax;
  }

  #tooMany(): RgtpError {
    return rnpError({
      code: "QUOTA_EXCEEDED",
      message: `there are ${this.#linksMax} connections already`,
    });
  }

  #linkCount(): number {
    let count = 0;
    for (const { wires } of this.#peers.values()) count += wires;
    return count;
  }

  #perform(peer: PeerShell, output: PeerOutput): void {
    if (output.kind === "writable") return this.#makeRoom(peer.peerId);
    if (output.kind !== "settled" && output.kind !== "answered") return;
    const { id, fault } = output;
    // Mostly nobody waits for what was posted; and to look for an ID costs more than to send it.
    const waiting = this.#waiting.size > 0 ? this.#waiting.get(id) : undefined;
    if (!waiting) return;
    // A request that was sent waits for its answer, which may have come with the acknowledgement.
    if (output.kind === "settled" && !fault && waiting.isRequest) return;
    this.#waiting.delete(id);
    if (fault) waiting.reject(rnpError(fault));
    else waiting.resolve(output.kind === "answered" ? output.message : undefined);
  }

  #makeRoom(peerId: string): void {
    for (const resolve of this.#roomWaiters.get(peerId) ?? []) resolve();
    this.#roomWaiters.delete(peerId);
  }

  #handle(peer: PeerShell, delivered: Delivered): void {
    this.#handlers.run(delivered.message, (reply) => {
      if (reply) this.#reply(peer, delivered, reply);
      // What is in an answer may be on its way for long.
      else if (delivered.memory && this.#handlers.borrows(delivered.message.type)) {
        this.#node.memory?.give(delivered.memory);
      }
      peer.handled(delivered);
    });
  }

  /** An answer travels with the same promise as what it answers. */
  #reply(peer: PeerShell, { message, requiresAck }: Delivered, { type, data }: Reply): void {
    const delivery = requiresAck ? "exactly-once" : "at-most-once";
    peer.mutate((now) => {
      try {
        peer.machine.send(now, type, data, { replyTo: message.id, delivery, channel: "reply" });
      } catch (error) {
        this.note(`no answer to a '${message.type}' of '${peer.peerId}': ${messageOf(error)}`);
      }
    });
  }

  /** Adds to {@linkcode ClusterNode.troubles}. */
  note(trouble: string): void {
    this.#troubles = [trouble, ...this.#troubles.slice(0, TROUBLES_MAX - 1)];
  }
}

const TROUBLES_MAX = 100;

/** Looks every few milliseconds whether something is so, for a time. */
async function waitFor(isSo: () => boolean, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (!isSo() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
}

const SECRET_BYTES_MIN = 16;

function localNode(nodeId: string, options: NodeOptions): LocalNode {
  const { secret, capabilities = [], windowBytes = limits.rnpWindowBytesMax } = options;
  if (secret && secret.length < SECRET_BYTES_MIN) {
    throw new RangeError(`a cluster secret of ${secret.length} bytes: ${SECRET_BYTES_MIN} are the least`);
  }
  if (windowBytes < limits.rnpWindowBytesMin || windowBytes > limits.rnpWindowBytesMax) {
    throw new RangeError(
      `a window of ${windowBytes} bytes: ${limits.rnpWindowBytesMin} to ${limits.rnpWindowBytesMax} are allowed`,
    );
  }
  return {
    nodeId,
    incarnation: systemRandom(8).toHex(),
    // The clock of messages never goes back, also when somebody sets that of the machine.
    epochMs: performance.timeOrigin,
    capabilities: [LINK_CAPABILITIES.compression, ...capabilities],
    windowBytes,
    types: new MessageTypes(),
    newId: uuidSource(systemRandom),
    memory: new FrameMemory(),
    ...(secret && { integrity: { engine: defaultEngine(), secret } }),
  };
}
