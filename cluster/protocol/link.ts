import type { PackedMap } from "../../codec/msgpack_map.ts";
import { limits } from "../../core/limits.ts";
import type { Machine } from "../../core/machine.ts";
import { isRnpErrorName, RnpErrorCode } from "./errors.ts";
import type { RnpFault } from "./errors.ts";
import { Fifo } from "./_fifo.ts";
import { FrameFlag, FrameReader, RNP_MAJOR, RNP_MINOR } from "./frame.ts";
import type { Frame } from "./frame.ts";
import type { FrameMemory } from "./frame_memory.ts";
import type { DataOf, Greeting, PoolName } from "./message_data.ts";
import { linkTypes } from "./message_types.ts";
import type { MessageTypes } from "./message_types.ts";
import { decodeMessage, encodeMessage } from "./payload.ts";
import type { Integrity, Message } from "./payload.ts";

/** What a node is to all of its links. */
export interface LocalNode {
  /** Its ID, as in its certificate. */
  readonly nodeId: string;
  /** Random, of 16 hexadecimal digits: tells this run of the node from others. */
  readonly incarnation: string;
  /** Ms since 1970 at the time 0 of the clock that all calls take their time from. */
  readonly epochMs: number;
  /** What it can do: features of links, and of the application. */
  readonly capabilities: readonly string[];
  /** Bytes that it takes from a peer before it acknowledges them. */
  readonly windowBytes: number;
  /** Types that it knows. */
  readonly types: MessageTypes;
  /** The cluster's secret: then every message carries an hmac. */
  readonly integrity?: Integrity;
  /** A new ID for a message. */
  readonly newId: () => string;
  /** Where large frames find their memory; always new when nothing is said. */
  readonly memory?: FrameMemory;
}

/** What a link is for. */
export interface LinkSettings {
  /** Who the peer is, by its certificate. */
  readonly peerId: string;
  /** Whether this side has opened the connection, and so speaks first. */
  readonly isDialer: boolean;
  /** The dialer's choice. */
  readonly pool: PoolName;
  /** Which link of the pool, from 0. */
  readonly slot: number;
}

/** What a link asks for. */
export type LinkOutput =
  /** Bytes for the connection. */
  | { readonly kind: "write"; readonly bytes: Uint8Array }
  /** The dialer has greeted: to be answered by `welcome` or `refuse`. */
  | { readonly kind: "greeted"; readonly greeting: Greeting }
  /** Both have greeted. */
  | { readonly kind: "open"; readonly greeting: Greeting; readonly capabilities: readonly string[] }
  /** A message for the layer above. */
  | {
    readonly kind: "message";
    readonly message: Message;
    readonly flags: number;
    readonly bytes: number;
    readonly memory?: Uint8Array<ArrayBuffer> | undefined;
  }
  /** The peer has handled messages. */
  | { readonly kind: "ack"; readonly ack: DataOf<"ack"> }
  /** The peer wants to close: to be answered by `confirmGoodbye`. */
  | { readonly kind: "leaving"; readonly reason: string }
  /** A message whose data is not as its type demands; its sender has been told. Its place in a channel is taken all the same. */
  | { readonly kind: "unfit"; readonly message: Message; readonly flags: number }
  /** A message was dropped because its timestamp is too far from this node's clock. */
  | { readonly kind: "stale" }
  /** The connection shall be closed when all that was written is sent. */
  | { readonly kind: "end"; readonly fault?: RnpFault };

/** Features that two links agree upon. */
export const LINK_CAPABILITIES = { compression: "lz4", integrity: "hmac" } as const;

/**
 * One connection to a peer: it greets, checks all that arrives, keeps the connection alive and ends it. The bytes that it gets must come
 * over mutual TLS, whose certificate said who the peer is.
 */
export class LinkMachine implements Machine<LinkOutput> {
  readonly #node: LocalNode;
  readonly #settings: LinkSettings;
  readonly #reader: FrameReader;
  readonly #outputs = new Fifo<LinkOutput>();
  #state: "greeting" | "open" | "leaving" | "ended" = "greeting";
  /** When the greeting, or the goodbye, must be over. */
  #stateDue: number;
  /** When a frame began that is not whole yet, and when it must be. */
  #frameBegan = 0;
  #frameDue = Infinity;
  #heardAt: number;
  #pingedAt = -Infinity;
  #welcomed = false;

  /** The dialer's first call is `greet`. */
  constructor(now: number, node: LocalNode, settings: LinkSettings) {
    this.#node = node;
    this.#settings = settings;
    this.#reader = new FrameReader(node.memory);
    this.#reader.payloadBytesMax = limits.rnpGreetingBytesMax;
    this.#stateDue = now + limits.rnpGreetingMsMax;
    this.#heardAt = now;
  }

  /** Whether frames of messages may go over its connection; they are not its business. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** What the link is for; of an accepted one only after the greeting. */
  get settings(): LinkSettings {
    return this.#settings;
  }

  poll(): LinkOutput | undefined {
    return this.#outputs.shift();
  }

  get deadline(): number {
    if (this.#state === "ended") return Infinity;
    const alive = this.#state === "open" ? this.#aliveDue() : Infinity;
    return Math.min(this.#stateDue, this.#frameDue, alive);
  }

  /** The dialer greets. `received` is what it has got from the peer so far. */
  greet(now: number, received: Greeting["received"]): void {
    this.#send(now, "hello", this.#greeting(received));
  }

  /** The acceptor answers a greeting, and the link is open. */
  welcome(now: number, greeting: Greeting, received: Greeting["received"]): void {
    if (this.#state !== "greeting" || this.#welcomed) return;
    this.#welcomed = true;
    this.#send(now, "hello_ack", { ...this.#greeting(received), pool: greeting.pool, slot: greeting.slot });
    this.#open(greeting);
  }

  /** Tells the peer what is wrong, and ends the link. */
  refuse(now: number, fault: RnpFault): void {
    this.#fail(now, fault);
  }

  /** Acknowledges messages. */
  acknowledge(now: number, ack: DataOf<"ack">): void {
    this.#send(now, "ack", ack, FrameFlag.IS_ACK);
  }

  /** Begins to close: what the peer has on its way still arrives. */
  goodbye(now: number, reason: string): void {
    // Nobody waits for what was never greeted.
    if (this.#state === "greeting") return this.#end();
    if (this.#state !== "open") return;
    this.#send(now, "goodbye", { reason });
    this.#state = "leaving";
    this.#stateDue = now + limits.rnpGoodbyeMsMax;
  }

  /** Answers the peer's goodbye: nothing will be written after it. */
  confirmGoodbye(now: number): void {
    if (this.#state === "ended") return;
    this.#send(now, "goodbye_ack", {});
    this.#end();
  }

  /** The connection has ended. */
  handleClosed(): void {
    this.#end();
  }

  /** Bytes have arrived. */
  handleBytes(now: number, bytes: Uint8Array): void {
    if (this.#state === "ended") return;
    this.#heardAt = now;
    const held = this.#reader.heldBytes;
    this.#reader.push(bytes);
    let frames = 0;
    for (let next = this.#reader.next(); next; next = this.#reader.next()) {
      if ("code" in next) return this.#fail(now, next);
      frames++;
      this.#handleFrame(now, next);
      // Ended by what it held.
      if (this.#isEnded()) return;
    }
    this.#timeFrame(now, frames > 0 || held === 0);
  }

  handleTimeout(now: number): void {
    if (this.#state === "ended" || now < this.deadline) return;
    if (now >= this.#frameDue) {
      return this.#fail(now, { code: "TIMEOUT", message: "a frame was begun and not finished in time" });
    }
    if (now >= this.#stateDue) {
      if (this.#state === "leaving") return this.#end();
      return this.#fail(now, { code: "TIMEOUT", message: "no greeting in the time allowed" });
    }
    if (this.#pingedAt > this.#heardAt) {
      return this.#fail(now, { code: "TIMEOUT", message: "the peer has fallen silent" });
    }
    this.#pingedAt = now;
    this.#send(now, "ping", { timestamp: this.#time(now) });
  }

  /** Gives a frame that is not whole its time: bytes that come one by one do not prolong it. */
  #timeFrame(now: number, isNew: boolean): void {
    if (this.#reader.heldBytes === 0) {
      this.#frameDue = Infinity;
      return;
    }
    if (isNew) this.#frameBegan = now;
    const ms = this.#reader.wantedBytes / limits.rnpFrameBytesPerSecond * 1000;
    this.#frameDue = this.#frameBegan + limits.rnpFrameMsMax + ms;
  }

  #aliveDue(): number {
    return this.#pingedAt > this.#heardAt
      ? this.#pingedAt + limits.rnpKeepaliveAnswerMsMax
      : this.#heardAt + limits.rnpKeepaliveMs;
  }

  #handleFrame(now: number, frame: Frame): void {
    const { peerId } = this.#settings;
    const message = decodeMessage(frame, this.#node.integrity);
    if (!("sender" in message)) return this.#fail(now, message);
    if (message.sender !== peerId) {
      return this.#fail(now, {
        code: "AUTH_FAILED",
        message: `a message of '${message.sender}' from a node whose certificate is for '${peerId}'`,
      });
    }
    const fault = this.#node.types.fault(message.type, message.data);
    // Of the link's own messages, and before the greeting, nothing is let pass.
    if (fault !== undefined && (linkTypes.has(message.type) || this.#state === "greeting")) {
      return this.#fail(now, { code: "PROTOCOL_ERROR", message: `a '${message.type}' whose ${fault}` });
    }
    const skew = Math.abs(this.#time(now) - message.timestamp);
    if (skew > limits.rnpClockSkewMsMax) return this.#handleSkewed(now, message, skew);
    if (this.#state === "greeting") return this.#handleGreeting(now, message);
    if (fault !== undefined) return this.#handleUnfit(now, message, frame.flags, fault);
    this.#handleMessage(now, message, frame);
  }

  #handleGreeting(now: number, message: Message): void {
    if (message.type === "error") return this.#end(faultOf(message));
    if (message.type !== (this.#settings.isDialer ? "hello_ack" : "hello")) {
      return this.#fail(now, { code: "PROTOCOL_ERROR", message: `a '${message.type}' before the greeting` });
    }
    const greeting = message.data as Greeting;
    const fault = this.#greetingFault(greeting);
    if (fault) return this.#fail(now, fault);
    if (this.#settings.isDialer) this.#open(greeting);
    else this.#outputs.push({ kind: "greeted", greeting });
  }

  #greetingFault(greeting: Greeting): RnpFault | undefined {
    const { peerId } = this.#settings;
    const major = /^(\d{1,3})\.\d{1,3}$/.exec(greeting.version)?.[1];
    if (Number(major) !== RNP_MAJOR) {
      return {
        code: "VERSION_MISMATCH",
        message: `the peer speaks '${greeting.version.slice(0, 20)}', this node ${RNP_MAJOR}.${RNP_MINOR}`,
      };
    }
    if (greeting.node_id !== peerId) {
      return { code: "AUTH_FAILED", message: `a greeting of another node than '${peerId}'` };
    }
    if (!/^[0-9a-f]{16}$/.test(greeting.incarnation)) {
      return { code: "PROTOCOL_ERROR", message: "an incarnation that is not 16 hexadecimal digits" };
    }
    if (greeting.slot >= limits.rnpSlotsMax) {
      return {
        code: "QUOTA_EXCEEDED",
        message: `slot ${greeting.slot}: a pool has ${limits.rnpSlotsMax} at most`,
      };
    }
    if (this.#node.integrity && !greeting.capabilities.includes(LINK_CAPABILITIES.integrity)) {
      return { code: "AUTH_FAILED", message: "this cluster has a secret, and the peer does not use one" };
    }
    return undefined;
  }

  #handleMessage(now: number, message: Message, { flags, payload, memory }: Frame): void {
    switch (message.type) {
      case "ack":
        return void this.#outputs.push({ kind: "ack", ack: message.data as DataOf<"ack"> });
      case "ping":
        return this.#answerPing(now, message);
      case "goodbye":
        return void this.#outputs.push({
          kind: "leaving",
          reason: (message.data as DataOf<"goodbye">).reason,
        });
      case "goodbye_ack":
        if (this.#state === "leaving") return this.#end();
        return this.#fail(now, {
          code: "PROTOCOL_ERROR",
          message: "a 'goodbye_ack', and nobody has said goodbye",
        });
      case "hello":
      case "hello_ack":
        return this.#fail(now, { code: "PROTOCOL_ERROR", message: "a second greeting" });
      case "error":
        // Without a message that it answers, it is about the link.
        if (message.reply_to === undefined) return this.#end(faultOf(message));
    }
    this.#outputs.push({ kind: "message", message, flags, bytes: payload.length, memory });
  }

  #answerPing(now: number, { id, data }: Message): void {
    const { timestamp } = data as DataOf<"ping">;
    const pong = { request_timestamp: timestamp, response_timestamp: this.#time(now) };
    this.#send(now, "pong", pong, 0, id);
  }

  /** Numbered messages must not get lost: they come again over the next link, with another timestamp. */
  #handleSkewed(now: number, message: Message, skew: number): void {
    if (this.#state !== "greeting" && message.seq === undefined) {
      return void this.#outputs.push({ kind: "stale" });
    }
    this.#fail(now, {
      code: "PROTOCOL_ERROR",
      message: `a timestamp that is ${Math.round(skew / 1000)} s from this node's clock: set both clocks, ${
        limits.rnpClockSkewMsMax / 1000
      } s are allowed`,
    });
  }

  /** The data of a type is not as it must be: the link goes on, its sender is told. */
  #handleUnfit(now: number, message: Message, flags: number, fault: string): void {
    this.#outputs.push({ kind: "unfit", message, flags });
    if (message.type === "error") return;
    const error = { code: "PROTOCOL_ERROR", number: RnpErrorCode.PROTOCOL_ERROR };
    this.#send(now, "error", { ...error, message: `a '${message.type}' whose ${fault}` }, 0, message.id);
  }

  #greeting(received: Greeting["received"]): Greeting {
    const { nodeId, incarnation, capabilities, windowBytes, integrity } = this.#node;
    return {
      version: `${RNP_MAJOR}.${RNP_MINOR}`,
      node_id: nodeId,
      incarnation,
      capabilities: integrity ? [...capabilities, LINK_CAPABILITIES.integrity] : capabilities,
      pool: this.#settings.pool,
      slot: this.#settings.slot,
      window: windowBytes,
      ...(received && { received }),
    };
  }

  #open(greeting: Greeting): void {
    this.#state = "open";
    this.#stateDue = Infinity;
    this.#reader.payloadBytesMax = limits.rnpPayloadBytesMax;
    const capabilities = this.#node.capabilities.filter((one) => greeting.capabilities.includes(one));
    this.#outputs.push({ kind: "open", greeting, capabilities });
  }

  #send(now: number, type: string, data: PackedMap, flags = 0, replyTo?: string): void {
    if (this.#state === "ended") return;
    const { nodeId, newId, integrity } = this.#node;
    const message: Message = {
      type,
      id: newId(),
      timestamp: this.#time(now),
      sender: nodeId,
      data,
      ...(replyTo !== undefined && { reply_to: replyTo }),
    };
    this.#outputs.push({ kind: "write", bytes: encodeMessage(message, { flags, integrity }) });
  }

  #fail(now: number, fault: RnpFault): void {
    if (this.#state === "ended") return;
    const { code, message, details } = fault;
    this.#send(now, "error", { code, number: RnpErrorCode[code], message, ...(details && { details }) });
    this.#end(fault);
  }

  #end(fault?: RnpFault): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#outputs.push({ kind: "end", ...(fault && { fault }) });
  }

  /** Apart, since a type checker does not see that a call has changed the state. */
  #isEnded(): boolean {
    return this.#state === "ended";
  }

  #time(now: number): number {
    return Math.floor(this.#node.epochMs + now);
  }
}

/** The fault that an ERROR tells of. */
export function faultOf(message: Message): RnpFault {
  const { code, message: text } = message.data as DataOf<"error">;
  return {
    code: isRnpErrorName(code) ? code : "INTERNAL_ERROR",
    message: `'${message.sender}' says: ${text.slice(0, 500)}`,
  };
}
