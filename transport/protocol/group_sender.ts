/*
 * What is sent to a multicast group, sans-IO: pieces that receivers want go round once, blocks that some got too little of get more
 * symbols, as many as the worst receiver lacks. Status packets say what is still to come, which keeps others from asking for it.
 * In the manner of NORM (RFC 5740), with the exposer's pull requests and parity.
 */
import { blockOf, blockPlan, blockStart, blockSymbols } from "../../codec/geometry.ts";
import { encodeGroupStatus, groupRepairsMax, groupRunsMax } from "../../codec/group.ts";
import type { BlockSymbols, Group } from "../../codec/group.ts";
import type { Run } from "../../codec/listing.ts";
import type { RateReport } from "../../codec/control.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT } from "../../codec/packet.ts";
import type { PullRequest, RequestBitmap } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import { BLOCK_INDEXES } from "../../fec/mod.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import type { PieceFacts } from "../exposure/pieces.ts";
import { symbolRuns, symbolsBytes } from "./answers.ts";
import { GroupRate } from "./group_rate.ts";
import type { RatePolicy } from "./group_rate.ts";
import { PieceRuns } from "./piece_runs.ts";

/** Symbols of one piece, for all members of a group. */
export interface Cast {
  /** Chunk, or leaf page with the top bit. */
  readonly piece: number;
  /** The block whose parity is meant; absent: data symbols of the piece. */
  readonly parityOf?: number;
  /** First symbol: of the piece's data, or of the block's parity, from 0. */
  readonly first: number;
  /** Symbols. */
  readonly count: number;
  /** Bytes of a symbol. */
  readonly symbolSize: number;
  /** What it costs on the wire. */
  readonly bytes: number;
  /** Number of its first packet; they count up by one. */
  readonly sequence: number;
}

/** What a group's sender asks for. */
export type GroupOutput = { readonly kind: "cast"; readonly cast: Cast } | {
  readonly kind: "status";
  readonly bytes: Uint8Array;
};

/** What a group's sender is made of. */
export interface GroupSenderOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** The group. */
  readonly group: Group;
  /** How the exposure is cut. */
  readonly facts: PieceFacts;
  /** How the rate follows from what receivers say. */
  readonly policy: RatePolicy;
  /** Bytes a second at most; absent: no limit. */
  readonly limitRate?: number;
  /** It begins when there are so many receivers; absent: soon after the first. */
  readonly receivers?: number;
  /** It waits so long for them at most, ms from the first; absent: see {@linkcode GATHER_MS}. */
  readonly gatherMs?: number;
}

/** From the first receiver to the first packet: others that start at the same time are waited for. */
export const GATHER_MS = 300;
/** How long it waits for a number of receivers that was named. */
export const GATHER_RECEIVERS_MS = 60_000;

const STATUS_MS = 50;
const STATUS_QUIET_MS = 250;
/** A request is echoed this soon, with those that come meanwhile. */
const ECHO_MS = 4;
/** Requests are spread over this, and more among many: the first are echoed before the others' turn. */
const SPREAD_MS = 16;
const SPREAD_MS_EACH_DOUBLING = 8;
const REPORT_MS_MIN = 50;
const REPORT_MS_MAX = 5000;
/** What all reports together may be of the rate. */
const REPORT_SHARE = 0.002;
const REPORT_BYTES = 134;
/** What goes out at once takes no longer than this on its way, so that it does not look like a queue. */
const CAST_MS = 8;
/** A late timer is caught up with, up to this. */
const PACE_SLACK_MS = 4;
/** What so long a time has room for goes out together: each time a receiver is woken costs it about as much as a piece does. */
const BURST_MS = 4;
/** Whoever lacks more pieces as a whole has not lost them, but come late: they have their turn in the next round. */
const LOST_PIECES_MAX = 64;
/** A request that answers an older status than this is a replay, or from a receiver that hears next to nothing. */
const STATUS_AGE_MAX = 256;
/** The parity that goes out in advance is so much of what was needed of late. */
const ADVANCE_SHARE = 0.75;
const ADVANCE_BLOCK_SHARE = 0.25;
/** Memory of that need: each block weighs so much of the one after it. */
const NEED_DECAY = 0.98;

/** A receiver, and its vote. */
interface Member {
  wantedRate: number;
  lastSeen: number;
}

/** A block of which more is to come. */
interface Repair extends BlockSymbols {
  symbols: number;
  readonly readyAt: number;
}

/** What was sent of a block beyond its data. */
interface Sent {
  /** The index that is sent next. */
  next: number;
  /** The status before which it was sent the last time, and how many symbols. */
  status: number;
  symbols: number;
}

/** Sends to one group. It is driven by the machine that owns it: after each call, `next` until there is nothing more. */
export class GroupSender {
  readonly #options: GroupSenderOptions;
  readonly #rate: GroupRate;
  readonly #members = new Map<unknown, Member>();
  readonly #pending = new PieceRuns();
  /** Those of them that went out before, and got lost: who waits for them has the rest. */
  readonly #lost = new PieceRuns();
  /** By piece and block, in the order in which they were asked for. */
  readonly #repairs = new Map<number, Repair>();
  readonly #sent = new Map<number, Sent>();
  /** Which status was the newest when a piece went out. */
  readonly #sentPieces = new Map<number, number>();
  /** What goes out next, all of one piece. */
  readonly #train: Omit<Cast, "sequence">[] = [];
  #cursor = PAGE_BIT;
  #sequence = 0;
  #number = 0;
  #gathersUntil = Infinity;
  #isGathering = true;
  #over: "no" | "to be said" | "said" = "no";
  #statusAt = Infinity;
  #lastStatus = -Infinity;
  /** When all that has gone out may have gone, and until when that may be for more to follow at once. */
  #nextAt = -Infinity;
  #burstEnd = -Infinity;
  #need = { blocks: 1, symbols: 0 };

  /** Nobody has joined yet. */
  constructor(options: GroupSenderOptions) {
    this.#options = options;
    this.#rate = new GroupRate(options.policy, options.limitRate ?? Infinity);
  }

  /** Receivers that still want something. */
  get receivers(): number {
    return this.#members.size;
  }

  /** Bytes a second at present. */
  get rate(): number {
    return this.#rate.current;
  }

  /** A receiver says how it fares; with the first one it joins. */
  handleReport(now: number, member: unknown, { wantedRate }: Pick<RateReport, "wantedRate">): void {
    if (this.#over !== "no") return;
    const known = this.#members.get(member);
    this.#members.set(member, { wantedRate, lastSeen: now });
    if (!known) this.#join(now);
    // Who has just come knows nothing yet.
    const wanted = Array.from(this.#members.values(), (one) => one.wantedRate).filter((rate) => rate > 0);
    this.#rate.follow(now, wanted, this.#reportMs);
  }

  /** A receiver asks. Whether anything of that is there to be asked for. */
  handleRequest(now: number, { receipt: heard, sections, bitmap }: PullRequest): boolean {
    if (this.#over !== "no" || heard > this.#number || heard + STATUS_AGE_MAX < this.#number) return false;
    const pieces = bitmap ? bitsOf(bitmap) : [];
    for (const { piece, first, count, parityCount } of sections[0] ?? []) {
      if (count > 0) pieces.push(piece);
      else this.#wantSymbols(now, piece, first, parityCount, heard);
    }
    for (const piece of pieces) this.#wantPiece(piece, heard, pieces.length <= LOST_PIECES_MAX);
    this.#statusAt = Math.min(this.#statusAt, Math.max(now, this.#lastStatus) + ECHO_MS);
    return true;
  }

  /** A receiver has everything, or has gone. */
  leave(now: number, member: unknown): void {
    if (!this.#members.delete(member) || this.#members.size > 0) return;
    // What was still to come is wanted by nobody; whoever comes next is gathered anew.
    this.#pending.remove(0, 2 ** 32);
    this.#lost.remove(0, 2 ** 32);
    this.#repairs.clear();
    this.#train.length = 0;
    this.#isGathering = true;
    this.#gathersUntil = Infinity;
    this.#statusAt = now;
  }

  /** Tells the receivers that nothing more will come. */
  end(now: number): void {
    if (this.#over !== "no") return;
    this.#over = "to be said";
    this.#statusAt = now;
  }

  /** When `next` has something again. */
  get deadline(): number {
    if (this.#over === "said") return Infinity;
    return Math.min(this.#statusAt, this.#isGathering ? this.#gathersUntil : this.#workAt);
  }

  /** What to send now. */
  next(now: number): GroupOutput | undefined {
    if (this.#over === "said") return undefined;
    if (this.#isGathering && now >= this.#gathersUntil) this.#beginSending(now);
    if (now >= this.#statusAt) return { kind: "status", bytes: this.#status(now) };
    if (this.#isGathering || now < this.#workAt) return undefined;
    const cast = this.#cast(now);
    if (cast === undefined) return undefined;
    if (!this.#hasWork) this.#statusAt = now;
    return { kind: "cast", cast };
  }

  get #reportMs(): number {
    const ms = this.#members.size * REPORT_BYTES / (REPORT_SHARE * this.#rate.current) * 1000;
    return Math.min(REPORT_MS_MAX, Math.max(REPORT_MS_MIN, Math.ceil(ms)));
  }

  get #spreadMs(): number {
    return Math.round(SPREAD_MS + SPREAD_MS_EACH_DOUBLING * Math.log2(1 + this.#members.size));
  }

  get #hasWork(): boolean {
    return this.#train.length > 0 || this.#repairs.size > 0 || !this.#pending.isEmpty;
  }

  get #workAt(): number {
    const nextAt = this.#nextAt < this.#burstEnd ? -Infinity : this.#nextAt;
    if (this.#train.length > 0 || !this.#pending.isEmpty) return nextAt;
    const [repair] = this.#repairs.values();
    return repair ? Math.max(repair.readyAt, nextAt) : Infinity;
  }

  #join(now: number): void {
    const { receivers, gatherMs = receivers === undefined ? GATHER_MS : GATHER_RECEIVERS_MS } = this.#options;
    if (this.#members.size === 1) this.#gathersUntil = now + gatherMs;
    if (receivers !== undefined && this.#members.size >= receivers) this.#gathersUntil = now;
    this.#statusAt = Math.min(this.#statusAt, Math.max(now, this.#lastStatus + ECHO_MS));
  }

  #beginSending(now: number): void {
    this.#isGathering = false;
    this.#nextAt = now;
    this.#statusAt = now;
  }

  #wantPiece(piece: number, heard: number, isFew: boolean): void {
    if (pieceBytes(this.#options.facts, piece) === undefined) return;
    const sentAt = this.#sentPieces.get(piece);
    // It has gone out since the receiver heard of what is to come.
    if (sentAt !== undefined && sentAt >= heard) return;
    this.#pending.add(piece, piece + 1);
    if (sentAt !== undefined && isFew) this.#lost.add(piece, piece + 1);
  }

  #wantSymbols(now: number, piece: number, first: number, lacking: number, heard: number): void {
    const { facts, group } = this.#options;
    const bytes = pieceBytes(facts, piece);
    if (bytes === undefined || this.#pending.has(piece) || this.#train[0]?.piece === piece) return;
    const plan = blockPlan(bytes, group.symbolSize);
    const block = blockOf(plan, first);
    if (block < 0) return;
    const key = keyOf(piece, block);
    const sent = this.#sent.get(key);
    const since = sent && sent.status >= heard ? sent.symbols : 0;
    const symbols = Math.min(lacking, blockSymbols(plan, block)) - since;
    if (symbols <= 0) return;
    const repair = this.#repairs.get(key);
    if (repair) repair.symbols = Math.max(repair.symbols, symbols);
    else if (this.#repairs.size < limits.groupRepairsMax) {
      this.#repairs.set(key, { piece, block, symbols, readyAt: now + this.#spreadMs });
    }
  }

  #cast(now: number): Cast | undefined {
    if (this.#train.length === 0) this.#couple(now);
    const symbols = this.#train.shift();
    if (!symbols) return undefined;
    const cast = { ...symbols, sequence: this.#sequence };
    this.#sequence = (this.#sequence + cast.count) % 2 ** 32;
    if (now >= this.#nextAt) this.#burstEnd = now + BURST_MS;
    this.#nextAt = Math.max(this.#nextAt, now - PACE_SLACK_MS) + cast.bytes / this.#rate.current * 1000;
    return cast;
  }

  /** What goes out next: a block that some lack symbols of, so that they need not keep the rest of it for long; else a piece. */
  #couple(now: number): void {
    const [repair] = this.#repairs.values();
    if (repair && repair.readyAt <= now) return this.#coupleRepair(repair);
    const lost = this.#lost.nextFrom(0);
    const piece = lost ?? this.#pending.nextFrom(this.#cursor) ?? this.#pending.nextFrom(0);
    if (piece === undefined) return;
    if (lost === undefined) this.#cursor = piece + 1;
    for (const runs of [this.#pending, this.#lost]) runs.remove(piece, piece + 1);
    remember(this.#sentPieces, piece, this.#number);
    const { group: { symbolSize }, facts } = this.#options;
    const bytes = pieceBytes(facts, piece)!;
    const plan = blockPlan(bytes, symbolSize);
    for (let block = 0; block < plan.blocks; block++) {
      const symbols = blockSymbols(plan, block);
      this.#coupleRun(piece, undefined, blockStart(plan, block), symbols, bytes);
      this.#repairs.delete(keyOf(piece, block));
      const advance = this.#advance(symbols);
      this.#need = {
        blocks: this.#need.blocks * NEED_DECAY + 1,
        symbols: this.#need.symbols * NEED_DECAY + advance,
      };
      if (advance > 0) this.#coupleMore({ piece, block, symbols: advance });
    }
  }

  #coupleRepair(repair: Repair): void {
    this.#repairs.delete(keyOf(repair.piece, repair.block));
    this.#need.symbols += repair.symbols;
    this.#coupleMore(repair);
  }

  /** Parity that nobody has asked for yet: what was needed of late is needed again. */
  #advance(symbols: number): number {
    const need = this.#need.symbols / this.#need.blocks;
    return Math.min(Math.floor(need * ADVANCE_SHARE), Math.floor(symbols * ADVANCE_BLOCK_SHARE));
  }

  /** Symbols of a block that were not sent for the longest time: parity, then data again when there is no other. */
  #coupleMore({ piece, block, symbols }: BlockSymbols): void {
    const { group: { symbolSize }, facts } = this.#options;
    const bytes = pieceBytes(facts, piece)!;
    const plan = blockPlan(bytes, symbolSize);
    const data = blockSymbols(plan, block);
    const key = keyOf(piece, block);
    const before = this.#sent.get(key);
    const isSameStatus = before?.status === this.#number;
    const sent = {
      next: before?.next ?? data,
      status: this.#number,
      symbols: symbols + (isSameStatus ? before!.symbols : 0),
    };
    for (let left = symbols; left > 0;) {
      const isData = sent.next < data;
      const count = Math.min(left, (isData ? data : BLOCK_INDEXES) - sent.next);
      if (isData) this.#coupleRun(piece, undefined, blockStart(plan, block) + sent.next, count, bytes);
      else this.#coupleRun(piece, block, sent.next - data, count, bytes);
      sent.next = (sent.next + count) % BLOCK_INDEXES;
      left -= count;
    }
    remember(this.#sent, key, sent);
  }

  #coupleRun(
    piece: number,
    parityOf: number | undefined,
    from: number,
    symbols: number,
    pieceBytes: number,
  ): void {
    const { symbolSize } = this.#options.group;
    const most = Math.floor(CAST_MS * this.#rate.current / 1000 / (CHUNK_HEADER_BYTES + symbolSize));
    for (const { first, count } of symbolRuns(from, symbols, most)) {
      const bytes = parityOf === undefined
        ? symbolsBytes(pieceBytes, symbolSize, first, count)
        : count * (CHUNK_HEADER_BYTES + symbolSize);
      this.#train.push({
        piece,
        first,
        count,
        symbolSize,
        bytes,
        ...(parityOf !== undefined && { parityOf }),
      });
    }
  }

  #status(now: number): Uint8Array {
    this.#expire(now);
    const isOver = this.#over === "to be said";
    if (isOver) this.#over = "said";
    const isQuiet = this.#isGathering || !this.#hasWork;
    this.#lastStatus = now;
    this.#statusAt = this.#members.size === 0 ? Infinity : now + (isQuiet ? STATUS_QUIET_MS : STATUS_MS);
    const { engine, group } = this.#options;
    const status = {
      tag: group.tag,
      number: ++this.#number,
      sequence: this.#sequence,
      receivers: this.#members.size,
      rate: Math.round(this.#rate.current),
      reportMs: this.#reportMs,
      spreadMs: this.#spreadMs,
      isGathering: this.#isGathering,
      isOver,
      runs: this.#toCome(),
      repairs: [...this.#repairs.values()].slice(0, groupRepairsMax),
    };
    return encodeGroupStatus(status, (packet) => packetMac(engine, group.key, packet));
  }

  /** Pieces that are still to come as a whole; the one that is under way is among them. */
  #toCome(): Run[] {
    const piece = this.#train[0]?.piece;
    const isAdded = piece !== undefined && !this.#pending.has(piece);
    if (isAdded) this.#pending.add(piece, piece + 1);
    const runs = [...this.#pending].slice(0, groupRunsMax);
    if (isAdded) this.#pending.remove(piece, piece + 1);
    return runs;
  }

  /** Receivers that have fallen silent have no vote. */
  #expire(now: number): void {
    const patience = limits.groupSilenceMsMax + 2 * this.#reportMs;
    for (const [member, { lastSeen }] of this.#members) {
      if (now - lastSeen > patience) this.leave(now, member);
    }
  }
}

/** The chunks that a bitmap names. */
function bitsOf({ base, bits }: RequestBitmap): number[] {
  const chunks: number[] = [];
  for (let bit = 0; bit < bits.length * 8; bit++) {
    if ((bits[bit >> 3] >> (bit & 7)) & 1) chunks.push(base + bit);
  }
  return chunks;
}

function keyOf(piece: number, block: number): number {
  return piece * 256 + block;
}

/** Notes something, and forgets what was noted longest ago when it is too much. */
function remember<T>(notes: Map<number, T>, key: number, value: T): void {
  notes.delete(key);
  notes.set(key, value);
  if (notes.size > limits.groupBlocksMax) notes.delete(notes.keys().next().value!);
}
