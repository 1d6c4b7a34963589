/*
 * TUN devices by foreign functions: packets that a kernel routes into one can be read here as they are, and what is written comes out
 * of it (Linux, Documentation/networking/tuntap.rst).
 */

const libc = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  // Sizes are below 2^31; as u32 they are plain numbers, which take a sixth of the time of a usize.
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  ppoll: { parameters: ["buffer", "u32", "buffer", "pointer"], result: "i32" },
  nanosleep: { parameters: ["buffer", "pointer"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
}).symbols;

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
const TUNSETIFF = 0x400454can;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const IFNAMSIZ = 16;
const POLLIN = 1;

/** One TUN device; it vanishes when it is closed. */
export class Tun {
  /** What the kernel calls it, in the namespace of this process. */
  readonly name: string;
  /** Its file descriptor. */
  readonly fd: number;

  /** Makes it, with a name that the kernel chooses. @throws {Error} where that is not allowed */
  constructor() {
    this.fd = libc.open(new TextEncoder().encode("/dev/net/tun\0"), O_RDWR | O_NONBLOCK);
    if (this.fd < 0) throw new Error("/dev/net/tun does not open");
    // struct ifreq: a name, here a pattern for one, and flags. Without IFF_VNET_HDR every packet comes in its final size.
    const request = new Uint8Array(40);
    new TextEncoder().encodeInto("rgtpwan%d", request);
    new DataView(request.buffer).setInt16(IFNAMSIZ, IFF_TUN | IFF_NO_PI, true);
    if (libc.ioctl(this.fd, TUNSETIFF, request) < 0) {
      this.close();
      throw new Error("a TUN device cannot be made here");
    }
    const name = request.subarray(0, IFNAMSIZ);
    this.name = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  }

  /** Reads one packet and returns its length; less than 1 when there is none. */
  read(into: Uint8Array<ArrayBuffer>): number {
    return libc.read(this.fd, into, into.length);
  }

  /** Writes one packet; whether it was taken. */
  write(packet: Uint8Array<ArrayBuffer>, length: number): boolean {
    return libc.write(this.fd, packet, length) === length;
  }

  /** See above. */
  close(): void {
    libc.close(this.fd);
  }
}

/** Sleeps until one of some file descriptors can be read. */
export class Poller {
  readonly #entries: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #count: number;
  readonly #time = new BigInt64Array(2);
  readonly #timeBytes = new Uint8Array(this.#time.buffer);

  /** For reading from these. */
  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    // struct pollfd: descriptor (4), events asked for (2), events that came (2).
    this.#entries = new Uint8Array(8 * fds.length);
    this.#view = new DataView(this.#entries.buffer);
    for (const [i, fd] of fds.entries()) {
      this.#view.setInt32(8 * i, fd, true);
      this.#view.setInt16(8 * i + 4, POLLIN, true);
    }
  }

  /** Sleeps at most so many ms (less than 1000). */
  wait(ms: number): void {
    this.#time[1] = BigInt(Math.max(0, Math.ceil(ms * 1e6)));
    if (libc.ppoll(this.#entries, this.#count, this.#timeBytes, null) >= 0) return;
    // A signal came, and nothing was looked at.
    for (let i = 0; i < this.#count; i++) this.#view.setInt16(8 * i + 6, 0, true);
  }

  /** Whether the last sleep ended as the descriptor of this index can be read, or has ended. */
  isReady(index: number): boolean {
    return this.#view.getInt16(8 * index + 6, true) !== 0;
  }
}

const sleepTime = new BigInt64Array(2);
const sleepTimeBytes = new Uint8Array(sleepTime.buffer);

/** Sleeps so many ms (less than 1000), whatever there is to read. */
export function sleep(ms: number): void {
  sleepTime[1] = BigInt(Math.ceil(ms * 1e6));
  libc.nanosleep(sleepTimeBytes, null);
}

/** Reads what there is of standard input; how many bytes that is, 0 at its end. */
export function readStdin(): number {
  return libc.read(0, new Uint8Array(256), 256);
}

/** Lets this thread sleep exactly, and run before others when it wakes up: it must never run for long. */
export function becomePunctual(): void {
  const [PR_SET_TIMERSLACK, SCHED_FIFO] = [29, 1];
  libc.prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n);
  libc.sched_setscheduler(0, SCHED_FIFO, new Uint8Array(Int32Array.of(1).buffer));
}
