/*
 * The puller, sans-IO: handshake, then requests until everything wanted is here and verified. It holds sealed bytes only while it puts
 * them together; opening, checking and storing are its shell's work, and it is told what came of them.
 */
import { formatAddress } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import {
  complete,
  CompleteReason,
  keepaliveEcho,
  refusal,
  RefusalReason,
  retry,
} from "../../codec/control.ts";
import { DenialReason } from "../../codec/grant.ts";
import type { Grant } from "../../codec/grant.ts";
import { chunkBytes, chunkCount, decodeManifest } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import {
  isChunkData,
  MAC_BYTES,
  PacketType,
  PAGE_BIT,
  PROTOCOL_VERSION,
  readWord,
} from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Machine, Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { exposureId, keyCheck } from "../../crypto/key_schedule.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import type { Assembly } from "./assembly.ts";
import { Attempts } from "./attempts.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import type { ChunkPlanOptions, ChunkRun } from "./chunk_plan.ts";
import { trafficClasses } from "./traffic_class.ts";
import type { TrafficClassName } from "./traffic_class.ts";
import { DropCounter } from "./drops.ts";
import { Flow } from "./flow.ts";
import { PiecesInHand } from "./pieces_in_hand.ts";
import {
  denied,
  forgedGrant,
  listed,
  silence,
  silenceError,
  sourceChanged,
  STALL_NOTICE_MS,
  withdrawn,
  wrongPiece,
} from "./pull_failures.ts";
import type { Silence } from "./pull_failures.ts";

/** What a puller asks its shell to do. */
export type PullerOutput =
  /** Send one packet. */
  | { readonly kind: "send"; readonly to: Address; readonly bytes: Uint8Array }
  /** The exposer has granted the pull: prepare, then call `begin`. */
  | {
    readonly kind: "granted";
    readonly grant: Grant;
    readonly manifest: Manifest;
    readonly exposerKey: Uint8Array;
  }
  /** Verify a piece: a leaf page against the root, a chunk against its leaf; open and store it; then call `handleOpened`. The bytes are the machine's again after that. */
  | { readonly kind: "open"; readonly piece: number; readonly sealed: Uint8Array }
  /** Check a chunk that may be at hand against its leaf; then call `handleChecked`. */
  | { readonly kind: "check"; readonly chunk: number }
  /** All chunks of a page are here: its leaves are needed no longer. */
  | { readonly kind: "pageDone"; readonly page: number }
  /** Nothing has come for a while, and this is what is known of why. */
  | { readonly kind: "stalled"; readonly reason: string }
  /** It goes on. */
  | { readonly kind: "resumed" }
  /** Everything wanted so far is here, and there is more to come: call `want`. */
  | { readonly kind: "wanting" }
  /** Everything wanted is here. */
  | { readonly kind: "done" }
  /** It cannot go on. */
  | { readonly kind: "failed"; readonly error: RgtpError };

/** What a puller is made of. */
export interface PullerOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** X25519 private key of this node, or of this pull. */
  readonly staticPrivate: Uint8Array;
  /** What to pull: 32 bytes. */
  readonly exposureId: Uint8Array;
  /** The exposer's key, when it is known. */
  readonly exposerKey?: Uint8Array;
  /** Which ticket, 8 bytes, and its psk; absent: none. */
  readonly ticket?: { readonly id: Uint8Array; readonly psk: Uint8Array };
  /** Where to ask, 1 to 8. */
  readonly addresses: readonly Address[];
  /** Packets that our receive buffer holds in one burst. */
  readonly burstPacketsMax: number;
  /** The symbol size to begin with; a path that does not carry it is noticed. */
  readonly symbolSize?: number;
  /** Bytes a second to ask for at most. */
  readonly limitRate?: number;
  /** How it behaves towards other traffic; absent: `normal`. */
  readonly trafficClass?: TrafficClassName;
  /** Without any progress for this long, it fails. */
  readonly timeoutMs: number;
  /** The same for the first contact. */
  readonly handshakeTimeoutMs: number;
  /** What this machine's network says of our packets, for people; empty when it takes them. Absent: nothing is known. */
  readonly network?: () => string;
}

/** What a pull begins with. */
export interface PullBeginning extends Omit<ChunkPlanOptions, "chunks"> {
  /** What else is wanted shows only when this is here: see {@linkcode PullerMachine.want}. */
  readonly isMoreToCome?: boolean;
  /**
   * How many pieces that were handed out with `open` the shell holds only because others must come before them. Absent: none. When it
   * holds no others, silence is the network's, not the shell's.
   */
  readonly heldBack?: () => number;
}

/** Where a chunk was found without being pulled, if it was: in what an earlier pull left, or in memory that the exposer shares. */
export type Found = "on disk" | "shared" | "nowhere";

/** How far a pull is. */
export interface PullerProgress {
  /** Plaintext bytes wanted. */
  readonly total: number;
  /** Of these, verified and stored. */
  readonly done: number;
  /** Of these, found on disk. */
  readonly reused: number;
  /** Of these, taken from memory that the exposer shares. */
  readonly shared: number;
  /** Bytes of CHUNK_DATA received. */
  readonly wireBytes: number;
  /** Symbols received, and asked for again. */
  readonly symbolsReceived: number;
  /** Symbols that did not come when they should have. */
  readonly symbolsLost: number;
  /** Smoothed, in ms; 0 before the first request. */
  readonly roundTrip: number;
}

/** How much a puller keeps while it pulls. */
export interface PullerMemory {
  /** Pieces that are being assembled, or wait to be opened and stored. */
  readonly pieces: number;
  /** Of these, whole ones that wait for their leaf page. */
  readonly awaitingLeaves: number;
  /** Symbols asked for that have not come. */
  readonly symbolsUnderWay: number;
  /** Pieces that came wrong and have not come right yet. */
  readonly wrongPieces: number;
}

/** From first to last: monotonic ms; undefined for what has not happened. */
export interface PullerTimes {
  /** Start of the handshake. */
  readonly startedAt: number;
  /** The grant. */
  grantedAt?: number;
  /** The first PULL_REQUEST, or the first look at what is at hand. */
  requestedAt?: number;
  /** The last chunk was stored. */
  finishedAt?: number;
}

const SYMBOL_SIZE = 1428;
const SYMBOL_SIZE_SAFE = 1200;
/** After this without a symbol of full size the path may not carry them. */
const BLACK_HOLE_MS = 500;
const HANDSHAKE_EVERY_MS = 1000;
const SILENT_TIMEOUTS_MAX = 3;
const RENEW_AT_SHARE = 0.8;
/** So often may one piece be wrong before the source is given up. */
const WRONG_PIECES_MAX = 16;
/** Reasons that answer a handshake. */
const HINTS: Readonly<Record<number, "key" | "version">> = {
  [RefusalReason.KEY]: "key",
  [RefusalReason.VERSION]: "version",
};

/** The puller's machine. See {@linkcode Machine} for how it is driven. */
export class PullerMachine implements Machine<PullerOutput> {
  /** Packets dropped, by reason. */
  readonly drops: DropCounter = new DropCounter();
  /** When things happened. */
  readonly times: PullerTimes;
  readonly #options: PullerOptions;
  readonly #outputs: PullerOutput[] = [];
  #phase: "handshake" | "granted" | "pulling" | "done" | "failed" = "handshake";
  #attempts: Attempts | undefined;
  #attemptsSince: number;
  #flow: Flow | undefined;
  #renewAt = Infinity;
  #tokenLost = false;
  #to: Address | undefined;
  /** When it last answered a handshake: that alone is no progress. */
  #answeredAt = -Infinity;
  /** Proved by a handshake, or named by the ticket: from then on it is never anybody else. */
  #exposerKey: Uint8Array | undefined;
  #grant: Grant | undefined;
  #manifest: Manifest | undefined;
  #plan: ChunkPlan | undefined;
  #hand: PiecesInHand | undefined;
  readonly #awaitingLeaves = new Map<number, { piece: number; sealed: Uint8Array }[]>();
  /** How many pieces those are. */
  #awaiting = 0;
  #heldBack: () => number = () => 0;
  #wrong = new Map<number, number>();
  #total = 0;
  #done = 0;
  readonly #found: Record<Found, number> = { "on disk": 0, shared: 0, nowhere: 0 };
  /** Whether more will be wanted, and whether the shell has been asked for it. */
  #more: "none" | "to come" | "awaited" = "none";
  #lastProgress: number;
  #stalled = false;

  /** Begins the handshake; the first packet is due at once. */
  constructor(now: number, options: PullerOptions) {
    this.#options = options;
    this.times = { startedAt: now };
    this.#lastProgress = now;
    this.#attemptsSince = now;
    this.#exposerKey = options.exposerKey;
    this.#shakeHands(now);
    this.#sendHandshakes(now);
  }

  /** How far it is. */
  get progress(): PullerProgress {
    const flow = this.#flow;
    return {
      total: this.#total,
      done: this.#done,
      reused: this.#found["on disk"],
      shared: this.#found.shared,
      wireBytes: flow?.bytesReceived ?? 0,
      symbolsReceived: flow?.symbolsReceived ?? 0,
      symbolsLost: flow?.symbolsLost ?? 0,
      roundTrip: flow?.roundTrip ?? 0,
    };
  }

  /** The newest grant, once there is one. */
  get grant(): Grant | undefined {
    return this.#grant;
  }

  /** Who serves it, once that is known. */
  get source(): Address | undefined {
    return this.#to;
  }

  /** What is kept at present: bounded, whatever comes. */
  get memory(): PullerMemory {
    return {
      pieces: this.#hand?.pieces ?? 0,
      awaitingLeaves: this.#awaiting,
      symbolsUnderWay: this.#flow?.underWay ?? 0,
      wrongPieces: this.#wrong.size,
    };
  }

  /** Starts to pull, after `granted`. */
  begin(now: number, { isMoreToCome = false, heldBack, ...plan }: PullBeginning): void {
    if (this.#phase !== "granted" || !this.#manifest || !this.#grant) {
      throw new RgtpError("INTERNAL", `begin() belongs after the grant, not in phase '${this.#phase}'`);
    }
    const manifest = this.#manifest;
    const chunks = chunkCount(manifest);
    this.#plan = new ChunkPlan({ chunks, ...plan });
    this.#hand = new PiecesInHand(manifest, this.#plan, this.#options.symbolSize ?? SYMBOL_SIZE);
    const { engine, random, burstPacketsMax, limitRate, trafficClass = "normal" } = this.#options;
    const roundTrip = this.#roundTrip;
    const common = {
      engine,
      grant: this.#grant,
      tag: random(8),
      roundTrip,
      burstPacketsMax,
      traffic: trafficClasses[trafficClass],
      drops: this.drops,
    };
    this.#flow = new Flow(now, this.#hand, limitRate === undefined ? common : { ...common, limitRate });
    this.#more = isMoreToCome ? "to come" : "none";
    if (heldBack) this.#heldBack = heldBack;
    this.#phase = "pulling";
    this.#addToTotal(plan.wanted ?? [{ first: 0, end: chunks }]);
    this.#lastProgress = now;
    this.#pump(now);
  }

  /** Pulls these chunks too, and then ends. After `wanting`; none of them may have been wanted before. */
  want(now: number, runs: readonly ChunkRun[]): void {
    if (this.#ended) return;
    if (this.#more !== "awaited") throw new RgtpError("INTERNAL", "want() belongs after 'wanting'");
    this.#more = "none";
    this.#plan!.want(runs);
    this.#addToTotal(runs);
    this.#progressed(now);
    this.#pump(now);
  }

  /** A datagram has arrived. */
  handleDatagram(now: number, _from: Address, packet: Uint8Array): void {
    // What proves a packet is in it: no sender's address does.
    if (this.#ended) return this.drops.count("unexpected");
    if (isChunkData(packet)) return this.#handleSymbol(now, packet);
    const word = readWord(packet);
    if (!word) return this.drops.count("malformed");
    // The one packet that another version may say to us: that it is another version.
    if (word.version !== PROTOCOL_VERSION && word.type !== PacketType.REFUSAL) {
      return this.drops.count("other version");
    }
    const handler = this.#handlers[word.type];
    if (handler) handler(now, packet);
    else this.drops.count("unexpected");
  }

  /** A piece was verified, opened and stored (`ok`), or is not what the exposure holds. */
  handleOpened(now: number, piece: number, ok: boolean): void {
    this.#hand?.settle(piece);
    // Silence while the shell was at work was not the network's.
    this.#progressed(now);
    if (ok) this.#wrong.delete(piece);
    else this.#blame(piece);
    if (piece >= PAGE_BIT) this.#settlePage(piece - PAGE_BIT, ok);
    else this.#settleChunk(piece, ok);
    this.#pump(now);
  }

  /** A chunk that could be checked is the exposure's and stored, or must be pulled. */
  handleChecked(now: number, chunk: number, found: Found): void {
    this.#hand?.settleCheck();
    this.#progressed(now);
    if (this.#manifest) this.#found[found] += chunkBytes(this.#manifest, chunk);
    this.#settleChunk(chunk, found !== "nowhere");
    this.#pump(now);
  }

  /** See {@linkcode Machine.handleTimeout}. */
  handleTimeout(now: number): void {
    if (this.#ended) return;
    this.#sendHandshakes(now);
    this.#handleFlowTimeout(now);
    this.#checkStall(now);
    this.#pump(now);
  }

  /** See {@linkcode Machine.deadline}. */
  get deadline(): number {
    if (this.#ended) return Infinity;
    const stall = this.#waitsForUs
      ? Infinity
      : this.#lastProgress + (this.#stalled ? this.#patience : Math.min(STALL_NOTICE_MS, this.#patience));
    return Math.min(stall, this.#attempts?.deadline ?? this.#renewAt, this.#flow?.deadline ?? Infinity);
  }

  /** See {@linkcode Machine.poll}. */
  poll(): PullerOutput | undefined {
    return this.#outputs.shift();
  }

  readonly #handlers: Readonly<Record<number, (now: number, packet: Uint8Array) => void>> = {
    [PacketType.HANDSHAKE]: (now, packet) => this.#handleHandshake(now, packet),
    [PacketType.RETRY]: (now, packet) => this.#handleRetry(now, packet),
    [PacketType.REFUSAL]: (now, packet) => this.#handleRefusal(now, packet),
    [PacketType.EXPOSURE_COMPLETE]: (_now, packet) => this.#handleComplete(packet),
    [PacketType.KEEPALIVE]: (_now, packet) => this.#handleEcho(packet),
  };

  get #ended(): boolean {
    return this.#phase === "done" || this.#phase === "failed";
  }

  get #patience(): number {
    return this.#phase === "handshake" ? this.#options.handshakeTimeoutMs : this.#options.timeoutMs;
  }

  /** The shell has work of ours, or our own limit holds: silence is not the network's then. */
  get #waitsForUs(): boolean {
    // What waits for its leaves, or for pieces before it, is not with the shell: they come from the network.
    return this.#phase === "granted" || this.#more === "awaited" ||
      (this.#hand?.opening ?? 0) > this.#awaiting + this.#heldBack() || this.#flow?.waitsForLimit === true;
  }

  #roundTrip = 0;

  #shakeHands(now: number): void {
    const { engine, random, staticPrivate, exposureId, ticket, addresses } = this.#options;
    const exposerKey = this.#exposerKey;
    const ask = { kind: 0, exposureId, ticketId: ticket?.id ?? new Uint8Array(8) };
    this.#attemptsSince = now;
    this.#attempts = new Attempts(now, addresses, {
      engine,
      random,
      staticPrivate,
      ask,
      ...(exposerKey && { exposerKey }),
      ...(ticket && { psk: ticket.psk }),
    });
  }

  #sendHandshakes(now: number): void {
    if (!this.#attempts && now >= this.#renewAt) this.#shakeHands(now);
    for (const packet of this.#attempts?.due(now) ?? []) this.#outputs.push({ kind: "send", ...packet });
  }

  #handleHandshake(now: number, packet: Uint8Array): void {
    const result = this.#attempts?.handle(now, packet);
    if (!result) return this.drops.count("unexpected");
    if (result === "next") return this.#sendHandshakes(now);
    const { answer, address } = result;
    if (!answer.granted) return this.#handleDenial(address, answer.reason);
    this.#attempts = undefined;
    this.#renewAt = now + answer.grant.tokenLifeSeconds * 1000 * RENEW_AT_SHARE;
    this.#roundTrip = result.roundTrip;
    this.#to = address;
    this.#exposerKey = result.exposerKey;
    this.#answeredAt = now;
    if (this.#phase === "handshake") this.#handleGrant(now, answer.grant, result.exposerKey);
    else if (!equalBytes(answer.grant.manifest, this.#grant!.manifest)) {
      this.#fail(forgedGrant("another manifest"));
    } else this.#renew(now, answer.grant);
  }

  #handleGrant(now: number, grant: Grant, exposerKey: Uint8Array): void {
    const { engine, exposureId: wanted } = this.#options;
    if (!equalBytes(exposureId(engine, grant.manifest), wanted)) {
      return this.#fail(forgedGrant("another exposure"));
    }
    let manifest: Manifest;
    try {
      manifest = decodeManifest(grant.manifest);
    } catch (error) {
      if (error instanceof RgtpError) return this.#fail(error);
      throw error;
    }
    if (!equalBytes(keyCheck(engine, grant.exposureKey), manifest.keyCheck)) {
      return this.#fail(forgedGrant("another key"));
    }
    this.#progressed(now);
    this.#grant = grant;
    this.#manifest = manifest;
    this.#phase = "granted";
    this.times.grantedAt = now;
    this.#outputs.push({ kind: "granted", grant, manifest, exposerKey });
  }

  #renew(now: number, grant: Grant): void {
    this.#grant = grant;
    this.#flow?.renew(now, grant, this.#tokenLost);
    this.#tokenLost = false;
    this.#pump(now);
  }

  #handleDenial(from: Address, reason: number): void {
    if (reason === DenialReason.BUSY) return;
    if (reason === DenialReason.SOURCE_CHANGED) return this.#fail(sourceChanged(formatAddress(from)));
    this.#fail(denied(formatAddress(from), this.#options.ticket !== undefined));
  }

  #handleRetry(now: number, packet: Uint8Array): void {
    const message = retry.decode(packet);
    if (!message) return this.drops.count("malformed");
    if (!this.#attempts?.handleRetry(now, message.exchange, message.cookie)) {
      return this.drops.count("unexpected");
    }
    this.#sendHandshakes(now);
  }

  /** A refusal without our MAC is a hint: it can bring a handshake about, never an error. */
  #handleRefusal(now: number, packet: Uint8Array): void {
    const message = refusal.decode(packet);
    if (!message) return this.drops.count("malformed");
    const hint = HINTS[message.field];
    if (hint && this.#attempts?.handleHint(message.echo, hint)) {
      if (this.#phase === "handshake" && this.#attempts.wrongExposer) {
        this.#fail(silenceError(this.#silence));
      }
      return;
    }
    if (!this.#flow || !equalBytes(message.echo, this.#flow.tag)) return this.drops.count("wrong tag");
    if (message.field === RefusalReason.TOKEN) return this.#renewSoon(now);
    if (message.field !== RefusalReason.SOURCE_CHANGED) return this.drops.count("unexpected");
    if (!this.#isFromSource(packet, refusal.size)) return this.drops.count("wrong mac");
    this.#fail(sourceChanged(this.#source));
  }

  /** Nothing depends on an echo; whether it is one is looked at all the same, so that what is forged is counted. */
  #handleEcho(packet: Uint8Array): void {
    const message = keepaliveEcho.decode(packet);
    if (!message || !this.#flow) return this.drops.count("unexpected");
    if (!equalBytes(message.tag, this.#flow.tag)) return this.drops.count("wrong tag");
    if (!this.#isFromSource(packet, keepaliveEcho.size)) this.drops.count("wrong mac");
  }

  #handleComplete(packet: Uint8Array): void {
    const message = complete.decode(packet);
    if (!message || !this.#flow) return this.drops.count("unexpected");
    if (!equalBytes(message.tag, this.#flow.tag)) return this.drops.count("wrong tag");
    if (!this.#isFromSource(packet, complete.size)) return this.drops.count("wrong mac");
    if (message.field !== CompleteReason.WITHDRAWN || this.#ended) return;
    this.#fail(withdrawn());
  }

  #isFromSource(packet: Uint8Array, size: number): boolean {
    return packet.length === size + MAC_BYTES &&
      packetMacIsRight(this.#options.engine, this.#flow!.pullKey, packet);
  }

  /** The present token seems to be good no longer, and with it what is under way. */
  #renewSoon(now: number): void {
    this.#tokenLost = true;
    if (this.#attempts || now - this.#attemptsSince < HANDSHAKE_EVERY_MS) return;
    this.#shakeHands(now);
    this.#sendHandshakes(now);
  }

  #handleSymbol(now: number, packet: Uint8Array): void {
    if (!this.#flow || this.#phase !== "pulling") return this.drops.count("unexpected");
    const received = this.#flow.symbolsReceived;
    const assembly = this.#flow.handleSymbol(now, packet);
    if (this.#flow.symbolsReceived > received) this.#progressed(now);
    if (assembly) this.#open(assembly);
    this.#request(now);
  }

  #open(assembly: Assembly): void {
    const sealed = this.#hand!.complete(assembly);
    const { piece } = assembly;
    const page = Math.floor(piece / PAGE_LEAVES);
    if (piece >= PAGE_BIT || this.#plan!.leavesHere(page)) {
      this.#outputs.push({ kind: "open", piece, sealed });
      return;
    }
    this.#awaiting++;
    const waiting = this.#awaitingLeaves.get(page);
    if (waiting) waiting.push({ piece, sealed });
    else this.#awaitingLeaves.set(page, [{ piece, sealed }]);
  }

  #settlePage(page: number, ok: boolean): void {
    this.#plan?.settlePage(page, ok);
    if (!ok) return;
    for (const waiting of this.#awaitingLeaves.get(page) ?? []) {
      this.#awaiting--;
      this.#outputs.push({ kind: "open", ...waiting });
    }
    this.#awaitingLeaves.delete(page);
  }

  #settleChunk(chunk: number, ok: boolean): void {
    const page = this.#plan?.settleChunk(chunk, ok);
    // A later wish may be on the same page.
    if (page !== undefined && this.#more === "none") this.#outputs.push({ kind: "pageDone", page });
    if (ok && this.#manifest) this.#done += chunkBytes(this.#manifest, chunk);
  }

  #addToTotal(runs: readonly ChunkRun[]): void {
    const { totalSize, chunkSize } = this.#manifest!;
    for (const { first, end } of runs) {
      this.#total += Math.max(0, Math.min(totalSize, end * chunkSize) - first * chunkSize);
    }
  }

  /** A piece that is not the exposure's is pulled again; a source that gives only such is given up. */
  #blame(piece: number): void {
    this.drops.count("wrong chunk");
    const times = (this.#wrong.get(piece) ?? 0) + 1;
    this.#wrong.set(piece, times);
    if (times < WRONG_PIECES_MAX) return;
    const what = piece >= PAGE_BIT ? `leaf page ${piece - PAGE_BIT}` : `chunk ${piece}`;
    this.#fail(wrongPiece(what, this.#source, times));
  }

  #handleFlowTimeout(now: number): void {
    const flow = this.#flow;
    if (!flow || this.#phase !== "pulling" || now < flow.deadline) return;
    if (flow.waitsForLimit) this.#progressed(now);
    const event = flow.handleTimeout(now);
    if (event === "keepalive") {
      this.#outputs.push({ kind: "send", to: this.#to!, bytes: flow.keepalive(now) });
    }
    if (event !== "lost") return;
    // A handshake has come through since the last symbol, so small packets pass: perhaps larger ones do not.
    const silent = flow.fullSymbolsUnderGrant === 0 && flow.silentTimeouts > 1 &&
      now - flow.lastFullSymbolAt > BLACK_HOLE_MS;
    if (silent && this.#hand!.symbolSize > SYMBOL_SIZE_SAFE) {
      flow.forget();
      this.#hand!.restart(SYMBOL_SIZE_SAFE);
    }
    if (flow.silentTimeouts >= SILENT_TIMEOUTS_MAX) this.#renewSoon(now);
  }

  #checkStall(now: number): void {
    if (this.#ended || this.#waitsForUs) return;
    // Reckoned as `deadline` does: a difference may be rounded to just less than what it must reach.
    if (now >= this.#lastProgress + this.#patience) return this.#fail(silenceError(this.#silence));
    if (now < this.#lastProgress + STALL_NOTICE_MS || this.#stalled) return;
    this.#stalled = true;
    this.#outputs.push({ kind: "stalled", reason: this.#silence.what });
  }

  #progressed(now: number): void {
    if (this.#ended) return;
    this.#lastProgress = now;
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#outputs.push({ kind: "resumed" });
  }

  get #silence(): Silence {
    return silence({
      isGranted: this.#phase !== "handshake",
      hasAnswered: this.#answeredAt > this.#lastProgress,
      isOtherVersion: this.#attempts?.otherVersion ?? false,
      isWrongExposer: this.#attempts?.wrongExposer ?? false,
      addresses: listed(this.#options.addresses),
      heard: listed(this.#attempts?.heard),
      strangers: listed(this.#attempts?.strangers),
      network: this.#options.network?.() ?? "",
      source: this.#source,
    });
  }

  get #source(): string {
    return this.#to ? formatAddress(this.#to) : "the exposer";
  }

  /** Asks for all that may be asked for now. */
  #request(now: number): void {
    for (let bytes = this.#flow!.nextRequest(now); bytes; bytes = this.#flow!.nextRequest(now)) {
      this.times.requestedAt ??= now;
      this.#outputs.push({ kind: "send", to: this.#to!, bytes });
    }
  }

  #pump(now: number): void {
    if (this.#phase !== "pulling") return;
    this.#request(now);
    for (let chunk = this.#hand!.takeCheck(); chunk !== undefined; chunk = this.#hand!.takeCheck()) {
      this.times.requestedAt ??= now;
      this.#outputs.push({ kind: "check", chunk });
    }
    if (!this.#plan!.finished || this.#more === "awaited") return;
    if (this.#more === "to come") {
      this.#more = "awaited";
      return void this.#outputs.push({ kind: "wanting" });
    }
    this.#phase = "done";
    this.times.finishedAt = now;
    this.times.requestedAt ??= now;
    // A courtesy that may get lost: an exposer that hears none of them notices the silence later.
    for (let i = 0; i < 3; i++) {
      this.#outputs.push({ kind: "send", to: this.#to!, bytes: this.#flow!.doneRequest(now) });
    }
    this.#outputs.push({ kind: "done" });
  }

  #fail(error: RgtpError): void {
    if (this.#ended) return;
    this.#phase = "failed";
    this.#outputs.push({ kind: "failed", error });
  }
}
