import type { Libc } from "./_libc.ts";
import { CMSG_BYTES, encodeSegmentSize, Messages, MMSGHDR_BYTES } from "./_mmsg.ts";
import { SOCKADDR_BYTES } from "./_sockaddr.ts";
import { bodyCount, type SplitDatagrams, splitDatagramsMax } from "./link.ts";

/** Messages that one row makes at most: as many as datagrams, if each run is one. */
const messagesMax = splitDatagramsMax;
/** V8 keeps typed arrays up to 64 bytes in its own heap. */
const movedBytesMax = 64;

/** What ends a run, and is shorter than the others. */
interface Short {
  readonly address: number;
  readonly bytes: number;
  /** Which of all datagrams it is. */
  readonly number: number;
}

/**
 * Datagrams that lie apart, laid out for `sendmmsg`, which collects each message from many places. The messages are as few as can be and
 * about equal: a long one costs hardly more than a short one. In each only the last datagram may be shorter than the others, so those that
 * end runs are spread over the messages.
 */
export class SplitOutgoing {
  /** How many messages it is. */
  messages = 0;
  readonly #libc: Libc;
  readonly #rows: Messages;
  readonly #name = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
  readonly #control = new Uint8Array(new ArrayBuffer(CMSG_BYTES));
  readonly #nameAddress: number;
  readonly #controlAddress: number;
  /** The first datagram of each message, as they are laid out; one more says where the last message ends. */
  readonly #firsts = new Uint32Array(messagesMax + 1);
  /** Bytes of all messages before each. */
  readonly #bytesBefore = new Uint32Array(messagesMax + 1);
  readonly #shorts: Short[] = [];

  constructor(libc: Libc) {
    this.#libc = libc;
    const addressOf = (buffer: Uint8Array<ArrayBuffer>) => libc.addressOf(buffer);
    this.#rows = new Messages(messagesMax, addressOf, 2 * splitDatagramsMax);
    this.#nameAddress = addressOf(this.#name);
    this.#controlAddress = addressOf(this.#control);
  }

  /** Datagrams of the messages from number `first` to before `end`. */
  datagrams(first: number, end = first + 1): number {
    return this.#firsts[end] - this.#firsts[first];
  }

  /** Bytes of the same. */
  bytes(first: number, end = first + 1): number {
    return this.#bytesBefore[end] - this.#bytesBefore[first];
  }

  /** Lays out a row for a peer, with at most `perMessage` datagrams in a message. @throws {RangeError} when they are too many */
  lay(split: SplitDatagrams, sockaddr: Uint8Array, perMessage: number): void {
    const { peer: { port }, headers, headerBytes, runs, bodyBytes } = split;
    this.#name.set(sockaddr);
    this.#name[2] = port >> 8;
    this.#name[3] = port;
    encodeSegmentSize(this.#control, headerBytes + bodyBytes);
    const count = this.#count(split);
    const shorts = this.#shorts;
    this.messages = Math.max(shorts.length, Math.ceil(count / perMessage));
    const headersAddress = this.#addressOf(headers);
    const rows = this.#rows;
    let message = 0;
    let [at, end] = [0, this.#endOf(0, 0, count)];
    const close = () => {
      const short = shorts[message];
      if (short) {
        rows.setBuffer(2 * at, headersAddress + short.number * headerBytes, headerBytes);
        rows.setBuffer(2 * at + 1, short.address, short.bytes);
        at++;
      }
      this.#close(message++, at, sockaddr.length, headerBytes, bodyBytes, short);
      end = this.#endOf(message, at, count);
    };
    let number = 0;
    for (const run of runs) {
      const address = this.#addressOf(run);
      for (let from = 0; from < run.length; from += bodyBytes, number++) {
        if (run.length - from < bodyBytes) continue;
        while (at === end) close();
        rows.setBuffer(2 * at, headersAddress + number * headerBytes, headerBytes);
        rows.setBuffer(2 * at + 1, address + from, bodyBytes);
        at++;
      }
    }
    while (message < this.messages) close();
  }

  /** Sends messages from number `first` on: how many the system took, or -1 when it took none. */
  send(descriptor: number, first: number): number {
    const rows = first === 0 ? this.#rows.bytes : this.#rows.bytes.subarray(first * MMSGHDR_BYTES);
    const sent = this.#libc.call.sendmmsg(descriptor, rows, this.messages - first, 0);
    return sent <= 0 ? -1 : sent;
  }

  /** How many datagrams they are; notes the short ones. */
  #count(split: SplitDatagrams): number {
    this.#shorts.length = 0;
    let count = 0;
    for (const run of split.runs) {
      count += bodyCount(run, split);
      const last = (bodyCount(run, split) - 1) * split.bodyBytes;
      const bytes = run.length - last;
      if (bytes >= split.bodyBytes) continue;
      this.#shorts.push({ address: this.#addressOf(run) + last, bytes, number: count - 1 });
    }
    if (count <= splitDatagramsMax) return count;
    throw new RangeError(`${count} datagrams at once, at most ${splitDatagramsMax} are possible`);
  }

  /** The runtime moves small arrays until somebody has asked for their buffer, as `subarray` does. */
  #addressOf(bytes: Uint8Array): number {
    const still = bytes.length > movedBytesMax ? bytes : bytes.subarray();
    return this.#libc.addressOf(still as Uint8Array<ArrayBuffer>);
  }

  /** Up to where datagrams of full size go into a message: a short one that ends it has its place behind them. */
  #endOf(message: number, at: number, count: number): number {
    const size = Math.ceil((count - at) / Math.max(1, this.messages - message));
    return at + size - (message < this.#shorts.length ? 1 : 0);
  }

  #close(
    message: number,
    end: number,
    nameBytes: number,
    headerBytes: number,
    bodyBytes: number,
    short: Short | undefined,
  ): void {
    const rows = this.#rows;
    const first = this.#firsts[message];
    this.#firsts[message + 1] = end;
    const lacking = short ? bodyBytes - short.bytes : 0;
    const bytes = (end - first) * (headerBytes + bodyBytes) - lacking;
    this.#bytesBefore[message + 1] = this.#bytesBefore[message] + bytes;
    const isTrain = end - first > 1;
    rows.setName(message, this.#nameAddress, nameBytes);
    rows.setParts(message, 2 * first, 2 * (end - first));
    rows.setControl(message, isTrain ? this.#controlAddress : 0, isTrain ? CMSG_BYTES : 0);
  }
}
