/*
 * A group in virtual time: one sender and up to a thousand receivers behind one uplink, each with a line and a loss of its own. Receivers
 * count symbols rather than keep them, so that millions of packets take seconds.
 */
import { decodePullRequest } from "../../codec/pull_request.ts";
import { rateReport } from "../../codec/control.ts";
import type { Group } from "../../codec/group.ts";
import { CHUNK_HEADER_BYTES, stampChunkHeader, writeChunkHeader } from "../../codec/packet.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { DropCounter } from "../../transport/protocol/drops.ts";
import { GroupReceiver } from "../../transport/protocol/group_receiver.ts";
import type { LeaveReason } from "../../transport/protocol/group_receiver.ts";
import { GroupSender } from "../../transport/protocol/group_sender.ts";
import type { Cast, GroupSenderOptions } from "../../transport/protocol/group_sender.ts";
import { CountingHand, Shape } from "./counting_hand.ts";
import { seededRandom } from "./random.ts";
import type { SeededRandom } from "./random.ts";

/** One receiver. */
export interface GroupMemberPlan {
  /** Share of packets that get lost on the way to it. */
  readonly lossRate?: number;
  /** Bytes a second of its own line; absent: as fast as the uplink. */
  readonly lineRate?: number;
  /** When it comes, ms; absent: at once. */
  readonly joinsAt?: number;
  /** Whether nothing of the group reaches it. */
  readonly isDeaf?: boolean;
  /** When its machine has no time for it, from and before, ms: ascending. */
  readonly pauses?: readonly Pause[];
}

/** From and before, ms. */
export type Pause = readonly [from: number, to: number];

/** What is simulated. */
export interface GroupPlan extends Pick<GroupSenderOptions, "receivers" | "gatherMs" | "limitRate"> {
  readonly seed: number;
  readonly bytes: number;
  readonly chunkSize?: number;
  readonly symbolSize?: number;
  readonly members: readonly GroupMemberPlan[];
  readonly policy?: GroupSenderOptions["policy"];
  /** Bytes a second of the sender's uplink. */
  readonly uplink: number;
  /** One way, ms. */
  readonly delayMs?: number;
  /** When the sender's machine has no time for it, ms: ascending. */
  readonly pauses?: readonly Pause[];
  /** Virtual ms at most. */
  readonly msMax?: number;
}

/** How one receiver fared. */
export interface GroupMemberResult {
  /** When it had everything; absent: it never had. */
  readonly doneAt?: number;
  /** Why it left before. */
  readonly left?: LeaveReason;
  /** Bytes that it sent. */
  readonly controlBytes: number;
}

/** What came of it. */
export interface GroupResult {
  readonly members: readonly GroupMemberResult[];
  /** CHUNK_DATA bytes, headers included. */
  readonly sentBytes: number;
  readonly statusBytes: number;
  /** From all receivers. */
  readonly controlBytes: number;
  readonly requests: number;
  readonly endedAt: number;
}

const QUEUE_MS = 50;

/** Runs a group to its end. */
export function runGroup(plan: GroupPlan): GroupResult {
  return new Bench(plan).run();
}

interface Event {
  readonly at: number;
  readonly act: () => void;
}

class Bench {
  readonly #plan: GroupPlan;
  readonly #delayMs: number;
  readonly #sender: GroupSender;
  readonly #members: Member[];
  readonly #events = new EventQueue();
  readonly #shape: Shape;
  readonly #packets: Uint8Array[] = [];
  readonly #packetBytes: number;
  readonly #uplink: Line;
  readonly #tag: Uint8Array;
  #now = 0;
  #sentBytes = 0;
  #statusBytes = 0;
  #senderWakes = Infinity;

  constructor(plan: GroupPlan) {
    this.#plan = plan;
    const { seed, bytes, chunkSize = 65_536, symbolSize = 1428, policy, uplink } = plan;
    this.#delayMs = plan.delayMs ?? 1;
    const engine = defaultEngine();
    const facts = { chunkSize, totalSize: bytes };
    const group: Group = {
      address: { host: "239.1.2.3", port: 9000 },
      tag: seededRandom(seed, "tag").bytes(8),
      key: seededRandom(seed, "key").bytes(32),
      symbolSize,
    };
    this.#tag = group.tag;
    this.#uplink = new Line(uplink);
    this.#shape = new Shape(facts, symbolSize);
    this.#packetBytes = CHUNK_HEADER_BYTES + symbolSize;
    const { receivers, gatherMs, limitRate } = plan;
    this.#sender = new GroupSender({
      engine,
      group,
      facts,
      policy: policy ?? { name: "percentile", share: 0.75 },
      ...(receivers !== undefined && { receivers }),
      ...(gatherMs !== undefined && { gatherMs }),
      ...(limitRate !== undefined && { limitRate }),
    });
    this.#members = plan.members.map((member, i) => new Member(i, plan, member, this.#shape, group));
  }

  run(): GroupResult {
    for (const member of this.#members) {
      this.#events.add(member.plan.joinsAt ?? 0, () => {
        member.join(this.#now);
        this.#tend(member);
      });
    }
    const end = this.#plan.msMax ?? 600_000;
    for (let event = this.#events.take(); event && event.at <= end; event = this.#events.take()) {
      this.#now = event.at;
      event.act();
      if (this.#members.every((member) => member.isOver)) break;
    }
    const members = this.#members.map((member) => member.result);
    return {
      members,
      sentBytes: this.#sentBytes,
      statusBytes: this.#statusBytes,
      controlBytes: members.reduce((sum, { controlBytes }) => sum + controlBytes, 0),
      requests: this.#members.reduce((sum, { requests }) => sum + requests, 0),
      endedAt: this.#now,
    };
  }

  /** What a receiver has to send, and when it wants to be called again. */
  #tend(member: Member): void {
    const { receiver } = member;
    if (!receiver) return;
    for (let packet = receiver.nextPacket(); packet; packet = receiver.nextPacket()) {
      member.controlBytes += packet.length;
      const bytes = packet;
      this.#events.add(this.#now + this.#delayMs, () => this.#receive(member, bytes));
    }
    if (receiver.leaving && !member.isOver) {
      member.left = receiver.leaving;
      this.#events.add(this.#now + this.#delayMs, () => this.#leave(member));
    }
    if (member.isOver || receiver.deadline >= member.wakes) return;
    const at = endOfPause(member.plan.pauses, Math.max(this.#now, receiver.deadline));
    member.wakes = at;
    this.#events.add(at, () => {
      if (member.wakes !== at) return;
      member.wakes = Infinity;
      if (member.isOver) return;
      receiver.handleTimeout(this.#now);
      this.#tend(member);
    });
  }

  #receive(member: Member, packet: Uint8Array): void {
    const report = rateReport.decode(packet);
    if (report) this.#sender.handleReport(this.#now, member, report);
    const request = decodePullRequest(packet);
    if (request) {
      member.requests++;
      this.#sender.handleRequest(this.#now, request);
    }
    this.#drainSender();
  }

  #leave(member: Member): void {
    this.#sender.leave(this.#now, member);
    this.#drainSender();
  }

  #drainSender(): void {
    const until = endOfPause(this.#plan.pauses, this.#now);
    if (until > this.#now) {
      // What comes meanwhile is known all the same, which is little.
      this.#events.add(until, () => this.#drainSender());
      return;
    }
    for (let output = this.#sender.next(this.#now); output; output = this.#sender.next(this.#now)) {
      if (output.kind === "cast") this.#cast(output.cast);
      else {
        this.#statusBytes += output.bytes.length;
        const { bytes } = output;
        const at = this.#uplink.carry(this.#now, bytes.length);
        if (at !== undefined) {
          this.#events.add(
            at + this.#delayMs,
            () => this.#deliver((member) => member.status(this.#now, bytes)),
          );
        }
      }
    }
    const at = this.#sender.deadline;
    if (at >= this.#senderWakes) return;
    this.#senderWakes = at;
    this.#events.add(Math.max(at, this.#now), () => {
      if (this.#senderWakes !== at) return;
      this.#senderWakes = Infinity;
      this.#drainSender();
    });
  }

  #cast(cast: Cast): void {
    this.#sentBytes += cast.bytes;
    const sentAt = Math.floor(this.#now * 1000) % 2 ** 32;
    const at = this.#uplink.carry(this.#now, cast.bytes);
    if (at === undefined) return;
    const bytes = cast.bytes / cast.count;
    this.#events.add(at + this.#delayMs, () => {
      this.#stamp(cast, sentAt);
      this.#deliver((member, isLate) => {
        if (isLate) this.#stamp(cast, sentAt);
        for (let i = 0; i < cast.count; i++) {
          if (member.survives(this.#now, bytes)) member.symbol(this.#now, this.#packets[i]);
        }
      });
    });
  }

  /** The headers of a cast, once for all receivers. */
  #stamp({ piece, parityOf, first, sequence, count }: Cast, sentAt: number): void {
    for (let i = 0; i < count; i++) {
      const packet = this.#packets[i] ??= new Uint8Array(this.#packetBytes);
      const { block, index } = this.#shape.placeOf(piece, parityOf, first + i);
      writeChunkHeader(packet, block, index, piece);
      stampChunkHeader(packet, 0, this.#tag, (sequence + i) % 2 ** 32, sentAt);
    }
  }

  #deliver(act: (member: Member, isLate: boolean) => void): void {
    for (const member of this.#members) {
      const until = endOfPause(member.plan.pauses, this.#now);
      if (until === this.#now) this.#deliverTo(member, act, false);
      // It lies in the socket until then.
      else this.#events.add(until, () => this.#deliverTo(member, act, true));
    }
  }

  #deliverTo(member: Member, act: (member: Member, isLate: boolean) => void, isLate: boolean): void {
    if (!member.receiver || member.isOver || member.plan.isDeaf) return;
    act(member, isLate);
    if (member.hand.isWhole && !member.isOver) {
      member.doneAt = this.#now;
      // It says so, as any puller does.
      member.controlBytes += DONE_BYTES;
      this.#events.add(this.#now + this.#delayMs, () => this.#leave(member));
    }
    this.#tend(member);
  }
}

/** When somebody has time again; `now` when he has. */
function endOfPause(pauses: readonly Pause[] = [], now: number): number {
  return pauses.find(([from, to]) => now >= from && now < to)?.[1] ?? now;
}

/** A PULL_REQUEST that asks for nothing. */
const DONE_BYTES = 139;

class Member {
  readonly plan: GroupMemberPlan;
  readonly hand: CountingHand;
  receiver: GroupReceiver | undefined;
  wakes = Infinity;
  doneAt: number | undefined;
  left: LeaveReason | undefined;
  controlBytes = 0;
  requests = 0;
  readonly #random: SeededRandom;
  readonly #group: Group;
  readonly #line: Line | undefined;
  /** Packets until the next loss. */
  #untilLoss: number;

  constructor(index: number, { seed }: GroupPlan, plan: GroupMemberPlan, shape: Shape, group: Group) {
    this.plan = plan;
    this.hand = new CountingHand(shape);
    this.#random = seededRandom(seed, `member ${index}`);
    this.#group = group;
    this.#line = plan.lineRate === undefined ? undefined : new Line(plan.lineRate);
    this.#untilLoss = this.#drawLoss();
  }

  get isOver(): boolean {
    return this.doneAt !== undefined || this.left !== undefined;
  }

  get result(): GroupMemberResult {
    return {
      controlBytes: this.controlBytes,
      ...(this.doneAt !== undefined && { doneAt: this.doneAt }),
      ...(this.left && { left: this.left }),
    };
  }

  join(now: number): void {
    const grant = { token: this.#random.bytes(104), pullKey: this.#random.bytes(32) };
    this.receiver = new GroupReceiver(now, {
      engine: defaultEngine(),
      random: (length) => this.#random.bytes(length),
      grant: () => grant,
      group: this.#group,
      tag: this.#random.bytes(8),
      roundTrip: 2,
      needs: this.hand,
      drops: new DropCounter(),
    });
    this.receiver.handleTimeout(now);
  }

  survives(now: number, bytes: number): boolean {
    if (this.#untilLoss-- <= 0) {
      this.#untilLoss = this.#drawLoss();
      return false;
    }
    return this.#line === undefined || this.#line.carry(now, bytes) !== undefined;
  }

  symbol(now: number, packet: Uint8Array): void {
    this.receiver!.handleSymbol(now, packet);
    this.hand.accept(packet);
  }

  status(now: number, packet: Uint8Array): void {
    if (this.survives(now, packet.length)) this.receiver!.handleStatus(now, packet);
  }

  /** How many packets come before one is lost: of chance, geometric. */
  #drawLoss(): number {
    const { lossRate = 0 } = this.plan;
    if (lossRate === 0) return Infinity;
    return Math.floor(Math.log(1 - this.#random.float()) / Math.log(1 - lossRate));
  }
}

/** A line with a queue: what would wait too long is lost. */
class Line {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  carry(now: number, bytes: number): number | undefined {
    const from = Math.max(now, this.#freeAt);
    if (from - now > QUEUE_MS) return undefined;
    return this.#freeAt = from + bytes / this.#bytesPerMs;
  }
}

/** Events by time; those of one time in the order in which they came. */
class EventQueue {
  readonly #heap: (Event & { readonly number: number })[] = [];
  #number = 0;

  add(at: number, act: () => void): void {
    if (at === Infinity) return;
    const heap = this.#heap;
    heap.push({ at, act, number: this.#number++ });
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i], heap[parent])) break;
      [heap[i], heap[parent]] = [heap[parent], heap[i]];
      i = parent;
    }
  }

  take(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (!last || last === first) return first;
    heap[0] = last;
    for (let i = 0;;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      let least = i;
      if (left < heap.length && isBefore(heap[left], heap[least])) least = left;
      if (right < heap.length && isBefore(heap[right], heap[least])) least = right;
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least], heap[i]];
      i = least;
    }
  }
}

function isBefore(a: Event & { number: number }, b: Event & { number: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number);
}
