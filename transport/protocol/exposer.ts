/*
 * The exposer, sans-IO: answers handshakes without keeping state, and requests from soft state that expires in seconds.
 * It never sees a chunk's bytes: it says which symbols to send to whom, and the shell stamps and sends them from a store.
 */
import { addressBytes } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import {
  complete,
  CompleteReason,
  keepalive,
  keepaliveEcho,
  rateReport,
  refusal,
  RefusalReason,
} from "../../codec/control.ts";
import { symbolSizes } from "../../codec/geometry.ts";
import { MAC_BYTES, PacketType, PROTOCOL_VERSION, readWord } from "../../codec/packet.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest, RequestEntry } from "../../codec/pull_request.ts";
import { equalBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { Machine } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMac, packetMacIsRight, TokenMint } from "../../crypto/tokens.ts";
import { AnswerQueue } from "./answer_queue.ts";
import { answersOf, coldPieces, newSections, requestCeiling } from "./answers.ts";
import { DropCounter } from "./drops.ts";
import { holdsStill, meantBy } from "./exposed.ts";
import type { Exposed } from "./exposed.ts";
import type {
  ExposerMemory,
  ExposerOptions,
  ExposerOutput,
  HandshakeOutcome,
  PullerStatus,
} from "./exposer_types.ts";
import { GroupCasts } from "./group_casts.ts";
import { HandshakeQueue } from "./handshake_queue.ts";
import { HaveTeller } from "./have_teller.ts";
import { LiveToken } from "./live_token.ts";
import { outcomeOf, Responder } from "./responder.ts";
import type { HandshakeReply } from "./responder.ts";
import { TokenBucket } from "./token_bucket.ts";
import { WorkMeter } from "./work_meter.ts";

// Sends under way at once: what the largest request asks for of chunks of usual size, 16 and a part at either end, so that it can go out
// together. A puller that arrives waits for no more than these.
export const SERVES_AT_ONCE = 18;
// Handshakes come after pulls, but a crowd of pulls does not lock newcomers out.
const ANSWERS_PER_HANDSHAKE = 32;
const SWEEP_MS = 5000;
/** What an exposer sends and nobody answers. */
const UNANSWERED: ReadonlySet<number> = new Set([
  PacketType.REFUSAL,
  PacketType.RETRY,
  PacketType.CHUNK_DATA,
]);
// Far below the age at which a receipt is stale.
const RECEIPT_EVERY_MS = 500;

/** The exposer's machine. See {@linkcode Machine} for how it is driven. */
export class ExposerMachine implements Machine<ExposerOutput> {
  /** Packets dropped, by reason. */
  readonly drops: DropCounter = new DropCounter();
  /** Handshake packets, by what came of them. */
  readonly handshakes: Record<HandshakeOutcome, number> = { granted: 0, answered: 0, denied: 0, dropped: 0 };
  /** Its multicast groups, to look at. */
  readonly groups: GroupCasts;
  readonly #engine: Engine;
  readonly #mint: TokenMint;
  readonly #responder: Responder;
  readonly #limiter: TokenBucket | undefined;
  readonly #pullRateMax: number;
  readonly #exposures = new Map<string, Exposed>();
  readonly #live = new Map<string, LiveToken>();
  readonly #queue: AnswerQueue;
  readonly #outputs: ExposerOutput[] = [];
  readonly #handshakes = new HandshakeQueue();
  readonly #lastRefusal = new Map<string, number>();
  /** What all pullers together make it do beside sending. */
  readonly #work: WorkMeter;
  readonly #have = new HaveTeller(
    (live) => this.#macOf(live),
    (live, bytes) => this.#outputs.push({ kind: "send", to: live.address, bytes }),
  );
  #serving = 0;
  #answersSinceHandshake = 0;
  #isDraining = false;
  #bytesSent = 0;
  #sweepAt = Infinity;
  /** When the secrets are dead that the last handshake used: they are overwritten, though nobody comes any more. */
  #secretsUntil = -Infinity;
  #now: number;

  /** Nothing is exposed yet; `now` is monotonic ms. */
  constructor(now: number, options: ExposerOptions) {
    this.#now = now;
    this.#engine = options.engine;
    this.#pullRateMax = options.pullRateMax ?? 0;
    // Who shares a rate with others has short turns.
    this.#queue = new AnswerQueue(options.limitRate ? 1 : SERVES_AT_ONCE);
    this.#work = new WorkMeter(limits.coldTotalBytesPerSecond, limits.coldTotalBurstBytesMax, now);
    this.groups = new GroupCasts(options.engine, options.limitRate);
    this.#mint = new TokenMint(options.engine, options.random, now);
    this.#responder = new Responder({
      ...options,
      // Told to pullers, so that they ask for no more than will come; a limit over all is one for each as well.
      pullRateMax: Math.min(options.pullRateMax ?? Infinity, options.limitRate ?? Infinity),
      mint: this.#mint,
      find: (id) => this.#exposures.get(id.toHex()),
      findNamed: (name) => meantBy(name, [...this.#exposures.values()]),
      findLists: () => [...this.#exposures.values()].filter((exposed) => exposed.isList),
      decoy: () => this.#exposures.values().find((exposed) => exposed.isAccessPure),
    });
    this.#limiter = options.limitRate
      ? new TokenBucket(options.limitRate, Math.max(16_384, options.limitRate / 50), now)
      : undefined;
  }

  /** Bytes of CHUNK_DATA handed out so far. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** What is kept for others at present: all of it is bounded, and gone soon after they are. */
  get memory(): ExposerMemory {
    return {
      liveTokens: this.#live.size,
      answers: this.#queue.answers,
      answerBytes: this.#queue.bytes,
      handshakes: this.#handshakes.size,
      fragmented: this.#responder.fragmented,
      refusals: this.#lastRefusal.size,
    };
  }

  /** Starts to answer for an exposure. */
  add(exposed: Exposed): void {
    this.#exposures.set(exposed.id.toHex(), exposed);
    this.groups.add(exposed);
  }

  /** Stops answering for an exposure, and tells those who are pulling it. */
  withdraw(now: number, id: Uint8Array): void {
    this.#now = now;
    const gone = this.#exposures.get(id.toHex());
    this.#exposures.delete(id.toHex());
    if (gone) this.groups.end(now, gone);
    for (const [key, live] of this.#live) {
      if (!equalBytes(live.exposed.id, id)) continue;
      const fields = { tag: live.tag, label: id.slice(0, 16) };
      const bytes = complete.encode(fields, { field: CompleteReason.WITHDRAWN }, this.#macOf(live));
      this.#outputs.push({ kind: "send", to: live.address, bytes });
      this.#forget(key, live);
    }
  }

  /** Serves who pulls, and lets nobody in any more: a newcomer gets no answer, and asks again. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Ends the pulls of a ticket that is valid no longer. */
  revoke(now: number, ticketId: Uint8Array): void {
    this.#now = now;
    for (const [key, live] of this.#live) if (equalBytes(live.ticketId, ticketId)) this.#forget(key, live);
  }

  /** An exposure that is here in part has changed in what is here. */
  handleHoldings(now: number): void {
    this.#now = now;
    this.#have.handleChange(now);
  }

  /** Who pulls now. */
  pullers(now: number): PullerStatus[] {
    const isPulling = (live: LiveToken) => !live.done && now - live.lastAsked <= limits.tokenIdleMsMax;
    return [...this.#live.values()].filter(isPulling).map((live) => ({
      address: live.address,
      exposureId: live.exposed.id,
      ticketId: live.ticketId,
      bytesSent: live.bytesSent,
      rate: live.rate(now),
      ...(live.loss !== undefined && { loss: live.loss }),
      forMs: now - live.since,
    }));
  }

  /** What a token lets pull and the key of its MACs, from wherever it is shown; `undefined` when it is good no longer. */
  holding(now: number, token: Uint8Array): { exposed: Exposed; pullKey: Uint8Array } | undefined {
    const body = this.#mint.open(now, token);
    const pullKey = body && this.#mint.pullKey(token);
    const exposed = body && this.#exposures.get(body.exposureId.toHex());
    const isGood = pullKey && exposed && holdsStill(exposed, body.ticketId, body.flags);
    return isGood ? { exposed, pullKey } : undefined;
  }

  /** A datagram has arrived. */
  handleDatagram(now: number, from: Address, packet: Uint8Array): void {
    this.#now = now;
    const word = readWord(packet);
    if (!word) return this.drops.count("malformed");
    if (word.version !== PROTOCOL_VERSION) {
      this.drops.count("other version");
      // Nothing ever answers these, of any version: two exposers would go on for ever.
      if (!UNANSWERED.has(word.type) && packet.length >= 12) {
        this.#refuse(from, RefusalReason.VERSION, packet.slice(4, 12));
      }
      return;
    }
    if (word.type === PacketType.PULL_REQUEST) this.#handleRequest(from, packet);
    else if (word.type === PacketType.HANDSHAKE) this.#handleHandshake(from, packet);
    else if (word.type === PacketType.KEEPALIVE) this.#handleKeepalive(from, packet);
    else if (word.type === PacketType.RATE_REPORT) this.#handleReport(from, packet);
    else this.drops.count("unknown type");
  }

  /** A `serve` has been carried out; `ok` is false when the store no longer has the piece as it was sealed. */
  handleServed(now: number, puller: LiveToken, ok: boolean): void {
    this.#now = now;
    this.#serving--;
    if (ok) return;
    // What had to go since it was asked for is said to be gone: no more than that.
    if (puller.exposed.holdings) return this.#have.tell(now, puller);
    // The rest would fail as well: one refusal says it.
    this.#queue.clear(puller);
    const bytes = refusal.encode(
      { echo: puller.tag },
      { field: RefusalReason.SOURCE_CHANGED, flags: 1 },
      this.#macOf(puller),
    );
    this.#outputs.push({ kind: "send", to: puller.address, bytes });
  }

  /** A `cast` has been carried out; `ok` as with {@linkcode ExposerMachine.handleServed}. */
  handleCast(now: number, exposed: Exposed, ok: boolean): void {
    this.#now = now;
    this.groups.handleCast(now, exposed, ok);
  }

  /** See {@linkcode Machine.handleTimeout}. */
  handleTimeout(now: number): void {
    this.#now = now;
    this.#have.handleTimeout(now);
    if (now < this.#sweepAt) return;
    this.#mint.expire(now);
    this.#responder.expire(now);
    for (const [key, live] of this.#live) {
      if (now - live.lastSeen > limits.tokenIdleMsMax || now > live.expiresAt) {
        // It may have said that it has everything, and not been heard.
        if (!live.done) this.#left(live, live.bytesSent >= live.exposed.manifest.totalSize);
        this.#forget(key, live);
      }
    }
    for (const [key, at] of this.#lastRefusal) if (now - at > SWEEP_MS) this.#lastRefusal.delete(key);
    const kept = this.#live.size + this.#lastRefusal.size > 0 || now < this.#secretsUntil;
    this.#sweepAt = kept ? now + SWEEP_MS : Infinity;
  }

  /** See {@linkcode Machine.deadline}. */
  get deadline(): number {
    const waiting = !this.#queue.isEmpty && this.#serving < SERVES_AT_ONCE;
    const sendAt = waiting && this.#limiter ? this.#limiter.readyAt(this.#now) : Infinity;
    return Math.min(this.#sweepAt, sendAt, this.groups.deadline, this.#have.deadline);
  }

  /** See {@linkcode Machine.poll}. */
  poll(): ExposerOutput | undefined {
    const output = this.#outputs.shift();
    if (output) return output;
    const crowded = !this.#queue.isEmpty && !this.#limited &&
      this.#answersSinceHandshake < ANSWERS_PER_HANDSHAKE;
    if (this.#handshakes.size > 0 && !crowded) {
      this.#answersSinceHandshake = 0;
      const { from, packet } = this.#handshakes.take()!;
      this.#answerHandshake(from, packet);
      return this.poll();
    }
    const cast = this.groups.next(this.#now);
    if (cast?.kind === "cast") this.#spend(cast.cast.bytes);
    return cast ?? this.#nextServe();
  }

  /** The rate is used up: answers wait for the clock, and whoever shakes hands does not have to wait behind them. */
  get #limited(): boolean {
    return this.#limiter !== undefined && this.#limiter.readyAt(this.#now) > this.#now;
  }

  #nextServe(): ExposerOutput | undefined {
    if (this.#queue.isEmpty || this.#serving >= SERVES_AT_ONCE || this.#limited) return undefined;
    const { live, answer } = this.#queue.take();
    live.bytesSent += answer.bytes;
    this.#spend(answer.bytes);
    this.#serving++;
    this.#answersSinceHandshake++;
    return { kind: "serve", puller: live, receipt: this.#receipt(live), ...answer };
  }

  #spend(bytes: number): void {
    this.#bytesSent += bytes;
    this.#limiter?.spend(this.#now, bytes);
  }

  #handleReport(from: Address, packet: Uint8Array): void {
    const report = rateReport.decode(packet);
    if (!report) return this.drops.count("malformed");
    const live = this.#liveToken(from, report.token, packet.subarray(4, 12));
    if (!live) return;
    if (!packetMacIsRight(this.#engine, live.pullKey, packet)) return this.drops.count("wrong mac");
    live.lastSeen = live.lastAsked = this.#now;
    if (!this.groups.handleReport(this.#now, live, report)) return this.drops.count("unexpected");
    if (!live.proven) this.#supersede(live);
  }

  #handleRequest(from: Address, packet: Uint8Array): void {
    const request = decodePullRequest(packet);
    if (!request) return this.drops.count("malformed");
    const live = this.#liveToken(from, request.token, request.tag);
    if (!live) return;
    if (!packetMacIsRight(this.#engine, live.pullKey, packet)) return this.drops.count("wrong mac");
    if (!live.proven) this.#supersede(live);
    live.lastSeen = live.lastAsked = this.#now;
    live.tag = request.tag;
    if (request.isToGroup) {
      if (!this.groups.handleRequest(this.#now, live, request)) this.drops.count("unexpected");
      return;
    }
    // Who asks for itself, or for nothing any more, is not waited for by others.
    this.groups.leave(this.#now, live);
    if (request.done) return this.#finish(live);
    if (!symbolSizes.includes(request.symbolSize)) return this.drops.count("malformed");
    const fresh = request.receipt === this.#receipt(live) ||
      this.#mint.receiptIsFresh(this.#now, live.token, request.receipt);
    const sections = newSections(live, request);
    if (!sections) return this.drops.count("piece out of bounds");
    if (sections.at(-1)?.number !== request.number) this.drops.count("replayed request");
    for (const { number, entries } of sections) {
      this.#queueAnswers(live, request, number, entries, fresh);
    }
  }

  #queueAnswers(
    live: LiveToken,
    request: PullRequest,
    number: number,
    entries: readonly RequestEntry[],
    fresh: boolean,
  ): void {
    const asked = answersOf(live.exposed.manifest, entries, request.symbolSize, number);
    if (!asked) return this.drops.count("piece out of bounds");
    const answers = this.#have.screen(this.#now, live, asked);
    const bytes = answers.reduce((sum, answer) => sum + answer.bytes, 0);
    const ceiling = requestCeiling(live.exposed.manifest, fresh && this.#pullRateMax === 0 && !this.#limiter);
    if (bytes > ceiling) return this.drops.count("request too large");
    if (!this.#queue.hasRoom(answers.length, bytes)) return this.drops.count("queue full");
    const cold = coldPieces(live, answers);
    const affordsWork = live.work.affordsWork(this.#now) && this.#work.affordsWork(this.#now);
    if (cold.bytes > 0 && !affordsWork) return this.drops.count("over the limit");
    if (!live.allows(this.#now, bytes, fresh, request.received)) return this.drops.count("over the limit");
    for (const meter of [live.work, this.#work]) meter.note(bytes, cold.bytes);
    for (const piece of cold.pieces) live.paid.add(piece);
    this.#queue.add(live, answers, bytes);
  }

  #finish(live: LiveToken): void {
    if (live.done) return;
    live.done = true;
    this.#left(live, true);
  }

  #left(live: LiveToken, done: boolean): void {
    const { address: from, exposed, bytesSent } = live;
    this.#outputs.push({ kind: "left", from, exposed, bytesSent, done });
  }

  #handleKeepalive(from: Address, packet: Uint8Array): void {
    const message = keepalive.decode(packet);
    if (!message) return this.drops.count("malformed");
    const live = this.#liveToken(from, message.token, message.tag);
    if (!live) return;
    if (!packetMacIsRight(this.#engine, live.pullKey, packet)) return this.drops.count("wrong mac");
    if (!live.proven) this.#supersede(live);
    live.lastSeen = this.#now;
    live.tag = message.tag;
    if (message.flags & 1) {
      const bytes = keepaliveEcho.encode(message, { flags: 2 }, this.#macOf(live));
      this.#outputs.push({ kind: "send", to: from, bytes });
    }
  }

  /** The soft state of a token, made anew when it is not there; refuses a token that is not good. */
  #liveToken(from: Address, token: Uint8Array, echo: Uint8Array): LiveToken | undefined {
    const key = token.toHex();
    const known = this.#live.get(key);
    if (known?.isFrom(from) && known.expiresAt > this.#now) {
      if (holdsStill(known.exposed, known.ticketId, known.epoch)) return known;
      this.#forget(key, known);
    }
    const body = this.#mint.open(this.#now, token, addressBytes(from));
    const pullKey = body && this.#mint.pullKey(token);
    if (!body || !pullKey) {
      this.drops.count("bad token");
      this.#refuse(from, RefusalReason.TOKEN, echo);
      return undefined;
    }
    const exposed = this.#exposures.get(body.exposureId.toHex());
    if (!exposed || !holdsStill(exposed, body.ticketId, body.flags)) {
      this.drops.count("unknown exposure");
      this.#refuse(from, RefusalReason.TOKEN, echo);
      return undefined;
    }
    if (this.#live.size >= limits.liveTokensMax) {
      this.drops.count("queue full");
      return undefined;
    }
    const expiresAt = body.expirySeconds * 1000;
    const facts = {
      address: from,
      exposed,
      token,
      pullKey,
      ticketId: body.ticketId,
      epoch: body.flags,
      expiresAt,
    };
    const live = new LiveToken(this.#now, facts, this.#pullRateMax);
    this.#live.set(key, live);
    this.#sweepAt = Math.min(this.#sweepAt, this.#now + SWEEP_MS);
    return live;
  }

  /** A puller that has a newer token does not use the one before any more. */
  #supersede(live: LiveToken): void {
    live.proven = true;
    const { address, exposed, expiresAt } = live;
    for (const [key, old] of this.#live) {
      const isOlder = old !== live && old.exposed === exposed && old.expiresAt < expiresAt;
      if (!isOlder || !old.isFrom(address)) continue;
      live.since = Math.min(live.since, old.since);
      this.#forget(key, old);
    }
  }

  #forget(key: string, live: LiveToken): void {
    this.#live.delete(key);
    this.#have.forget(live);
    this.groups.leave(this.#now, live);
    this.#queue.clear(live);
  }

  #handleHandshake(from: Address, packet: Uint8Array): void {
    if (this.#isDraining) {
      this.handshakes.dropped++;
      return this.drops.count("draining");
    }
    const screened = this.#responder.screen(this.#now, from, packet);
    if (typeof screened !== "string") return this.#reply(from, screened);
    if (this.#handshakes.add({ from, packet }, screened === "proven")) return;
    this.handshakes.dropped++;
    this.drops.count("handshake queue full");
  }

  #answerHandshake(from: Address, packet: Uint8Array): void {
    this.#secretsUntil = this.#now + limits.tokenLifeMsMax;
    this.#sweepAt = Math.min(this.#sweepAt, this.#now + SWEEP_MS);
    this.#reply(from, this.#responder.work(this.#now, from, packet));
  }

  #reply(from: Address, reply: HandshakeReply): void {
    this.handshakes[outcomeOf(reply)]++;
    if (reply.drop) this.drops.count(reply.drop);
    if (reply.refuse) this.#refuse(from, reply.refuse.reason, reply.refuse.echo);
    if (reply.bytes) this.#outputs.push({ kind: "send", to: from, bytes: reply.bytes });
    for (const bytes of reply.more ?? []) this.#outputs.push({ kind: "send", to: from, bytes });
    if (reply.granted) this.#outputs.push({ kind: "granted", to: from, ...reply.granted });
  }

  /** A refusal is a hint, smaller than its cause, and rare. */
  #refuse(to: Address, reason: number, echo: Uint8Array): void {
    const key = to.host;
    const last = this.#lastRefusal.get(key);
    if (last !== undefined && this.#now - last < limits.refusalIntervalMs) return;
    if (this.#lastRefusal.size >= limits.liveTokensMax) return;
    this.#lastRefusal.set(key, this.#now);
    this.#sweepAt = Math.min(this.#sweepAt, this.#now + SWEEP_MS);
    this.#outputs.push({ kind: "send", to, bytes: refusal.encode({ echo }, { field: reason }) });
  }

  /** Made anew now and then: a MAC for every answer would cost as much as sending it. */
  #receipt(live: LiveToken): number {
    if (this.#now - live.receipt.at > RECEIPT_EVERY_MS) {
      live.receipt = { value: this.#mint.receipt(this.#now, live.token), at: this.#now };
    }
    return live.receipt.value;
  }

  #macOf(live: LiveToken): (packet: Uint8Array) => Uint8Array {
    return (packet) => packetMac(this.#engine, live.pullKey, packet).subarray(0, MAC_BYTES);
  }
}
