import { systemError } from "./_errno.ts";
import type { Libc } from "./_libc.ts";

// Linux, include/uapi/linux/eventpoll.h and fcntl.h.
const EPOLL_CTL_ADD = 1;
const EPOLL_CLOEXEC = 0o2000000;
const EFD_CLOEXEC = 0o2000000;

/** A socket can be read from, or has failed. */
export const READABLE = 1;
/** A socket takes more to send, or has failed. */
export const WRITABLE = 4;

/**
 * Waits in a thread of the runtime's pool until a socket is ready, and can be told to stop. The thread waits on an epoll descriptor, which
 * does not keep the socket open: closing that frees its port at once, whoever waits.
 */
export class Readiness {
  readonly #libc: Libc;
  readonly #epoll: number;
  /** Readable once nobody is to wait any more. */
  readonly #stop: number;
  // 16 bytes hold one `struct epoll_event`, packed (x86_64) or not; which descriptor it was does not matter.
  readonly #event = new Uint8Array(new ArrayBuffer(16));
  #waiting: Promise<void> | undefined;
  #closed = false;

  /** @throws {Error} with a `code`, when there are too many open files */
  constructor(libc: Libc, socket: number, events: number) {
    this.#libc = libc;
    const { call } = libc;
    this.#epoll = checked(libc, "epoll_create1", call.epoll_create1(EPOLL_CLOEXEC));
    this.#stop = call.eventfd(0, EFD_CLOEXEC);
    try {
      checked(libc, "eventfd", this.#stop);
      this.#add(socket, events);
      this.#add(this.#stop, READABLE);
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Until the socket is ready, or `ms` are over (-1: never), or this is closed. Whoever waits already is joined. */
  wait(ms: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return this.#waiting ??= this.#libc.call.epoll_wait(this.#epoll, this.#event, 1, ms).then(() => {
      this.#waiting = undefined;
    });
  }

  /** Ends waiting; done when nobody waits and all is given back. Twice is an error of the caller. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting === undefined) return Promise.resolve(this.#release());
    this.#libc.call.eventfd_write(this.#stop, 1n);
    return this.#waiting.then(() => this.#release());
  }

  #add(descriptor: number, events: number): void {
    new DataView(this.#event.buffer).setUint32(0, events, true);
    const { call } = this.#libc;
    checked(this.#libc, "epoll_ctl", call.epoll_ctl(this.#epoll, EPOLL_CTL_ADD, descriptor, this.#event));
  }

  #release(): void {
    this.#libc.call.close(this.#epoll);
    if (this.#stop >= 0) this.#libc.call.close(this.#stop);
  }
}

/** What a system call returned, unless that is -1. */
export function checked(libc: Libc, name: string, result: number): number {
  if (result < 0) throw systemError(name, libc.errno());
  return result;
}
