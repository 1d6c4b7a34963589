import type { Address } from "../../codec/address.ts";
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
  readonly #libc: Libc;
  readonly #messages: Messages;
  readonly #slots: readonly Slot[];
  readonly #controls: DataView<ArrayBuffer>;
  /** Messages that the latest call has written to. */
  #used = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
    const addressOf = (buffer: Uint8Array<ArrayBuffer>) => libc.addressOf(buffer);
    this.#messages = new Messages(messagesMax, addressOf);
    const names = new Uint8Array(new ArrayBuffer(messagesMax * nameStride));
    const controls = new Uint8Array(new ArrayBuffer(messagesMax * controlStride));
    const buffers = new Uint8Array(new ArrayBuffer(messagesMax * slotBytes));
    const [namesAt, controlsAt, buffersAt] = [names, controls, buffers].map(addressOf);
    for (let i = 0; i < messagesMax; i++) {
      this.#messages.setName(i, namesAt + i * nameStride, SOCKADDR_BYTES);
      this.#messages.setControl(i, controlsAt + i * controlStride, CMSG_BYTES);
      this.#messages.setBuffer(i, buffersAt + i * slotBytes, slotBytes);
    }
    this.#controls = new DataView(controls.buffer);
    this.#slots = Array.from({ length: messagesMax }, (_, i) =>
      new Slot(
        names.subarray(i * nameStride, (i + 1) * nameStride),
        buffers.subarray(i * slotBytes, (i + 1) * slotBytes),
      ));
  }

  /** Fetches what has arrived, without waiting: how many messages, or -1 when it fails. What was read before is overwritten. */
  receive(descriptor: number): number {
    for (let i = 0; i < this.#used; i++) this.#messages.resetRoom(i, SOCKADDR_BYTES, CMSG_BYTES);
    const count = this.#libc.call.recvmmsg(descriptor, this.#messages.bytes, messagesMax, 0, null);
    this.#used = Math.max(0, count);
    return count;
  }

  /** Whether the latest call has fetched all that there was. */
  get isEmptied(): boolean {
    return this.#used > 0 && this.#used < messagesMax;
  }

  /** A message, one datagram or several of one peer; `undefined` when a part of it is missing. */
  read(index: number, sockaddrs: Sockaddrs): Datagrams | undefined {
    const messages = this.#messages;
    if ((messages.flags(index) & MSG_TRUNC) !== 0) return undefined;
    const slot = this.#slots[index];
    const peer = sockaddrs.peer(slot.name(messages.nameBytes(index)));
    const control = index * controlStride;
    const segmentSize = decodeSegmentSize(this.#controls, control, control + messages.controlBytes(index));
    return slot.datagrams(peer, messages.length(index), segmentSize);
  }
}

/**
 * Where one message arrives. Messages of one peer and of one size follow each other there, so what is made for one serves those after it:
 * views of its 46 datagrams for each chunk would be a third of what a puller leaves to the collector of garbage.
 */
class Slot {
  readonly #names: Uint8Array;
  readonly #buffer: Uint8Array;
  #name: Uint8Array;
  #latest: Datagrams | undefined;
  #views: Uint8Array[] = [];
  #segmentSize = 0;

  /** `names` and `buffer` are its parts of the memory. */
  constructor(names: Uint8Array, buffer: Uint8Array) {
    this.#names = this.#name = names;
    this.#buffer = buffer;
  }

  /** The peer's address, which has so many bytes. */
  name(length: number): Uint8Array {
    if (this.#name.length !== length) this.#name = this.#names.subarray(0, length);
    return this.#name;
  }

  /** The message, which has so many bytes; `segmentSize` is 0 when nothing says that it holds several datagrams. */
  datagrams(peer: Address, length: number, segmentSize: number): Datagrams {
    const size = segmentSize === 0 ? length : Math.min(segmentSize, length);
    const latest = this.#latest;
    const isSame = latest?.peer === peer && latest.bytes.length === length && latest.segmentSize === size;
    if (isSame) return latest;
    const bytes = this.#buffer.subarray(0, length);
    const views = size < length ? this.#viewsOf(bytes, size) : undefined;
    return this.#latest = { peer, bytes, segmentSize: size, ...(views && { views }) };
  }

  /** Of the datagrams of full size; perhaps of some behind them. */
  #viewsOf(bytes: Uint8Array, segmentSize: number): readonly Uint8Array[] {
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
