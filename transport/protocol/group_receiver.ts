/*
 * A member of a multicast group, sans-IO: takes part, says how it fares, asks for what it lacks and nobody has asked for yet, and leaves
 * when it is better off alone. Whose symbols they are is its owner's matter: it sees headers, and is told what is lacking.
 */
import { rateReport } from "../../codec/control.ts";
import { decodeGroupStatus } from "../../codec/group.ts";
import type { BlockSymbols, Group, GroupStatus } from "../../codec/group.ts";
import type { Grant } from "../../codec/grant.ts";
import type { Run } from "../../codec/listing.ts";
import { chunkDataReceipt, chunkDataRequest, PAGE_BIT, TAG_BYTES } from "../../codec/packet.ts";
import { encodePullRequest, requestEntriesMax } from "../../codec/pull_request.ts";
import type { RequestBitmap, RequestEntry } from "../../codec/pull_request.ts";
import { equalBytes } from "../../core/bytes.ts";
import { limits } from "../../core/limits.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { packetMac, packetMacIsRight } from "../../crypto/tokens.ts";
import type { DropCounter } from "./drops.ts";
import { GroupWeather } from "./group_weather.ts";
import type { GroupView } from "./group_weather.ts";

/** What a receiver lacks, as its owner knows it. */
export interface GroupNeeds {
  /** Blocks that have begun to come and are short of symbols; a block of which nothing came is short of all. */
  short(): Iterable<BlockSymbols & { readonly first: number }>;
  /** Pieces that are wanted and of which nothing is here: ascending runs. */
  missing(): Iterable<Run>;
}

/** Why a receiver leaves its group. */
export type LeaveReason =
  /** Nothing of the group arrives. */
  | "silent"
  /** It gets far less than is sent. */
  | "slow"
  /** Nobody else is in the group. */
  | "alone"
  /** What came was forged too often. */
  | "spoiled"
  /** The exposer has ended the group. */
  | "over";

/** The same for people. */
export const leaveWords: Readonly<Record<LeaveReason, string>> = {
  silent: "nothing of the group arrives here",
  slow: "the group is faster than the line to here",
  alone: "nobody else is in the group",
  spoiled: "what came of the group was forged",
  over: "the exposer has ended the group",
};

/** What a group's receiver is made of. */
export interface GroupReceiverOptions {
  /** Cryptography. */
  readonly engine: Engine;
  /** Random bytes. */
  readonly random: Random;
  /** What was granted last. */
  readonly grant: () => Pick<Grant, "token" | "pullKey">;
  /** The group of the grant. */
  readonly group: Group;
  /** 8 bytes: the flow tag of its requests. */
  readonly tag: Uint8Array;
  /** Of the handshake, ms. */
  readonly roundTrip: number;
  /** What is lacking. */
  readonly needs: GroupNeeds;
  /** Bytes a second that it wants at most; absent: no limit. */
  readonly limitRate?: number;
  /** Where drops are counted. */
  readonly drops: DropCounter;
}

/** Packets of one ask. */
const ASK_PACKETS_MAX = 4;
/** A bitmap of so many bytes fits a request. */
const BITMAP_BYTES_MAX = 1024;
/** Asked for again only when an answer has had its time. */
const HOLD_MS = 20;
/** Until it is heard of, a join is repeated. */
const JOIN_MS = 250;
/** Less than this share of what is sent, for so long, is too little. */
const SLOW_SHARE = 0.5;
const SLOW_MS = 800;
/** A receiver that loses so much asks for nothing: what it would get is lost too, and the others would have to wait for it. */
const ASK_LOSS_MAX = 0.5;
const WANTED_RATE_MAX = 2 ** 48;
/** A group of one: noticed in so many status packets one after the other, as somebody may be about to join. */
const ALONE_STATUSES = 4;

/** One receiver of a group. */
export class GroupReceiver {
  /** Loss, delay and rate. */
  readonly weather: GroupWeather = new GroupWeather();
  readonly #options: GroupReceiverOptions;
  readonly #packets: Uint8Array[] = [];
  #status: GroupStatus | undefined;
  #heardAt: number;
  #reportAt: number;
  #askAt = Infinity;
  #holdUntil = -Infinity;
  #reports = 0;
  #requests = 0;
  #slowSince: number | undefined;
  #aloneStatuses = 0;
  #leaving: LeaveReason | undefined;

  /** Joins at once. */
  constructor(now: number, options: GroupReceiverOptions) {
    this.#options = options;
    this.#heardAt = this.#reportAt = now;
  }

  /** The newest status. */
  get status(): GroupStatus | undefined {
    return this.#status;
  }

  /** Why it has to leave; it answers to nothing any more then. */
  get leaving(): LeaveReason | undefined {
    return this.#leaving;
  }

  /** Has to leave. */
  leave(reason: LeaveReason): void {
    this.#leaving ??= reason;
  }

  /** A CHUNK_DATA packet with the group's tag. */
  handleSymbol(now: number, packet: Uint8Array): void {
    this.#heardAt = now;
    this.weather.handlePacket(now, chunkDataRequest(packet), chunkDataReceipt(packet), packet.length);
  }

  /** A GROUP_STATUS packet. */
  handleStatus(now: number, packet: Uint8Array): void {
    const { engine, group, drops } = this.#options;
    const status = decodeGroupStatus(packet);
    if (!status) return drops.count("malformed");
    if (!equalBytes(status.tag, group.tag)) return drops.count("wrong tag");
    if (!packetMacIsRight(engine, group.key, packet)) return drops.count("wrong mac");
    if (this.#status && status.number <= this.#status.number) return drops.count("unexpected");
    // The next report need not wait any more for the join to be heard.
    if (!this.#status) this.#reportAt = Math.min(this.#reportAt, now + status.reportMs);
    this.#status = status;
    this.#heardAt = now;
    this.weather.handleSequence(status.sequence);
    if (status.isOver) return this.leave("over");
    this.#aloneStatuses = status.receivers > 1 || status.isGathering ? 0 : this.#aloneStatuses + 1;
    if (this.#aloneStatuses >= ALONE_STATUSES) return this.leave("alone");
    this.#considerAsking(now, status);
  }

  /** When something is due. */
  get deadline(): number {
    if (this.#leaving) return Infinity;
    return Math.min(this.#reportAt, this.#askAt, this.#heardAt + limits.groupSilenceMsMax);
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    if (this.#leaving) return;
    if (now >= this.#heardAt + limits.groupSilenceMsMax) return this.leave("silent");
    if (now >= this.#askAt) this.#ask(now);
    if (now >= this.#reportAt) this.#report(now);
  }

  /** The next packet for the exposer, which goes to its own address. */
  nextPacket(): Uint8Array | undefined {
    return this.#packets.shift();
  }

  get #spreadMs(): number {
    return Math.max(this.#status!.spreadMs, 4 * this.#options.roundTrip);
  }

  #considerAsking(now: number, status: GroupStatus): void {
    if (this.#askAt < Infinity || now < this.#holdUntil) return;
    if (this.weather.loss > ASK_LOSS_MAX) return;
    const isLacking = !done(this.#lackingBlocks(status)) || !done(this.#lackingRuns(status));
    if (isLacking) this.#askAt = now + backOff(this.#chance(), this.#spreadMs, status.receivers);
  }

  /** Asks for what the newest status does not promise. Others may have asked for it meanwhile. */
  #ask(now: number): void {
    this.#askAt = Infinity;
    const status = this.#status!;
    const packets = this.#packets.length;
    const entries: RequestEntry[] = [];
    const bitmaps: RequestBitmap[] = [];
    for (const { piece, first, symbols } of this.#lackingBlocks(status)) {
      if (entries.length === requestEntriesMax * ASK_PACKETS_MAX) break;
      entries.push({ piece, first, count: 0, parityFirst: 0, parityCount: symbols });
    }
    for (const { first, count } of this.#lackingRuns(status)) {
      if (bitmaps.length > ASK_PACKETS_MAX) break;
      if (first >= PAGE_BIT) {
        // As many as fit beside the others; the rest comes with the next ask.
        for (let i = 0; i < Math.min(count, requestEntriesMax); i++) {
          entries.push({ piece: first + i, first: 0, count: 1, parityFirst: 0, parityCount: 0 });
        }
      } else setBits(bitmaps, first, count);
    }
    entries.sort((a, b) => a.piece - b.piece || a.first - b.first);
    for (let at = 0; at < entries.length; at += requestEntriesMax) {
      this.#request({ sections: [entries.slice(at, at + requestEntriesMax)] });
    }
    for (const { base, bits } of bitmaps) {
      this.#request({
        sections: [],
        bitmap: { base, bits: bits.subarray(0, bits.findLastIndex((byte) => byte > 0) + 1) },
      });
    }
    // A request was too much, or got lost: the next status shows it.
    if (this.#packets.length > packets) {
      this.#holdUntil = now + this.#spreadMs + 2 * this.#options.roundTrip + HOLD_MS;
    }
  }

  #request(what: { sections: RequestEntry[][]; bitmap?: RequestBitmap }): void {
    const { engine, group, tag, grant } = this.#options;
    const { token, pullKey } = grant();
    const head = {
      tag,
      number: this.#requests++,
      receipt: this.#status!.number,
      received: 0,
      token,
      symbolSize: group.symbolSize,
      isToGroup: true,
    };
    this.#packets.push(
      encodePullRequest({ ...head, ...what }, (packet) => packetMac(engine, pullKey, packet)),
    );
  }

  #report(now: number): void {
    const { engine, grant, limitRate = Infinity } = this.#options;
    const { token, pullKey } = grant();
    const status = this.#status;
    const view = this.weather.look(status?.rate ?? 0);
    if (status && !status.isGathering) this.#noteSpeed(now, status, view);
    if (this.#leaving) return;
    // Nobody reports in step with others.
    this.#reportAt = now + (status ? status.reportMs * (0.75 + 0.5 * this.#chance()) : JOIN_MS);
    // Before it has seen anything of the group, it does not know: 0.
    const wanted = Math.min(status ? view.wantedRate : 0, limitRate);
    const report = {
      token,
      number: this.#reports++,
      loss: Math.min(65_535, Math.round(view.loss * 65_536)),
      delayUs: Math.min(2 ** 32 - 1, Math.round(view.delayMs * 1000)),
      wantedRate: Math.floor(Math.min(wanted, WANTED_RATE_MAX)),
    };
    this.#packets.push(
      rateReport.encode(report, {}, (packet) => packetMac(engine, pullKey, packet)),
    );
  }

  #noteSpeed(now: number, { rate }: GroupStatus, { loss, arrivalRate }: GroupView): void {
    const { limitRate = Infinity } = this.#options;
    const isSlow = (loss > SLOW_SHARE && arrivalRate < SLOW_SHARE * rate) || limitRate < SLOW_SHARE * rate;
    this.#slowSince = isSlow ? this.#slowSince ?? now : undefined;
    if (this.#slowSince !== undefined && now - this.#slowSince >= SLOW_MS) this.leave("slow");
  }

  /** Blocks that are short, and of which too little is promised. */
  *#lackingBlocks(
    { repairs, runs }: GroupStatus,
  ): Generator<BlockSymbols & { readonly first: number }> {
    const promised = new Map(repairs.map(({ piece, block, symbols }) => [piece * 256 + block, symbols]));
    for (const short of this.#options.needs.short()) {
      const coming = promised.get(short.piece * 256 + short.block) ?? 0;
      if (coming >= short.symbols || holds(runs, short.piece)) continue;
      yield short;
    }
  }

  /** Pieces of which nothing is here, and that are not promised. */
  *#lackingRuns({ runs }: GroupStatus): Generator<Run> {
    for (const { first, count } of this.#options.needs.missing()) {
      let at = first;
      const end = first + count;
      for (const run of runs) {
        if (run.first + run.count <= at || run.first >= end) continue;
        if (run.first > at) yield { first: at, count: run.first - at };
        at = run.first + run.count;
      }
      if (at < end) yield { first: at, count: end - at };
    }
  }

  /** 0 to 1, the latter excluded. */
  #chance(): number {
    const bytes = this.#options.random(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
  }
}

/** Whether a packet's tag is that of a group: of CHUNK_DATA and of GROUP_STATUS. */
export function hasGroupTag(packet: Uint8Array, { tag }: Group): boolean {
  for (let i = 0; i < TAG_BYTES; i++) if (packet[4 + i] !== tag[i]) return false;
  return true;
}

/**
 * How long to wait before asking, ms: few are early, so that the others hear that it has been asked for. The truncated exponential timer
 * of NORM (RFC 5740, RFC 5401).
 */
function backOff(chance: number, maxMs: number, receivers: number): number {
  const lambda = Math.log(Math.max(1, receivers)) + 1;
  const whole = Math.exp(lambda) - 1;
  return maxMs / lambda * Math.log(1 + chance * whole);
}

function holds(runs: readonly Run[], piece: number): boolean {
  return runs.some(({ first, count }) => piece >= first && piece < first + count);
}

function done<T>(items: Generator<T>): boolean {
  return items.next().done === true;
}

/** Sets the bits of a run of chunks, in as many bitmaps as it takes. */
function setBits(bitmaps: RequestBitmap[], first: number, count: number): void {
  for (let chunk = first; chunk < first + count && bitmaps.length <= ASK_PACKETS_MAX; chunk++) {
    let last = bitmaps.at(-1);
    if (!last || chunk - last.base >= BITMAP_BYTES_MAX * 8) {
      last = { base: chunk, bits: new Uint8Array(BITMAP_BYTES_MAX) };
      bitmaps.push(last);
    }
    const bit = chunk - last.base;
    last.bits[bit >> 3] |= 1 << (bit & 7);
  }
}
