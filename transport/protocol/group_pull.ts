/*
 * The part of a pull that comes from a multicast group: what arrives goes into the pieces in hand unasked, and what these lack is asked for
 * by the group's receiver. When that leaves, the pieces stay in hand, and the pull goes on by its own requests.
 */
import { chunkDataPiece } from "../../codec/packet.ts";
import type { Group } from "../../codec/group.ts";
import type { Assembly } from "./assembly.ts";
import { GroupReceiver, hasGroupTag } from "./group_receiver.ts";
import type { GroupReceiverOptions, LeaveReason } from "./group_receiver.ts";
import type { PiecesInHand } from "./pieces_in_hand.ts";

/** So many wrong pieces may come of a group, and this share of all: anybody in it can forge. */
const WRONG_MIN = 3;
const WRONG_SHARE = 0.01;

/** A pull's membership of a group, from the moment that its socket listens. */
export class GroupPull {
  /** Bytes of CHUNK_DATA received, headers included. */
  bytesReceived = 0;
  readonly #options: Omit<GroupReceiverOptions, "needs">;
  readonly #hand: PiecesInHand;
  readonly #receiver: GroupReceiver;
  #pieces = 0;
  #wrong = 0;

  /** Joins at once. */
  constructor(now: number, hand: PiecesInHand, options: Omit<GroupReceiverOptions, "needs">) {
    this.#options = options;
    this.#hand = hand;
    this.#receiver = new GroupReceiver(now, {
      ...options,
      needs: { short: () => hand.short(), missing: () => hand.missing() },
    });
    this.#receiver.handleTimeout(now);
  }

  /** Which group. */
  get group(): Group {
    return this.#options.group;
  }

  /** Packets that came. */
  get received(): number {
    return this.#receiver.weather.received;
  }

  /** Packets that did not come. */
  get lost(): number {
    return Math.max(0, this.#receiver.weather.sent - this.received);
  }

  /** Whether the exposer waits for more receivers. */
  get isGathering(): boolean {
    return this.#receiver.status?.isGathering === true;
  }

  /** Whether a CHUNK_DATA packet is the group's. */
  owns(packet: Uint8Array): boolean {
    return hasGroupTag(packet, this.#options.group);
  }

  /** A packet of the group; with the assembly when a piece is whole now. `isNew`: it brought something. */
  handleSymbol(now: number, packet: Uint8Array): { readonly isNew: boolean; readonly whole?: Assembly } {
    this.bytesReceived += packet.length;
    this.#receiver.handleSymbol(now, packet);
    const assembly = this.#hand.adopt(chunkDataPiece(packet));
    const fate = assembly?.accept(packet);
    if (fate !== "new") {
      const { drops } = this.#options;
      drops.count(
        fate === undefined ? "late symbol" : fate === "malformed" ? "malformed" : "duplicate symbol",
      );
      return { isNew: false };
    }
    if (!assembly!.whole) return { isNew: true };
    this.#pieces++;
    return { isNew: true, whole: assembly! };
  }

  /** A GROUP_STATUS packet. */
  handleStatus(now: number, packet: Uint8Array): void {
    this.#receiver.handleStatus(now, packet);
  }

  /** A piece was not what the exposure holds. */
  handleWrong(): void {
    this.#wrong++;
    if (this.#wrong > Math.max(WRONG_MIN, WRONG_SHARE * this.#pieces)) this.#receiver.leave("spoiled");
  }

  /** Nothing new has come for too long. */
  handleStall(): void {
    this.#receiver.leave("silent");
  }

  /** Goes on under a new grant. */
  renew(grant: GroupReceiverOptions["grant"]): void {
    this.#receiver.renew(grant);
  }

  /** When something is due. */
  get deadline(): number {
    return this.#receiver.deadline;
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    if (now >= this.#receiver.deadline) this.#receiver.handleTimeout(now);
  }

  /** The next packet for the exposer. */
  nextPacket(): Uint8Array | undefined {
    return this.#receiver.nextPacket();
  }

  /** Why it is to be left; absent: it is not. */
  get leaving(): LeaveReason | undefined {
    return this.#receiver.leaving;
  }
}
