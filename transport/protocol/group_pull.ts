/*
 * The part of a pull that comes from a multicast group: what arrives goes into the pieces in hand unasked, and what these lack is asked for
 * by the group's receiver. While it is in a group a pull asks for nothing else. When it leaves, the pieces stay in hand, and it goes on by
 * its own requests.
 */
import type { Group } from "../../codec/group.ts";
import { chunkDataPiece } from "../../codec/packet.ts";
import type { Assembly } from "./assembly.ts";
import type { DropCounter } from "./drops.ts";
import { GroupReceiver, hasGroupTag, leaveWords } from "./group_receiver.ts";
import type { PiecesInHand } from "./pieces_in_hand.ts";
import type { PullerOptions, PullerOutput } from "./puller_types.ts";
import type { Source } from "./source.ts";

/** Who has sent a symbol of a group: nobody who could be told from others. */
export const GROUP_SENDER = 255;
/** So many wrong pieces may come of a group, and this share of all: anybody in it can forge. */
const WRONG_MIN = 3;
const WRONG_SHARE = 0.01;

/** A pull's membership of a group: none, as long as it has not joined one. */
export class GroupPull {
  /** Bytes of CHUNK_DATA received, headers included. */
  bytesReceived = 0;
  readonly #options: PullerOptions;
  readonly #drops: DropCounter;
  readonly #emit: (output: PullerOutput) => void;
  #state: "none" | "joining" | "in" | "left" = "none";
  #source: Source | undefined;
  #group: Group | undefined;
  #hand: PiecesInHand | undefined;
  #receiver: GroupReceiver | undefined;
  #pieces = 0;
  #wrong = 0;

  /** In no group. */
  constructor(options: PullerOptions, drops: DropCounter, emit: (output: PullerOutput) => void) {
    this.#options = options;
    this.#drops = drops;
    this.#emit = emit;
  }

  /** Whether it is in a group, or about to be: then nothing is asked for otherwise. */
  get isMember(): boolean {
    return this.#state === "joining" || this.#state === "in";
  }

  /** Packets that came. */
  get received(): number {
    return this.#receiver?.weather.received ?? 0;
  }

  /** Packets that did not come. */
  get lost(): number {
    return Math.max(0, (this.#receiver?.weather.sent ?? 0) - this.received);
  }

  /** Has the shell listen to the group of a source's grant; the hand has symbols of its size. */
  offer(source: Source, group: Group, hand: PiecesInHand): void {
    this.#state = "joining";
    this.#source = source;
    this.#group = group;
    this.#hand = hand;
    this.#emit({ kind: "join", group });
  }

  /** The shell listens, or (`ok` false) cannot. */
  joined(now: number, ok: boolean): void {
    if (!this.isMember) return;
    const { engine, random, limitRate } = this.#options;
    const { grant, flow, roundTrip } = this.#source!;
    const hand = this.#hand!;
    this.#state = ok ? "in" : "left";
    if (!ok) return;
    this.#receiver = new GroupReceiver(now, {
      engine,
      random,
      grant: () => this.#source!.grant ?? grant!,
      group: this.#group!,
      tag: flow!.tag,
      roundTrip,
      needs: { short: () => hand.short(), missing: () => hand.missing() },
      drops: this.#drops,
      ...(limitRate !== undefined && { limitRate }),
    });
    this.handleTimeout(now);
  }

  /** Whether a CHUNK_DATA packet is the group's. */
  owns(packet: Uint8Array): boolean {
    return this.#state === "in" && hasGroupTag(packet, this.#group!);
  }

  /** A packet of the group. Whether it brought something, and the piece that is whole by it. */
  handleSymbol(now: number, packet: Uint8Array): { readonly isNew: boolean; readonly whole?: Assembly } {
    this.bytesReceived += packet.length;
    this.#receiver!.handleSymbol(now, packet);
    const assembly = this.#hand!.adopt(chunkDataPiece(packet));
    const fate = assembly?.accept(packet, GROUP_SENDER);
    if (fate !== "new") {
      this.#drops.count(
        fate === undefined ? "late symbol" : fate === "malformed" ? "malformed" : "duplicate symbol",
      );
      return { isNew: false };
    }
    if (!assembly!.whole) return { isNew: true };
    this.#pieces++;
    return { isNew: true, whole: assembly! };
  }

  /** A GROUP_STATUS packet. Whether the exposer waits for more receivers, and silence is no fault. */
  handleStatus(now: number, packet: Uint8Array): boolean {
    if (this.#state !== "in") {
      this.#drops.count("unexpected");
      return false;
    }
    this.#receiver!.handleStatus(now, packet);
    const isGathering = this.#receiver!.status?.isGathering === true;
    this.#tend();
    return isGathering;
  }

  /** A piece was not what the exposure holds. */
  handleWrong(): void {
    if (this.#state !== "in") return;
    this.#wrong++;
    if (this.#wrong > Math.max(WRONG_MIN, WRONG_SHARE * this.#pieces)) this.#receiver!.leave("spoiled");
    this.#tend();
  }

  /** Nothing new has come for too long. Whether that was the group's fault. */
  handleStall(): boolean {
    if (this.#state !== "in") return false;
    this.#receiver!.leave("silent");
    this.#tend();
    return true;
  }

  /** When something is due. */
  get deadline(): number {
    return this.#state === "in" ? this.#receiver!.deadline : Infinity;
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    if (now < this.deadline) return;
    this.#receiver!.handleTimeout(now);
    this.#tend();
  }

  /** What the receiver has to say, and its end. */
  #tend(): void {
    const receiver = this.#receiver!;
    for (let bytes = receiver.nextPacket(); bytes; bytes = receiver.nextPacket()) {
      this.#emit({ kind: "send", to: this.#source!.address!, bytes });
    }
    if (!receiver.leaving) return;
    this.#state = "left";
    this.#emit({ kind: "leave", group: this.#group!, reason: leaveWords[receiver.leaving] });
  }
}
