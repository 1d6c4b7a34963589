import type { PackedMap } from "../../codec/msgpack_map.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import type { Machine } from "../../core/machine.ts";
import { Fifo } from "./_fifo.ts";
import { Channels } from "./channels.ts";
import { compose, refresh } from "./compose.ts";
import { rnpError, startedAgain } from "./errors.ts";
import type { RnpFault } from "./errors.ts";
import { FrameFlag } from "./frame.ts";
import { Inbox } from "./inbox.ts";
import { faultOf, LINK_CAPABILITIES, LinkMachine } from "./link.ts";
import type { LinkOutput, LocalNode } from "./link.ts";
import type { DataOf, Greeting, PoolName } from "./message_data.ts";
import type { Outgoing } from "./outbox.ts";
import type { Delivered, PeerCounters, PeerOutput, PeerSettings, SendOptions } from "./peer_types.ts";
import type { Message } from "./payload.ts";
import { noAnswer, Requests } from "./requests.ts";
import type { Slot } from "./slot.ts";

type ArrivedMessage = Extract<LinkOutput, { kind: "message" }>;

/** A link as the machine of its peer sees it. */
interface HeldLink {
  readonly machine: LinkMachine;
  slot?: Slot;
  greeting?: Greeting;
  compress: boolean;
  /** Bytes that its connection has not written yet. */
  unwritten: number;
  usedAt: number;
  openedAt: number;
}

/**
 * All that a node has to do with one peer: its links, in slots of pools; what it sends, until it is acknowledged; what it gets, once and
 * in order. Links are numbered by the caller.
 */
export class PeerMachine implements Machine<PeerOutput> {
  readonly #node: LocalNode;
  readonly #settings: PeerSettings;
  readonly #outputs = new Fifo<PeerOutput>();
  readonly #links = new Map<number, HeldLink>();
  readonly #channels: Channels;
  readonly #inbox = new Inbox();
  readonly #requests = new Requests();
  /** Messages that the peer refused, until they are settled. */
  readonly #refused = new Map<string, RnpFault>();
  readonly #counters: PeerCounters = { duplicates: 0, stale: 0, unfit: 0 };
  #isFull = false;

  /** Has no link yet, and dials none before there is something to send. */
  constructor(node: LocalNode, settings: PeerSettings) {
    this.#node = node;
    this.#settings = settings;
    this.#channels = new Channels(settings.pools);
  }

  /** Messages that were not delivered, by reason. */
  get counters(): Readonly<PeerCounters> {
    return this.#counters;
  }

  /** Whether a link is open. */
  get isReachable(): boolean {
    return this.#openLink() !== undefined;
  }

  /** Bytes that wait or are not acknowledged. */
  get pendingBytes(): number {
    return this.#channels.sum(({ waitingBytes, sentBytes }) => waitingBytes + sentBytes);
  }

  /** Bytes that are on their way without an acknowledgement. */
  get sentBytes(): number {
    return this.#channels.sum(({ sentBytes }) => sentBytes);
  }

  poll(): PeerOutput | undefined {
    return this.#outputs.shift();
  }

  get deadline(): number {
    let due = Math.min(this.#inbox.ackDue, this.#requests.deadline);
    for (const slot of this.#channels.slots) due = Math.min(due, slot.dialAt);
    for (const { machine, usedAt } of this.#links.values()) {
      due = Math.min(due, machine.deadline, machine.isOpen ? usedAt + limits.rnpIdleMsMax : Infinity);
    }
    return due;
  }

  /** A connection to the peer was opened, for a slot. */
  dialled(now: number, link: number, pool: PoolName, index: number): void {
    const slot = this.#channels.slot(pool, index);
    slot.isDialling = false;
    const settings = { peerId: this.#settings.peerId, isDialer: true, pool, slot: index };
    const machine = this.#hold(now, link, new LinkMachine(now, this.#node, settings), slot);
    machine.greet(now, this.#inbox.received);
    this.#drainLink(now, link);
  }

  /** A connection from the peer was accepted. */
  accepted(now: number, link: number): void {
    // What it is for stands in its greeting.
    const settings = { peerId: this.#settings.peerId, isDialer: false, pool: "peer", slot: 0 } as const;
    this.#hold(now, link, new LinkMachine(now, this.#node, settings));
  }

  /** A connection could not be opened. */
  handleDialFailed(now: number, pool: PoolName, index: number, why: string): void {
    const slot = this.#channels.slot(pool, index);
    slot.isDialling = false;
    if (!this.#borrow(now, slot)) this.#plan(now, slot, { code: "TIMEOUT", message: why });
  }

  /** Bytes have arrived. */
  handleBytes(now: number, link: number, bytes: Uint8Array): void {
    this.#links.get(link)?.machine.handleBytes(now, bytes);
    this.#drainLink(now, link);
  }

  /** A connection has ended. */
  handleClosed(now: number, link: number): void {
    this.#links.get(link)?.machine.handleClosed();
    this.#drainLink(now, link);
  }

  /** A connection has written so many of the bytes that it was given. */
  handleWritten(now: number, link: number, bytes: number): void {
    const held = this.#links.get(link);
    if (!held) return;
    held.unwritten -= bytes;
    for (const slot of this.#channels.over(link)) this.#pump(now, slot);
  }

  /** The application has finished with a message. */
  handled(now: number, { message, requiresAck, generation, bytes }: Delivered): void {
    this.#inbox.handled(now, message, requiresAck, generation, bytes);
    this.#checkAck(now);
  }

  handleTimeout(now: number): void {
    if (now >= this.#inbox.ackDue) this.#flushAck(now);
    for (const id of this.#requests.takeDue(now)) {
      this.#outputs.push({ kind: "answered", id, fault: noAnswer });
    }
    for (const slot of this.#channels.slots) {
      if (now < slot.dialAt) continue;
      slot.dialAt = Infinity;
      slot.isDialling = true;
      this.#outputs.push({ kind: "dial", pool: slot.pool, slot: slot.index });
    }
    for (const [link, held] of this.#links) {
      const { machine, usedAt } = held;
      if (machine.isOpen && now >= usedAt + limits.rnpIdleMsMax) {
        if (this.#channels.over(link).every(({ outbox }) => outbox.isEmpty)) {
          this.#goodbye(now, link, held, "idle");
        } else held.usedAt = now;
      }
      machine.handleTimeout(now);
      this.#drainLink(now, link);
    }
  }

  /**
   * Sends a message; its end comes as `settled` with this ID.
   *
   * @throws {RgtpError} RATE_LIMITED (RESOURCE_EXHAUSTED) when too much waits already
   * @throws {RangeError} for data that its type does not allow, and names that cannot be
   */
  send(now: number, type: string, data: PackedMap, options: SendOptions = {}): string {
    const { delivery = "exactly-once", channel = "main", pool = "peer", replyTo } = options;
    const place = this.#channels.place(delivery, channel, pool);
    const { slot, seq } = place;
    if (slot.outbox.waitingBytes > limits.rnpQueueBytesMax) {
      throw rnpError({
        code: "RESOURCE_EXHAUSTED",
        message:
          `${slot.outbox.waitingBytes} bytes wait for '${this.#settings.peerId}' already: wait for room`,
      });
    }
    const compress = this.#links.get(slot.links[0])?.compress ?? false;
    const draft = { type, data, delivery, channel, seq, replyTo, compress };
    const outgoing = compose(now, this.#node, draft);
    slot.outbox.add(outgoing);
    // Only now: what could not be made takes no number.
    this.#channels.take(channel, place);
    this.#pump(now, slot);
    this.#plan(now, slot);
    return outgoing.message.id;
  }

  /**
   * Sends a message and waits for another that answers it; that, or the lack of it, comes as `answered` with this ID.
   *
   * @throws {RgtpError} RATE_LIMITED (RESOURCE_EXHAUSTED) when too much waits already
   * @throws {RangeError} as `send`
   */
  request(now: number, type: string, data: PackedMap, timeoutMs: number, options: SendOptions = {}): string {
    if (this.#requests.size >= limits.rnpRequestsMax) {
      throw rnpError({
        code: "RESOURCE_EXHAUSTED",
        message: `${this.#requests.size} requests to '${this.#settings.peerId}' wait for answers already`,
      });
    }
    const id = this.send(now, type, data, options);
    this.#requests.add(id, now + timeoutMs);
    return id;
  }

  /** Whether the application should wait for `writable` before it sends more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Closes all links in good order: what has arrived is acknowledged, and what the peer has on its way still arrives. */
  goodbye(now: number, reason: string): void {
    for (const [link, held] of this.#links) this.#goodbye(now, link, held, reason);
  }

  /** Opens a new link beside each one that this node has dialled, which takes over: after the node's certificate was renewed. */
  renew(): void {
    for (const slot of this.#channels.slots) {
      const inUse = this.#links.get(slot.links[0]);
      if (!inUse?.machine.settings.isDialer || slot.isDialling) continue;
      slot.isDialling = true;
      this.#outputs.push({ kind: "dial", pool: slot.pool, slot: slot.index });
    }
  }

  #hold(now: number, link: number, machine: LinkMachine, slot?: Slot): LinkMachine {
    const times = { usedAt: now, openedAt: Infinity };
    this.#links.set(link, { machine, compress: false, unwritten: 0, ...times, ...(slot && { slot }) });
    return machine;
  }

  /** Sends what the window and the connection let pass. */
  #pump(now: number, slot: Slot): void {
    const held = this.#links.get(slot.links[0]);
    while (held?.machine.isOpen && held.unwritten < limits.rnpUnwrittenBytesMax) {
      const next = slot.outbox.next();
      if (!next) break;
      this.#transmit(now, slot, held, next);
    }
    this.#checkRoom();
  }

  #transmit(now: number, slot: Slot, held: HeldLink, outgoing: Outgoing): void {
    refresh(now, this.#node, outgoing, held.compress);
    held.usedAt = now;
    for (const bytes of outgoing.frame.parts) this.#write(slot.links[0], held, bytes);
    if (outgoing.delivery === "at-most-once") {
      return void this.#outputs.push({ kind: "settled", id: outgoing.message.id });
    }
    outgoing.sentTo = held.greeting!.incarnation;
    slot.outbox.keep(outgoing);
  }

  #write(link: number, held: HeldLink, bytes: Uint8Array): void {
    held.unwritten += bytes.length;
    this.#outputs.push({ kind: "write", link, bytes });
  }

  #drainLink(now: number, link: number): void {
    const held = this.#links.get(link);
    if (held) drain(held.machine, (output) => this.#carryOut(now, link, held, output));
  }

  #carryOut(now: number, link: number, held: HeldLink, output: LinkOutput): void {
    switch (output.kind) {
      case "write":
        return this.#write(link, held, output.bytes);
      case "message":
        return this.#take(now, link, held, output);
      case "ack":
        return this.#handleAck(now, output.ack);
      case "greeted":
        if (!this.#greet(now, held, output.greeting)) return;
        return held.machine.welcome(now, output.greeting, this.#inbox.received);
      case "open":
        return this.#handleOpen(now, link, held, output.greeting, output.capabilities);
      case "unfit":
        return this.#handleUnfit(now, output.message, output.flags);
      case "stale":
        this.#counters.stale++;
        return;
      case "leaving":
        this.#flushAck(now, held.machine);
        this.#detach(now, link);
        return held.machine.confirmGoodbye(now);
      case "end":
        return this.#handleEnd(now, link, held, output.fault);
    }
  }

  #handleOpen(
    now: number,
    link: number,
    held: HeldLink,
    greeting: Greeting,
    capabilities: readonly string[],
  ): void {
    if (!this.#greet(now, held, greeting)) return;
    held.compress = capabilities.includes(LINK_CAPABILITIES.compression);
    held.usedAt = held.openedAt = now;
    // A dialer knows its slot; an accepted link's stands in the greeting.
    const slot = held.slot ??= this.#channels.slot(greeting.pool, greeting.slot);
    slot.dialAt = Infinity;
    this.#outputs.push({ kind: "open", link, greeting });
    const inUse = slot.links[0];
    slot.links.push(link);
    if (inUse === undefined) this.#resume(now, slot, held);
    const before = this.#links.get(inUse);
    // Of two that this node has dialled the second replaces the first. When both nodes have dialled, both links stay until they are idle.
    if (before?.machine.settings.isDialer && held.machine.settings.isDialer) {
      this.#goodbye(now, inUse, before, "replaced");
    }
    for (const other of this.#channels.slots) {
      if (other.isWanting && !other.isDialling) this.#borrow(now, other);
    }
  }

  /** A slot for which no link can be dialled uses one of another slot, if there is any. */
  #borrow(now: number, slot: Slot): boolean {
    const [link, held] = this.#openLink() ?? [];
    if (link === undefined || !held || slot.links.length > 0) return false;
    slot.dialAt = Infinity;
    slot.links.push(link);
    this.#resume(now, slot, held);
    return true;
  }

  /** The peer has said which run of it this is. Links of another run are over. Whether it is not one that has ended. */
  #greet(now: number, held: HeldLink, greeting: Greeting): boolean {
    if (!this.#inbox.greet(greeting.incarnation)) {
      held.machine.refuse(now, { code: "ALREADY_EXISTS", message: "this node was started again since" });
      return false;
    }
    held.greeting = greeting;
    for (const [link, other] of this.#links) {
      if (!other.greeting || other.greeting.incarnation === greeting.incarnation) continue;
      other.machine.refuse(now, { code: "ALREADY_EXISTS", message: "another run of this node has greeted" });
      this.#drainLink(now, link);
    }
    return true;
  }

  /** What was on its way over a link that has ended goes over the one that is in use now. */
  #resume(now: number, slot: Slot, { machine, greeting }: HeldLink): void {
    const { done, unknown } = slot.outbox.resume(greeting!, this.#node.incarnation);
    // A link that the peer has opened is no attempt of this node.
    if (done.length > 0 || !machine.settings.isDialer) slot.succeed();
    for (const outgoing of done) this.#settle(outgoing);
    for (const outgoing of unknown) this.#settle(outgoing, startedAgain(this.#settings.peerId));
    this.#pump(now, slot);
  }

  #take(now: number, link: number, held: HeldLink, arrived: ArrivedMessage): void {
    const { message, flags } = arrived;
    // What keeps a link alive is no use of it.
    if (message.type !== "pong") held.usedAt = now;
    const requiresAck = (flags & FrameFlag.REQUIRES_ACK) !== 0;
    const verdict = this.#inbox.take(now, message, requiresAck);
    if (verdict === "new") return this.#deliver(now, link, arrived, requiresAck);
    if (verdict === "duplicate") {
      this.#counters.duplicates++;
      return;
    }
    if (verdict === "stale") {
      this.#counters.stale++;
      return;
    }
    held.machine.refuse(now, {
      code: "QUOTA_EXCEEDED",
      message: `more than ${limits.rnpChannelsMax} channels from one node`,
    });
  }

  #deliver(
    now: number,
    link: number,
    { message, bytes, memory }: ArrivedMessage,
    requiresAck: boolean,
  ): void {
    const { generation } = this.#inbox;
    const delivered: Delivered = { message, link, bytes, memory, requiresAck, generation };
    const { reply_to: replyTo } = message;
    if (replyTo === undefined) return void this.#outputs.push({ kind: "deliver", delivered });
    if (this.#requests.take(replyTo)) {
      const outcome = message.type === "error" ? { fault: faultOf(message) } : { message };
      this.#outputs.push({ kind: "answered", id: replyTo, ...outcome });
    } else if (message.type === "error" && this.#refused.size < limits.rnpChannelsMax) {
      this.#refused.set(replyTo, faultOf(message));
    }
    // Answers are for this machine alone.
    this.handled(now, delivered);
  }

  #handleUnfit(now: number, message: Message, flags: number): void {
    this.#counters.unfit++;
    const requiresAck = (flags & FrameFlag.REQUIRES_ACK) !== 0;
    if (this.#inbox.take(now, message, requiresAck) === "new") {
      this.#inbox.handled(now, message, requiresAck, this.#inbox.generation, 0);
    }
    this.#checkAck(now);
  }

  #handleAck(now: number, { channels }: DataOf<"ack">): void {
    for (const [channel, seq] of Object.entries(channels ?? {})) {
      const slot = this.#channels.slotOf(channel);
      const done = slot?.outbox.acknowledged(channel, seq) ?? [];
      if (!slot || done.length === 0) continue;
      slot.succeed();
      for (const outgoing of done) this.#settle(outgoing);
      this.#pump(now, slot);
    }
  }

  #settle({ message: { id } }: Outgoing, why?: RnpFault): void {
    // Mostly nobody refuses anything.
    const fault = why ?? (this.#refused.size > 0 ? this.#refused.get(id) : undefined);
    if (fault) this.#refused.delete(id);
    if (fault && this.#requests.take(id)) this.#outputs.push({ kind: "answered", id, fault });
    this.#outputs.push({ kind: "settled", id, ...(fault && { fault }) });
  }

  #handleEnd(now: number, link: number, held: HeldLink, fault?: RnpFault): void {
    this.#links.delete(link);
    this.#outputs.push({ kind: "end", link, ...(fault && { fault }) });
    if (now - held.openedAt >= this.#settings.retry.delayMsMax) held.slot?.succeed();
    this.#detach(now, link, fault);
  }

  /** A link is not used any more: the next one of its slot takes over, or is dialled. */
  #detach(now: number, link: number, fault?: RnpFault): void {
    for (const slot of this.#channels.slots) {
      const place = slot.links.indexOf(link);
      if (place < 0) continue;
      slot.links.splice(place, 1);
      const next = place === 0 ? this.#links.get(slot.links[0]) : undefined;
      if (next) this.#resume(now, slot, next);
    }
    for (const slot of this.#channels.slots) this.#plan(now, slot, fault);
  }

  #goodbye(now: number, link: number, held: HeldLink, reason: string): void {
    this.#flushAck(now, held.machine);
    held.machine.goodbye(now, reason);
    this.#drainLink(now, link);
    this.#detach(now, link);
  }

  /** Dials when a link is wanted; gives up on what waits when it was tried too often. */
  #plan(now: number, slot: Slot, fault?: RnpFault): void {
    if (slot.plan(now, this.#settings.retry)) return;
    const { attemptsMax } = this.#settings.retry;
    const why = fault ? `: ${fault.message}` : "";
    for (const outgoing of slot.outbox.drain()) {
      const isUncertain = outgoing.sentTo !== undefined;
      this.#settle(outgoing, {
        code: fault?.code ?? "TIMEOUT",
        message: `'${this.#settings.peerId}' could not be reached in ${attemptsMax} attempts${why}`,
        ...(isUncertain && { details: { uncertain: 1 } }),
      });
    }
    this.#checkRoom();
  }

  #checkAck(now: number): void {
    if (this.#inbox.isAckUrgent) this.#flushAck(now);
  }

  /** Over any open link: what a channel has come to is the same wherever it is said. */
  #flushAck(now: number, over?: LinkMachine): void {
    const [link, held] = this.#openLink() ?? [];
    const machine = over?.isOpen ? over : held?.machine;
    const ack = this.#inbox.takeAck();
    // Without a link the next greeting tells.
    if (!machine || !ack) return;
    machine.acknowledge(now, ack);
    if (link !== undefined && machine === held?.machine) this.#drainLink(now, link);
  }

  #openLink(): [number, HeldLink] | undefined {
    for (const entry of this.#links) if (entry[1].machine.isOpen) return entry;
    return undefined;
  }

  /** Back-pressure: from "full" to "writable" at half, so that it does not flutter. */
  #checkRoom(): void {
    let most = 0;
    for (const { outbox } of this.#channels.slots) most = Math.max(most, outbox.waitingBytes);
    if (most >= limits.rnpQueueHighBytesMax) this.#isFull = true;
    else if (this.#isFull && most < limits.rnpQueueHighBytesMax / 2) {
      this.#isFull = false;
      this.#outputs.push({ kind: "writable" });
    }
  }
}
