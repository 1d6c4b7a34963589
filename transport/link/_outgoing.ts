import type { Libc } from "./_libc.ts";
import { CMSG_BYTES, encodeSegmentSize, Messages } from "./_mmsg.ts";
import { SOCKADDR_BYTES } from "./_sockaddr.ts";

/** Messages that one call sends at most. */
const messagesMax = 64;

/** Shorter payloads are copied: the runtime may move small arrays, so they have no address; and a copy is as fast as asking for it. */
const copiedBytesMax = 2048;

/** A row of datagrams to one peer, some of which are to be sent. */
export interface Train {
  /** The datagrams after each other. */
  readonly bytes: Uint8Array;
  /** Bytes of each, but perhaps the last. */
  readonly segmentSize: number;
  /** How many there are. */
  readonly count: number;
}

/** What is handed to `sendmmsg`. */
export class Outgoing {
  readonly #libc: Libc;
  readonly #messages: Messages;
  readonly #name = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
  readonly #control = new Uint8Array(new ArrayBuffer(CMSG_BYTES));
  readonly #copy = new Uint8Array(new ArrayBuffer(copiedBytesMax));
  readonly #nameAddress: number;
  readonly #controlAddress: number;
  readonly #copyAddress: number;

  constructor(libc: Libc) {
    this.#libc = libc;
    const addressOf = (buffer: Uint8Array<ArrayBuffer>) => libc.addressOf(buffer);
    this.#messages = new Messages(messagesMax, addressOf);
    [this.#nameAddress, this.#controlAddress, this.#copyAddress] = [this.#name, this.#control, this.#copy]
      .map(addressOf);
  }

  /**
   * Sends datagrams of a train from number `first` on, `perMessage` of them in each message, as many as one call takes. Answers with how
   * many of the datagrams the system took, or -1 when it took none.
   */
  send(
    descriptor: number,
    sockaddr: Uint8Array,
    port: number,
    train: Train,
    first: number,
    perMessage: number,
  ): number {
    const { bytes, segmentSize, count } = train;
    const messages = Math.min(messagesMax, Math.ceil((count - first) / perMessage));
    this.#name.set(sockaddr);
    this.#name[2] = port >> 8;
    this.#name[3] = port;
    if (perMessage > 1) encodeSegmentSize(this.#control, segmentSize);
    const address = this.#addressOf(bytes);
    for (let i = 0, at = first * segmentSize; i < messages; i++, at += perMessage * segmentSize) {
      const length = Math.min(perMessage * segmentSize, bytes.length - at);
      const isTrain = length > segmentSize;
      this.#messages.setName(i, this.#nameAddress, sockaddr.length);
      this.#messages.setBuffer(i, address + at, length);
      this.#messages.setControl(i, isTrain ? this.#controlAddress : 0, isTrain ? CMSG_BYTES : 0);
    }
    const sent = this.#libc.call.sendmmsg(descriptor, this.#messages.bytes, messages, 0);
    return sent <= 0 ? -1 : Math.min(sent * perMessage, count - first);
  }

  #addressOf(bytes: Uint8Array): number {
    if (bytes.length > copiedBytesMax) return this.#libc.addressOf(bytes as Uint8Array<ArrayBuffer>);
    this.#copy.set(bytes);
    return this.#copyAddress;
  }
}
