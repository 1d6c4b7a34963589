/*
 * The puller, sans-IO: handshake, then requests until everything wanted is here and verified. It holds sealed bytes only while it puts
 * them together; opening, checking and storing are its shell's work, and it is told what came of them.
 */
import { formatAddress, isLoopback } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import {
  complete,
  CompleteReason,
  keepaliveEcho,
  refusal,
  RefusalReason,
  retry,
} from "../../codec/control.ts";
import { AskKind, DenialReason, holdsNoKey } from "../../codec/grant.ts";
import type { Grant } from "../../codec/grant.ts";
import { decodeHave } from "../../codec/listing.ts";
import { decodeManifest } from "../../codec/manifest.ts";
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
import { Fifo } from "../../core/fifo.ts";
import type { Machine } from "../../core/machine.ts";
import { exposureId, keyCheck } from "../../crypto/key_schedule.ts";
import type { Assembly } from "./assembly.ts";
import { Blame } from "./blame.ts";
import type { ChunkRun } from "./chunk_plan.ts";
import { Delivery } from "./delivery.ts";
import { DropCounter } from "./drops.ts";
import { NO_KEY } from "./exposed.ts";
import { Flow } from "./flow.ts";
import { GroupPull } from "./group_pull.ts";
import {
  denied,
  forgedGrant,
  lied,
  listed,
  noKey,
  silence,
  silenceError,
  sourceChanged,
  STALL_NOTICE_MS,
  withdrawn,
  wrongPiece,
} from "./pull_failures.ts";
import type { Silence } from "./pull_failures.ts";
import type {
  Found,
  PullBeginning,
  PullerMemory,
  PullerOptions,
  PullerOutput,
  PullerProgress,
  PullerTimes,
} from "./puller_types.ts";
import type { Source, SourceAnswer } from "./source.ts";
import { Sources } from "./sources.ts";
import type { SourceStatus } from "./sources.ts";
import { TokenBucket } from "./token_bucket.ts";
import { trafficClasses } from "./traffic_class.ts";

const SYMBOL_SIZE = 1428;
const SYMBOL_SIZE_SAFE = 1200;
/** After this without a symbol of full size the path may not carry them. */
const BLACK_HOLE_MS = 500;
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
  readonly #outputs = new Fifo<PullerOutput>();
  #phase: "handshake" | "granted" | "pulling" | "done" | "failed" = "handshake";
  readonly #sources: Sources;
  #manifestBytes: Uint8Array | undefined;
  #manifest: Manifest | undefined;
  #key: Uint8Array | undefined;
  #delivery: Delivery | undefined;
  /** A limit over all sources. */
  #limit: TokenBucket | undefined;
  readonly #blame = new Blame();
  readonly #group: GroupPull;
  #lastProgress: number;
  #stalled = false;
  /** The source whose symbols came last, until what follows from them is done; and when they came. */
  #arriving: Source | undefined;
  #arrivedAt = 0;

  /** Begins the handshakes; the first packet is due at once. */
  constructor(now: number, options: PullerOptions) {
    this.#options = options;
    this.times = { startedAt: now };
    this.#lastProgress = now;
    this.#group = new GroupPull(options, this.drops, (output) => this.#outputs.push(output));
    this.#key = options.exposureKey;
    const kind = options.isSealed ? AskKind.SEALED : AskKind.ID;
    const { exposureId, others = [] } = options;
    const ask = (ticketId: Uint8Array) => ({ kind, exposureId, ticketId });
    this.#sources = new Sources(now, [options, ...others], { ...options, ask });
    this.#sendHandshakes(now);
  }

  /** How far it is. */
  get progress(): PullerProgress {
    const flows = this.#sources.flows;
    const sum = (of: (flow: Flow) => number) => flows.reduce((all, flow) => all + of(flow), 0);
    return {
      total: this.#delivery?.total ?? 0,
      done: this.#delivery?.done ?? 0,
      reused: this.#delivery?.found["on disk"] ?? 0,
      shared: this.#delivery?.found.shared ?? 0,
      wireBytes: sum((flow) => flow.bytesReceived) + this.#group.bytesReceived,
      symbolsReceived: sum((flow) => flow.symbolsReceived) + this.#group.received,
      symbolsLost: sum((flow) => flow.symbolsLost) + this.#group.lost,
      roundTrip: Math.min(...flows.map((flow) => flow.roundTrip), flows.length > 0 ? Infinity : 0),
    };
  }

  /** The newest grant of whoever serves it, once there is one. */
  get grant(): Grant | undefined {
    return this.#sources.all.find(({ address }) => address)?.grant;
  }

  /** Who serves it, once that is known: the first that did. */
  get source(): Address | undefined {
    return this.#sources.all.find(({ address }) => address)?.address;
  }

  /** All who have granted it, and what came from each. */
  get sources(): SourceStatus[] {
    return this.#sources.status;
  }

  /** What is kept at present: bounded, whatever comes. */
  get memory(): PullerMemory {
    return {
      pieces: this.#delivery?.hand.pieces ?? 0,
      awaitingLeaves: this.#delivery?.awaitingLeaves ?? 0,
      symbolsUnderWay: this.#sources.flows.reduce((sum, flow) => sum + flow.underWay, 0),
      wrongPieces: this.#blame.wrongPieces,
    };
  }

  /** Starts to pull, after `granted`. */
  begin(now: number, beginning: PullBeginning): void {
    if (this.#phase !== "granted" || !this.#manifest) {
      throw new RgtpError("INTERNAL", `begin() belongs after the grant, not in phase '${this.#phase}'`);
    }
    const { limitRate, joinsGroups, symbolSize = SYMBOL_SIZE } = this.#options;
    const caster = joinsGroups ? this.#sources.alive.find(({ grant }) => grant?.group) : undefined;
    const group = caster?.grant?.group;
    this.#delivery = new Delivery(
      this.#manifest,
      beginning,
      group?.symbolSize ?? symbolSize,
      (output) => this.#outputs.push(output),
    );
    if (limitRate !== undefined && this.#sources.all.length > 1) {
      this.#limit = new TokenBucket(limitRate, Math.max(16_384, limitRate / 50), now);
    }
    this.#phase = "pulling";
    for (const source of this.#sources.alive) this.#join(now, source);
    if (caster && group) this.#group.offer(caster, group, this.#delivery.hand);
    else this.#sources.spreadFrom(now);
    this.#lastProgress = now;
    this.#pump(now);
  }

  /** After `join`: what is sent to the group arrives here from now on; or (`ok` false) it cannot be listened to. */
  joined(now: number, ok: boolean): void {
    if (this.#phase !== "pulling") return;
    this.times.requestedAt ??= now;
    this.#group.joined(now, ok);
    this.#pump(now);
  }

  /** Pulls these chunks too, and then ends. After `wanting`; none of them may have been wanted before. */
  want(now: number, runs: readonly ChunkRun[]): void {
    if (this.#ended) return;
    if (!this.#delivery?.isAsked) throw new RgtpError("INTERNAL", "want() belongs after 'wanting'");
    this.#delivery.want(runs);
    this.#progressed(now);
    this.#pump(now);
  }

  /** The plan that `begin` was given has more to pull. */
  lookAgain(now: number): void {
    if (this.#phase !== "pulling") return;
    this.#progressed(now);
    this.#pump(now);
  }

  /** A datagram has arrived. Of several that came together, symbols above all, what follows is done once: with the first `poll`. */
  handleDatagram(now: number, _from: Address, packet: Uint8Array): void {
    // What proves a packet is in it: no sender's address does.
    if (this.#ended) return this.drops.count("unexpected");
    if (isChunkData(packet)) return this.#handleSymbol(now, packet);
    this.#settleArrivals();
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
    if (!ok) this.#accuse(now, piece);
    // Whoever had a share in a wrong copy of it, and sent something else than what is right, is known now.
    else for (const liar of this.#blame.acquit(piece)) this.#convict(now, liar, wordOf(piece));
    this.#delivery?.hand.settle(piece);
    if (this.#ended) return;
    // Silence while the shell was at work was not the network's.
    this.#progressed(now);
    this.#delivery?.settle(piece, ok);
    this.#pump(now);
  }

  /** A chunk that could be checked is the exposure's and stored, or must be pulled. */
  handleChecked(now: number, chunk: number, found: Found): void {
    this.#progressed(now);
    this.#delivery?.settleCheck(chunk, found);
    this.#pump(now);
  }

  /** See {@linkcode Machine.handleTimeout}. */
  handleTimeout(now: number): void {
    if (this.#ended) return;
    if (!this.#delivery?.plan.finished) this.#sources.handleTimeout(now);
    this.#sendHandshakes(now);
    for (const source of this.#sources.alive) this.#handleFlowTimeout(now, source);
    this.#group.handleTimeout(now);
    this.#checkStall(now);
    this.#pump(now);
  }

  /** See {@linkcode Machine.deadline}. */
  get deadline(): number {
    if (this.#ended) return Infinity;
    const stall = this.#waitsForUs
      ? Infinity
      : this.#lastProgress + (this.#stalled ? this.#patience : Math.min(STALL_NOTICE_MS, this.#patience));
    return Math.min(stall, this.#sources.deadline, this.#group.deadline);
  }

  /** See {@linkcode Machine.poll}. */
  poll(): PullerOutput | undefined {
    this.#settleArrivals();
    return this.#outputs.shift();
  }

  readonly #handlers: Readonly<Record<number, (now: number, packet: Uint8Array) => void>> = {
    [PacketType.HANDSHAKE]: (now, packet) => this.#handleHandshake(now, packet),
    [PacketType.RETRY]: (now, packet) => this.#handleRetry(now, packet),
    [PacketType.REFUSAL]: (now, packet) => this.#handleRefusal(now, packet),
    [PacketType.EXPOSURE_COMPLETE]: (now, packet) => this.#handleComplete(now, packet),
    [PacketType.KEEPALIVE]: (_now, packet) => this.#handleEcho(packet),
    [PacketType.GROUP_STATUS]: (now, packet) => this.#handleGroupStatus(now, packet),
    [PacketType.HAVE]: (now, packet) => this.#handleHave(now, packet),
  };

  get #ended(): boolean {
    return this.#phase === "done" || this.#phase === "failed";
  }

  get #patience(): number {
    return this.#phase === "handshake" ? this.#options.handshakeTimeoutMs : this.#options.timeoutMs;
  }

  /** The shell has work of ours, or our own limit holds: silence is not the network's then. */
  get #waitsForUs(): boolean {
    return this.#phase === "granted" || this.#delivery?.isWithShell === true ||
      this.#sources.waitsForLimit;
  }

  #sendHandshakes(now: number): void {
    for (const source of this.#sources.alive) {
      for (const packet of source.due(now)) this.#outputs.push({ kind: "send", ...packet });
    }
  }

  #handleHandshake(now: number, packet: Uint8Array): void {
    for (const source of this.#sources.alive) {
      const answer = source.handleHandshake(now, packet);
      if (answer) return this.#handleAnswer(now, source, answer);
    }
    this.drops.count("unexpected");
  }

  #handleAnswer(now: number, source: Source, answer: SourceAnswer): void {
    if (answer === "part") return;
    if (answer === "next") return this.#sendHandshakes(now);
    if (!answer.granted) return this.#handleDenial(now, source, answer.from, answer.reason);
    if (this.#sources.isDouble(source, answer.grant)) return this.#drop(now, source, undefined);
    const isFirst = this.#manifestBytes === undefined;
    const wrong = this.#takeGrant(answer.grant);
    if (wrong) return this.#drop(now, source, wrong);
    source.accept(now, answer.grant);
    if (isFirst) this.#progressed(now);
    if (this.#phase === "handshake") this.#grantIfReady(now, source);
    else if (this.#phase === "pulling") {
      this.#join(now, source);
      this.#pump(now);
    }
  }

  /** What a grant says of the exposure: the same as the ID says, from whomever it comes. Answers with what is wrong. */
  #takeGrant(grant: Grant): RgtpError | undefined {
    const { engine, exposureId: wanted, isSealed } = this.#options;
    if (!this.#manifestBytes) {
      if (!equalBytes(exposureId(engine, grant.manifest), wanted)) return forgedGrant("another exposure");
      try {
        this.#manifest = decodeManifest(grant.manifest);
      } catch (error) {
        if (error instanceof RgtpError) return error;
        throw error;
      }
      this.#manifestBytes = grant.manifest;
    } else if (!equalBytes(grant.manifest, this.#manifestBytes)) return forgedGrant("another manifest");
    if (isSealed || holdsNoKey(grant)) return undefined;
    if (!equalBytes(keyCheck(engine, grant.exposureKey), this.#manifest!.keyCheck)) {
      return forgedGrant("another key");
    }
    this.#key ??= grant.exposureKey;
    return undefined;
  }

  /** The pull can begin as soon as somebody has granted it and somebody has given the key. */
  #grantIfReady(now: number, { grant, exposerKey }: Source): void {
    const { isSealed } = this.#options;
    if (!isSealed && !this.#key) {
      if (this.#sources.alive.every((source) => source.grant)) this.#fail(noKey(this.#names));
      return;
    }
    const key = this.#key ?? NO_KEY;
    if (!isSealed && !equalBytes(keyCheck(this.#options.engine, key), this.#manifest!.keyCheck)) {
      return this.#fail(forgedGrant("another key"));
    }
    this.#progressed(now);
    this.#phase = "granted";
    this.times.grantedAt = now;
    const whole = { ...grant!, exposureKey: key };
    this.#outputs.push({ kind: "granted", grant: whole, manifest: this.#manifest!, exposerKey: exposerKey! });
  }

  /** A source that has granted is asked for pieces from now on. */
  #join(now: number, source: Source): void {
    const { engine, random, burstPacketsMax, limitRate, trafficClass = "normal" } = this.#options;
    if (source.flow || !source.grant) return;
    const { burstPacketsFirst = burstPacketsMax } = this.#options;
    // All of them arrive at one socket.
    const shareOf = (packets: number) => Math.ceil(packets / this.#sources.alive.length);
    source.flow = new Flow(now, this.#delivery!.hand, {
      engine,
      grant: source.grant,
      tag: random(8),
      roundTrip: source.roundTrip,
      burstPacketsMax: shareOf(burstPacketsMax),
      burstPacketsFirst: shareOf(burstPacketsFirst),
      traffic: trafficClasses[trafficClass],
      isLoopback: isLoopback(source.address!.host),
      drops: this.drops,
      source: source.number,
      ...(this.#limit ? { sharedLimit: this.#limit } : limitRate !== undefined && { limitRate }),
    });
    if (source.number > 0) this.#outputs.push({ kind: "joined", source: source.address! });
  }

  #handleDenial(now: number, source: Source, from: Address, reason: number): void {
    if (reason === DenialReason.BUSY) return;
    const where = formatAddress(from);
    const changed = reason === DenialReason.SOURCE_CHANGED;
    this.#drop(now, source, changed ? sourceChanged(where) : denied(where, source.hasTicket));
  }

  #handleRetry(now: number, packet: Uint8Array): void {
    const message = retry.decode(packet);
    if (!message) return this.drops.count("malformed");
    if (!this.#sources.alive.some(({ attempts }) => attempts?.handleRetry(now, message))) {
      return this.drops.count("unexpected");
    }
    this.#sendHandshakes(now);
  }

  /** A refusal without our MAC is a hint: it can bring a handshake about, never an error. */
  #handleRefusal(now: number, packet: Uint8Array): void {
    const message = refusal.decode(packet);
    if (!message) return this.drops.count("malformed");
    const hint = HINTS[message.field];
    const hinted = hint &&
      this.#sources.alive.find(({ attempts }) => attempts?.handleHint(message.echo, hint));
    if (hinted) {
      const isStranger = this.#phase === "handshake" && hinted.attempts!.wrongExposer;
      if (isStranger) this.#drop(now, hinted, silenceError(this.#silenceOf([hinted])));
      return;
    }
    const source = this.#sources.withTag(message.echo);
    if (!source) return this.drops.count("wrong tag");
    if (message.field === RefusalReason.TOKEN) {
      source.renewSoon(now);
      return this.#sendHandshakes(now);
    }
    if (message.field !== RefusalReason.SOURCE_CHANGED) return this.drops.count("unexpected");
    if (!source.hasSent(packet, refusal.size)) return this.drops.count("wrong mac");
    this.#drop(now, source, sourceChanged(nameOf(source)));
  }

  /** Nothing depends on an echo; whether it is one is looked at all the same, so that what is forged is counted. */
  #handleEcho(packet: Uint8Array): void {
    this.#sender(packet, keepaliveEcho.decode(packet), keepaliveEcho.size);
  }

  #handleComplete(now: number, packet: Uint8Array): void {
    const message = complete.decode(packet);
    const source = this.#sender(packet, message, complete.size);
    if (source && message!.field === CompleteReason.WITHDRAWN) this.#drop(now, source, withdrawn());
  }

  /** What a source has; whatever it brings, it brings no more than that. */
  #handleHave(now: number, packet: Uint8Array): void {
    const message = decodeHave(packet);
    const source = this.#sender(packet, message, packet.length - MAC_BYTES);
    if (!source) return;
    source.heardAt = now;
    if (source.flow!.holdings.update(now, message!.runs)) this.#progressed(now);
    source.flow!.handleHoldings(now);
    this.#pump(now);
  }

  /** Who has sent a control packet, with the right MAC. */
  #sender(packet: Uint8Array, message: { tag: Uint8Array } | undefined, size: number): Source | undefined {
    if (!message || this.#sources.flows.length === 0) return void this.drops.count("unexpected");
    const source = this.#sources.withTag(message.tag);
    if (!source) return void this.drops.count("wrong tag");
    return source.hasSent(packet, size) ? source : void this.drops.count("wrong mac");
  }

  #handleSymbol(now: number, packet: Uint8Array): void {
    if (this.#phase !== "pulling") return this.drops.count("unexpected");
    if (this.#group.owns(packet)) return this.#handleGroupSymbol(now, packet);
    const source = this.#sources.ofSymbol(packet);
    if (!source) return this.drops.count("wrong tag");
    if (source !== this.#arriving) {
      this.#settleArrivals();
      this.#arriving = source;
    }
    if (now !== this.#arrivedAt) this.#arrivedAt = now;
    const assembly = source.flow!.handleSymbol(now, packet);
    if (assembly) this.#complete(assembly);
  }

  /** Symbols of a source have come, together: what follows from them, and what to ask for next. */
  #settleArrivals(): void {
    const source = this.#arriving;
    if (!source) return;
    const now = this.#arrivedAt;
    this.#arriving = undefined;
    if (source.flow!.settleArrivals()) {
      source.heardAt = now;
      this.#progressed(now);
    }
    this.#request(now, source);
  }

  #handleGroupSymbol(now: number, packet: Uint8Array): void {
    const { isNew, whole } = this.#group.handleSymbol(now, packet);
    if (isNew) this.#progressed(now);
    if (whole) this.#complete(whole);
  }

  #handleGroupStatus(now: number, packet: Uint8Array): void {
    if (this.#group.handleStatus(now, packet)) this.#progressed(now);
    this.#pump(now);
  }

  #complete(assembly: Assembly): void {
    this.#blame.note(assembly);
    this.#delivery!.complete(assembly);
  }

  /** A piece that is not the exposure's is pulled again; a source that gives only such is given up. */
  #accuse(now: number, piece: number): void {
    this.drops.count("wrong chunk");
    this.#group.handleWrong();
    const { times, liars, isMixed } = this.#blame.accuse(piece, this.#delivery?.hand.opened(piece));
    if (times >= WRONG_PIECES_MAX) return this.#fail(wrongPiece(wordOf(piece), this.#names, times));
    if (isMixed) this.#delivery!.hand.pullAlone(piece);
    for (const number of liars) this.#convict(now, number, wordOf(piece));
  }

  /** Dropped as long as there is somebody else: the last one is tried again, since it may have been somebody on the way. */
  #convict(now: number, number: number, what: string): void {
    const source = this.#sources.alive.find((one) => one.number === number);
    if (!source || this.#sources.serving.length < 2) return;
    this.#drop(now, source, lied(nameOf(source), what));
  }

  /** A source is asked for nothing more; without another one, that is the end. Without an error it is one that we know already. */
  #drop(now: number, source: Source, error: RgtpError | undefined): void {
    if (this.#ended || source.isGone) return;
    this.#sources.drop(source);
    source.flow?.giveUp(now);
    this.#delivery?.hand.forget(source.number);
    const { alive } = this.#sources;
    const isKeyLost = this.#phase === "handshake" && !this.#options.isSealed && !this.#key &&
      alive.every((other) => other.grant);
    if (alive.length === 0 || isKeyLost) return this.#fail(error ?? noKey(nameOf(source)));
    if (error && !source.isTrial) this.#outputs.push({ kind: "dropped", source: nameOf(source), error });
    this.#pump(now);
  }

  #handleFlowTimeout(now: number, source: Source): void {
    const { flow } = source;
    if (!flow || source.isGone || this.#phase !== "pulling" || now < flow.deadline) return;
    if (flow.waitsForLimit) this.#progressed(now);
    const event = flow.handleTimeout(now);
    if (event === "keepalive") {
      this.#outputs.push({ kind: "send", to: source.address!, bytes: flow.keepalive(now) });
    }
    if (event !== "lost") return;
    // A handshake has come through since the last symbol, so small packets pass: perhaps larger ones do not.
    const silent = flow.fullSymbolsUnderGrant === 0 && flow.silentTimeouts > 1 &&
      now - flow.lastFullSymbolAt > BLACK_HOLE_MS;
    if (silent && this.#delivery!.hand.symbolSize > SYMBOL_SIZE_SAFE) {
      for (const other of this.#sources.flows) other.forget(now);
      this.#delivery!.hand.restart(SYMBOL_SIZE_SAFE);
    }
    if (this.#sources.canSpare(now, source)) {
      // Others go on with what it was asked for; it is asked again when it has shaken hands, or when something late comes.
      flow.giveUp(now);
      this.#delivery!.hand.leave(source.number);
      source.renewSoon(now);
    } else source.handleLost(now);
    this.#sendHandshakes(now);
  }

  #checkStall(now: number): void {
    if (this.#ended) return;
    for (const source of this.#sources.lost(now, this.#patience)) {
      this.#drop(now, source, silenceError(this.#silenceOf([source])));
    }
    if (this.#ended || this.#waitsForUs) return;
    // Reckoned as `deadline` does: a difference may be rounded to just less than what it must reach.
    if (now >= this.#lastProgress + this.#patience) return this.#fail(silenceError(this.#silence));
    if (now < this.#lastProgress + STALL_NOTICE_MS || this.#stalled) return;
    if (this.#group.handleStall()) return this.#progressed(now);
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
    return this.#silenceOf(this.#sources.alive.filter((source) => !source.isTrial));
  }

  #silenceOf(sources: readonly Source[]): Silence {
    const attempts = sources.flatMap((source) => source.attempts ?? []);
    return silence({
      isGranted: this.#phase !== "handshake",
      hasAnswered: sources.some(({ answeredAt }) => answeredAt > this.#lastProgress),
      isOtherVersion: attempts.some(({ otherVersion }) => otherVersion),
      isWrongExposer: attempts.length > 0 && attempts.every(({ wrongExposer }) => wrongExposer),
      addresses: listed(sources.flatMap(({ addresses }) => addresses)),
      heard: listed(attempts.flatMap(({ heard }) => heard)),
      strangers: listed(attempts.flatMap(({ strangers }) => strangers)),
      network: this.#options.network?.() ?? "",
      source: listed(sources.flatMap(({ address }) => address ?? [])) || "the exposer",
    });
  }

  /** Who has granted it, for messages. */
  get #names(): string {
    return listed(this.#sources.alive.flatMap(({ address }) => address ?? [])) || "the exposer";
  }

  /** Asks a source for all that may be asked for now. */
  #request(now: number, source: Source): void {
    const { flow, address, isGone } = source;
    if (!flow || isGone || this.#group.isMember || this.#sources.canSpare(now, source)) return;
    for (let bytes = flow.nextRequest(now); bytes; bytes = flow.nextRequest(now)) {
      this.#outputs.push({ kind: "send", to: address!, bytes });
    }
  }

  #pump(now: number): void {
    if (this.#phase !== "pulling") return;
    this.times.requestedAt ??= now;
    for (const source of this.#sources.alive) this.#request(now, source);
    if (!this.#delivery!.proceed()) return;
    this.#phase = "done";
    this.times.finishedAt = now;
    // A courtesy that may get lost: an exposer that hears none of them notices the silence later.
    for (const { flow, address } of this.#sources.serving) {
      for (let i = 0; i < 3; i++) {
        this.#outputs.push({ kind: "send", to: address!, bytes: flow!.doneRequest(now) });
      }
    }
    this.#outputs.push({ kind: "done" });
  }

  #fail(error: RgtpError): void {
    if (this.#ended) return;
    this.#phase = "failed";
    this.#outputs.push({ kind: "failed", error });
  }
}

function wordOf(piece: number): string {
  return piece >= PAGE_BIT ? `leaf page ${piece - PAGE_BIT}` : `chunk ${piece}`;
}

function nameOf({ address, addresses }: Source): string {
  return listed(address ? [address] : addresses);
}
