import type { Libc } from "./_libc.ts";
import { checked } from "./_poller.ts";

/*
 * A ring of blocks that the kernel writes arriving frames to, in memory that is shared with it: `TPACKET_V3` (Linux,
 * include/uapi/linux/if_packet.h). A block is handed over when it is full, or some time after its first frame.
 *
 *   block   version 4, offset 4, status 4, frames 4, offset of the first 4, bytes used 4, …
 *   frame   offset of the next 4, time 8, bytes here 4, bytes in all 4, status 4, offset of the Ethernet header 2, …
 */
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const TPACKET_V3 = 2;
const TP_STATUS_KERNEL = new Uint8Array(4);
const TP_STATUS_USER = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

const BLOCK = { bytes: 24, status: 2, frames: 3, first: 4, used: 5 };
const FRAME = { next: 0, captured: 3, length: 4, ethernet: 24 };

/** A block holds the longest frame there is, and some eighty of 1514 bytes. */
const blockBytes = 128 * 1024;
const blockCount = 32;
/** What the kernel reckons a ring in; frames here are as long as they are. */
const frameBytes = 2048;
/** The least there is: how long a frame may lie in a block that is not full. */
const retireMs = 1;

/** What the kernel takes of a block beside a frame's bytes: its headers, and what aligns them. */
const frameOverheadBytes = 128;

/** See above. */
export class FrameRing {
  readonly #libc: Libc;
  readonly #at: bigint;
  readonly #head = new Uint32Array(BLOCK.bytes / 4);
  readonly #block = new Uint8Array(new ArrayBuffer(blockBytes));
  readonly #words = new DataView(this.#block.buffer);
  readonly #fence = new Int32Array(1);
  #next = 0;

  private constructor(libc: Libc, at: bigint) {
    this.#libc = libc;
    this.#at = at;
  }

  /** Makes one for a socket. @throws {Error} with a `code` */
  static open(libc: Libc, descriptor: number): FrameRing {
    const { call } = libc;
    const set = (name: string, option: number, value: Uint32Array<ArrayBuffer>) =>
      checked(libc, name, call.setsockopt(descriptor, SOL_PACKET, option, value, value.byteLength));
    set("PACKET_VERSION", PACKET_VERSION, Uint32Array.of(TPACKET_V3));
    // `struct tpacket_req3`.
    const bytes = blockBytes * blockCount;
    const shape = [blockBytes, blockCount, frameBytes, bytes / frameBytes, retireMs, 0, 0];
    set("PACKET_RX_RING", PACKET_RX_RING, Uint32Array.from(shape));
    const at = call.mmap(0n, BigInt(bytes), PROT_READ_WRITE, MAP_SHARED, descriptor, 0n);
    if (at === MAP_FAILED) checked(libc, "mmap", -1);
    return new FrameRing(libc, at);
  }

  /** How many frames of so many bytes may arrive in one burst: all blocks but the one that is being read. */
  static burstFrames(bytes: number): number {
    return (blockCount - 1) * Math.floor((blockBytes - 64) / (bytes + frameOverheadBytes));
  }

  /**
   * The frames of the next block, copied out of it, so that the kernel has it back at once; `undefined` when there is none. They are good
   * until the next call. A frame that the ring has cut off is an empty one.
   */
  take(): Uint8Array[] | undefined {
    const { call } = this.#libc;
    const at = this.#at + BigInt(this.#next * blockBytes);
    call.peek(this.#head, at, BigInt(BLOCK.bytes));
    if ((this.#head[BLOCK.status] & TP_STATUS_USER) === 0) return undefined;
    // Where loads may overtake each other (aarch64), what is in the block must not be read before its status.
    Atomics.add(this.#fence, 0, 1);
    const used = Math.min(this.#head[BLOCK.used], blockBytes);
    call.peek(this.#block, at, BigInt(used));
    call.poke(at + BigInt(BLOCK.status * 4), TP_STATUS_KERNEL, 4n);
    this.#next = (this.#next + 1) % blockCount;
    return this.#frames(this.#head[BLOCK.frames], this.#head[BLOCK.first]);
  }

  /** Gives the memory back; the socket has to be closed as well. */
  close(): void {
    this.#libc.call.munmap(this.#at, BigInt(blockBytes * blockCount));
  }

  #frames(count: number, first: number): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (let i = 0, at = first; i < count; i++) {
      const captured = this.#words.getUint32(at + FRAME.captured * 4, true);
      const isWhole = captured === this.#words.getUint32(at + FRAME.length * 4, true);
      const start = at + this.#words.getUint16(at + FRAME.ethernet, true);
      frames.push(this.#block.subarray(start, start + (isWhole ? captured : 0)));
      at += this.#words.getUint32(at + FRAME.next * 4, true);
    }
    return frames;
  }
}
