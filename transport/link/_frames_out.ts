import {
  encodeFrameHead,
  FRAME_HEAD_BYTES,
  MAC_ADDRESS_BYTES,
  TAG_802_1Q_BYTES,
} from "../../codec/ethernet_frame.ts";
import type { FrameOptions } from "../../codec/ethernet_frame.ts";
import type { Libc } from "./_libc.ts";
import { MMSGHDR_BYTES, setPointer } from "./_mmsg.ts";
import type { Train } from "./_outgoing.ts";

/** Frames that one call sends at most. */
const framesMax = 64;
const iovecBytes = 16;

/** Shorter payloads are copied: the runtime may move small arrays, so they have no address. */
const copiedBytesMax = 2048;

/** Room for one head, in a cache line of its own. */
const headStride = 64;

/**
 * Frames for `sendmmsg`: each message is a head and a piece of the caller's memory, which is not copied. All heads of a train are the same
 * but for that of a shorter last datagram, so there are two.
 */
export class FramesOut {
  readonly #libc: Libc;
  readonly #headBytes: number;
  /** The messages, then two iovecs of each. */
  readonly #messages = new Uint8Array(new ArrayBuffer(framesMax * (MMSGHDR_BYTES + 2 * iovecBytes)));
  readonly #words = new Uint32Array(this.#messages.buffer);
  readonly #heads = new Uint8Array(new ArrayBuffer(2 * headStride));
  readonly #headView = new DataView(this.#heads.buffer);
  readonly #copy = new Uint8Array(new ArrayBuffer(copiedBytesMax));
  readonly #headsAddress: number;
  readonly #copyAddress: number;

  constructor(libc: Libc, from: Pick<FrameOptions, "source" | "sourcePort" | "tag">) {
    this.#libc = libc;
    this.#headBytes = FRAME_HEAD_BYTES + (from.tag ? TAG_802_1Q_BYTES : 0);
    this.#headsAddress = libc.addressOf(this.#heads);
    this.#copyAddress = libc.addressOf(this.#copy);
    const destination = new Uint8Array(MAC_ADDRESS_BYTES);
    const head = encodeFrameHead({ ...from, destination, destinationPort: 0, payloadBytes: 0 });
    for (const at of [0, headStride]) this.#heads.set(head, at);
    const iovecs = libc.addressOf(this.#messages) + framesMax * MMSGHDR_BYTES;
    for (let i = 0; i < framesMax; i++) {
      const word = i * MMSGHDR_BYTES / 4;
      setPointer(this.#words, word + 4, iovecs + i * 2 * iovecBytes);
      this.#words[word + 6] = 2;
      this.#words[this.#iovec(i) + 2] = this.#headBytes;
    }
  }

  /**
   * Sends datagrams of a train from number `first` on, as many as one call takes. Answers with how many of them the system took, or -1 when
   * it took none.
   */
  send(descriptor: number, destination: Uint8Array, port: number, train: Train, first: number): number {
    const { bytes, segmentSize, count } = train;
    const frames = Math.min(framesMax, count - first);
    const lastBytes = bytes.length - (count - 1) * segmentSize;
    this.#setHead(0, destination, port, Math.min(segmentSize, bytes.length));
    this.#setHead(headStride, destination, port, lastBytes);
    const address = this.#addressOf(bytes);
    for (let i = 0, at = first * segmentSize; i < frames; i++, at += segmentSize) {
      const isLast = first + i === count - 1;
      const word = this.#iovec(i);
      setPointer(this.#words, word, this.#headsAddress + (isLast ? headStride : 0));
      setPointer(this.#words, word + 4, address + at);
      this.#words[word + 6] = isLast ? lastBytes : segmentSize;
    }
    const sent = this.#libc.call.sendmmsg(descriptor, this.#messages, frames, 0);
    return sent <= 0 ? -1 : sent;
  }

  /** Where the two iovecs of a message begin, in words. */
  #iovec(message: number): number {
    return (framesMax * MMSGHDR_BYTES + message * 2 * iovecBytes) / 4;
  }

  #setHead(at: number, destination: Uint8Array, port: number, payloadBytes: number): void {
    this.#heads.set(destination, at);
    const end = at + this.#headBytes;
    this.#headView.setUint16(end - 6, port);
    this.#headView.setUint16(end - 2, payloadBytes);
  }

  #addressOf(bytes: Uint8Array): number {
    if (bytes.length > copiedBytesMax) return this.#libc.addressOf(bytes as Uint8Array<ArrayBuffer>);
    this.#copy.set(bytes);
    return this.#copyAddress;
  }
}
