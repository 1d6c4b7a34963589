/*
 * The structures of `sendmmsg` and `recvmmsg`: Linux on 64 bits, little-endian; x86_64 and aarch64 are the same. musl fills with padding
 * what glibc makes 8 bytes of (`iovlen`, `controllen`): where the low bytes come first that is the same too.
 *
 *   mmsghdr  name 8, namelen 4 (+4), iov 8, iovlen 8, control 8, controllen 8, flags 4 (+4), then len 4 (+4)
 *   iovec    base 8, len 8
 *   cmsghdr  len 8, level 4, type 4, then data, in all a multiple of 8
 */

/** Bytes of a `mmsghdr`. */
export const MMSGHDR_BYTES = 64;
/** Bytes of a structure, and offsets in it as indices of 32-bit words. */
const MMSGHDR = {
  bytes: MMSGHDR_BYTES,
  name: 0,
  nameBytes: 2,
  iov: 4,
  iovCount: 6,
  control: 8,
  controlBytes: 10,
  flags: 12,
  length: 14,
};
const IOVEC_BYTES = 16;
const CMSG_HEADER_BYTES = 16;
/** A control message with a number in it, `CMSG_SPACE(4)`. */
export const CMSG_BYTES = 24;

/** A row of messages, each with one buffer, or with several parts one after the other. Addresses are numbers: those of user space fit. */
export class Messages {
  /** What the system call takes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Uint32Array;
  readonly #iovecs: number;

  readonly #iovecsAddress: number;

  /** `addressOf` tells where a buffer lies; `parts` is how many there are of all messages together. */
  constructor(count: number, addressOf: (buffer: Uint8Array<ArrayBuffer>) => number, parts = count) {
    this.bytes = new Uint8Array(new ArrayBuffer(count * MMSGHDR.bytes + parts * IOVEC_BYTES));
    this.#words = new Uint32Array(this.bytes.buffer);
    this.#iovecs = count * MMSGHDR.bytes / 4;
    this.#iovecsAddress = addressOf(this.bytes) + count * MMSGHDR.bytes;
    for (let i = 0; i < count; i++) this.setParts(i, i, 1);
  }

  /** A message is made of `count` parts, from part `first` of all on. */
  setParts(index: number, first: number, count: number): void {
    this.#setAddress(index * 16 + MMSGHDR.iov, this.#iovecsAddress + first * IOVEC_BYTES);
    this.#words[index * 16 + MMSGHDR.iovCount] = count;
  }

  /** The peer's address: where it lies, and how much room or how many bytes there are. */
  setName(index: number, address: number, bytes: number): void {
    this.#setAddress(index * 16 + MMSGHDR.name, address);
    this.#words[index * 16 + MMSGHDR.nameBytes] = bytes;
  }

  /** A part, or the buffer of a message that has one: where it lies, and its length. */
  setBuffer(index: number, address: number, bytes: number): void {
    const word = this.#iovecs + index * 4;
    this.#setAddress(word, address);
    this.#words[word + 2] = bytes;
  }

  /** The control message: where it lies, and how much room or how many bytes there are. */
  setControl(index: number, address: number, bytes: number): void {
    this.#setAddress(index * 16 + MMSGHDR.control, address);
    this.#words[index * 16 + MMSGHDR.controlBytes] = bytes;
  }

  /** Bytes of the peer's address, after receiving. */
  nameBytes(index: number): number {
    return this.#words[index * 16 + MMSGHDR.nameBytes];
  }

  /** Bytes of control messages, after receiving. */
  controlBytes(index: number): number {
    return this.#words[index * 16 + MMSGHDR.controlBytes];
  }

  /** Flags, after receiving. */
  flags(index: number): number {
    return this.#words[index * 16 + MMSGHDR.flags];
  }

  /** Bytes sent or received. */
  length(index: number): number {
    return this.#words[index * 16 + MMSGHDR.length];
  }

  /** Receiving overwrites how much room there is: this makes a message ready to receive again. */
  resetRoom(index: number, nameBytes: number, controlBytes: number): void {
    this.#words[index * 16 + MMSGHDR.nameBytes] = nameBytes;
    this.#words[index * 16 + MMSGHDR.controlBytes] = controlBytes;
  }

  #setAddress(word: number, address: number): void {
    setPointer(this.#words, word, address);
  }
}

/** Writes an address, 8 bytes, to a structure that is seen as words. */
export function setPointer(words: Uint32Array, word: number, address: number): void {
  words[word] = address >>> 0;
  words[word + 1] = Math.floor(address / 2 ** 32);
}

/** Options of UDP (Linux, include/uapi/linux/udp.h): a message goes out, or comes in, as datagrams of one size. */
export const SOL_UDP = 17;
const UDP_SEGMENT = 103;
/** As an option of the socket: it takes such messages. */
export const UDP_GRO = 104;

/** Writes the control message that has a long message sent as datagrams of `segmentSize` bytes each. */
export function encodeSegmentSize(into: Uint8Array, segmentSize: number): void {
  const view = new DataView(into.buffer, into.byteOffset, CMSG_BYTES);
  view.setUint32(0, CMSG_HEADER_BYTES + 2, true);
  view.setUint32(4, 0, true);
  view.setInt32(8, SOL_UDP, true);
  view.setInt32(12, UDP_SEGMENT, true);
  view.setUint16(16, segmentSize, true);
}

/**
 * The size of the datagrams that a received message holds after each other, or 0 when nothing says that there are several. Its control
 * messages are what stands from `start` on, before `end`.
 */
export function decodeSegmentSize(controls: DataView, start: number, end: number): number {
  for (let at = start; at + CMSG_HEADER_BYTES + 4 <= end;) {
    const length = controls.getUint32(at, true);
    if (length < CMSG_HEADER_BYTES) return 0;
    const isSize = controls.getInt32(at + 8, true) === SOL_UDP &&
      controls.getInt32(at + 12, true) === UDP_GRO;
    if (isSize && length >= CMSG_HEADER_BYTES + 4) {
      return Math.max(0, controls.getInt32(at + CMSG_HEADER_BYTES, true));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return 0;
}
