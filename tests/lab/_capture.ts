/*
 * What a network card receives, with the tags of 802.1Q, which the kernel takes off a frame and tells of beside it: a capture as those of
 * libpcap, by a socket that sees all frames (Linux, packet(7): PACKET_AUXDATA).
 */
const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK = 3 | 0o4000;
/** `ETH_P_ALL` in network order. */
const ALL_FRAMES = 0x0300;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const TP_STATUS_VLAN_VALID = 1 << 4;
const POLL_MS = 10;
const POLLS_MAX = 500;

/** A frame. */
export interface Captured {
  /** From the destination on, without its tag. */
  readonly bytes: Uint8Array;
  /** The tag's 16 bits. */
  readonly tag?: number;
}

const functions = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** Sees all frames that come to the namespace that it was made in, until it is disposed of. */
export class Capture implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", functions);
  readonly #socket: number;
  readonly #frame = new Uint8Array(new ArrayBuffer(65536));
  /** `struct cmsghdr`, 16 bytes, then `struct tpacket_auxdata`: status 4, length 4, captured 4, two offsets of 2, tag 2, its EtherType 2. */
  readonly #control = new Uint8Array(new ArrayBuffer(4096));
  /** `struct msghdr`, 56 bytes, then one `struct iovec`. */
  readonly #message = new BigUint64Array(9);

  constructor() {
    const { symbols } = this.#library;
    this.#socket = symbols.socket(AF_PACKET, SOCK_RAW_NONBLOCK, ALL_FRAMES);
    if (this.#socket < 0) throw new Error("a capture needs the capability CAP_NET_RAW");
    symbols.setsockopt(this.#socket, SOL_PACKET, PACKET_AUXDATA, Int32Array.of(1), 4);
  }

  /** The next frame that is so, waited for. @throws {Error} when none comes in 5 s */
  async next(isSo: (frame: Captured) => boolean): Promise<Captured> {
    for (let polls = 0; polls < POLLS_MAX;) {
      const frame = this.#take();
      if (frame === undefined) {
        polls++;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      } else if (isSo(frame)) return frame;
    }
    throw new Error("no such frame was captured");
  }

  /** All frames that have come since the last look. */
  take(): Captured[] {
    const frames: Captured[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  /** See {@linkcode Disposable}. */
  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#socket);
    this.#library.close();
  }

  #take(): Captured | undefined {
    const addressOf = (bytes: BufferSource) => BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
    const iovec = addressOf(this.#message) + 56n;
    const facts = [0n, 0n, iovec, 1n, addressOf(this.#control), BigInt(this.#control.length), 0n];
    this.#message.set([...facts, addressOf(this.#frame), BigInt(this.#frame.length)]);
    const length = Number(this.#library.symbols.recvmsg(this.#socket, this.#message, 0));
    if (length < 0) return undefined;
    const bytes = this.#frame.slice(0, length);
    const view = new DataView(this.#control.buffer);
    const hasTag = this.#message[5] >= 36n && (view.getUint32(16, true) & TP_STATUS_VLAN_VALID) !== 0;
    return hasTag ? { bytes, tag: view.getUint16(32, true) } : { bytes };
  }
}
