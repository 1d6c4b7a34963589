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

/** A message did not fit its buffer. */
const MSG_TRUNC = 0x20;

/** The buffers that `recvmmsg` fills: memory is touched only as far as it is needed. */
export class Incoming {
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
    return { peer, bytes, segmentSize: this.#segmentSize(index) || length };
  }

  #segmentSize(index: number): number {
    const bytes = this.#messages.controlBytes(index);
    if (bytes === 0) return 0;
    const at = index * controlStride;
    return decodeSegmentSize(this.#controls.subarray(at, at + bytes));
  }
}
