import type { Libc } from "./_libc.ts";
import { CMSG_BYTES, decodeSegmentSize, Messages } from "./_mmsg.ts";
import { SOCKADDR_BYTES, type Sockaddrs } from "./_sockaddr.ts";
import type { Datagrams } from "./link.ts";

/**
 * Messages that one call fetches at most: 1 MiB, if all are trains, which fits near caches and keeps the reader from everything else for
 * some ms. 64 are no faster, measured.
 */
const messagesMax = 16;
/** Room for the longest message there is. A cache line more than that: equal offsets of all slots would share few places of a cache. */
const slotBytes = 65536 + 64;
const nameStride = 32;
const controlStride = 32;

/** Datagrams of this size and more have views that are kept: at most 86 in each buffer then. */
const viewedBytesMin = 768;

/** A message did not fit its buffer. */
const MSG_TRUNC = 0x20;

/** The buffers that `recvmmsg` fills: memory is touched only as far as it is needed. */
export class Incoming {
  readonly #slots = Array.from({ length: messagesMax }, () => new SlotViews());
  readonly #libc: Libc;
  readonly #messages: Messages;
  readonly #names = new Uint8Array(new ArrayBuffer(messagesMax * nameStride));
  readonly #controls = new Uint8Array(new ArrayBuffer(messagesMax * controlStride));
  readonly #buffers = new Uint8Array(new ArrayBuffer(messagesMax * slotBytes));
  /** Messages that the latest call has written to. */
  #used = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
    const addressOf = (buffer: Uint8Array<ArrayBuffer>) => libc.addressOf(buffer);
    this.#messages = new Messages(messagesMax, addressOf);
    const [names, controls, buffers] = [this.#names, this.#controls, this.#buffers].map(addressOf);
    for (let i = 0; i < messagesMax; i++) {
      this.#messages.setName(i, names + i * nameStride, SOCKADDR_BYTES);
      this.#messages.setControl(i, controls + i * controlStride, CMSG_BYTES);
      this.#messages.setBuffer(i, buffers + i * slotBytes, slotBytes);
    }
  }

  /** Fetches what has arrived, without waiting: how many messages, or -1 when it fails. What was read before is overwritten. */
  receive(descriptor: number): number {
    for (let i = 0; i < this.#used; i++) this.#messages.resetRoom(i, SOCKADDR_BYTES, CMSG_BYTES);
    const count = this.#libc.call.recvmmsg(descriptor, this.#messages.bytes, messagesMax, 0, null);
    this.#used = Math.max(0, count);
    return count;
  }

  /** A message, one datagram or several of one peer; `undefined` when a part of it is missing. */
  read(index: number, sockaddrs: Sockaddrs): Datagrams | undefined {
    const messages = this.#messages;
    if ((messages.flags(index) & MSG_TRUNC) !== 0) return undefined;
    const name = index * nameStride;
    const peer = sockaddrs.peer(this.#names.subarray(name, name + messages.nameBytes(index)));
    const length = messages.length(index);
    const bytes = this.#buffers.subarray(index * slotBytes, index * slotBytes + length);
    const segmentSize = this.#segmentSize(index) || length;
    if (segmentSize >= length) return { peer, bytes, segmentSize };
    return { peer, bytes, segmentSize, views: this.#slots[index].of(bytes, segmentSize) };
  }

  #segmentSize(index: number): number {
    const bytes = this.#messages.controlBytes(index);
    if (bytes === 0) return 0;
    const at = index * controlStride;
    return decodeSegmentSize(this.#controls.subarray(at, at + bytes));
  }
}

/**
 * Views of the datagrams in one buffer. Trains of one size follow each other there, so what is made for the first serves all: 46 views
 * for each chunk would be a third of what a puller leaves to the collector of garbage.
 */
class SlotViews {
  #views: Uint8Array[] = [];
  #segmentSize = 0;

  /** Of the datagrams of full size; perhaps of some behind them. `bytes` begins where the buffer does. */
  of(bytes: Uint8Array, segmentSize: number): readonly Uint8Array[] {
    // Small datagrams are few. Those of a stranger must not have us keep a view for each byte.
    if (segmentSize < viewedBytesMin) return [];
    // Another array: who got the old one goes by its length.
    if (segmentSize !== this.#segmentSize) this.#views = [];
    this.#segmentSize = segmentSize;
    for (let at = this.#views.length * segmentSize; at + segmentSize <= bytes.length; at += segmentSize) {
      this.#views.push(bytes.subarray(at, at + segmentSize));
    }
    return this.#views;
  }
}
