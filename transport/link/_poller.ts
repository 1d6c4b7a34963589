import { systemError } from "./_errno.ts";
import { Libc } from "./_libc.ts";
import { Turn } from "./_turn.ts";

// Linux, include/uapi/linux/eventpoll.h and fcntl.h.
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
const EPOLLERR_OR_HUP = 8 | 16;
const EPOLLONESHOT = 2 ** 30;
const EPOLLET = 2 ** 31;
const CLOEXEC = 0o2000000;

/** `struct epoll_event` is packed on x86_64 alone. */
const EVENT = { x86_64: { bytes: 12, data: 4 }, aarch64: { bytes: 16, data: 8 } } as const;
/** Events that one call brings; what is beyond comes with the next. */
const eventsMax = 64;

/** A socket can be read from, or has failed. */
export const READABLE = 1;
/** A socket takes more to send, or has failed. */
export const WRITABLE = 4;

/** Before waiting is tried again where it failed, so that a failure for good does not spin. */
const retryMs = 5;

type Waker = PromiseWithResolvers<void>;

/**
 * Waits for the sockets of all links of this isolate, in one thread of the runtime's pool: that pool has some 32 threads, and with one for
 * each link the 33rd would have to wait for ever, and with it whatever else needs the pool, such as reading a file.
 *
 * It waits on an epoll descriptor, which does not keep a socket open: closing that frees its port at once, whoever waits.
 */
export class Poller {
  /** The C library, as long as this is shared by anyone. */
  readonly libc: Libc;
  /** How long its links may go on without waiting, all of them together. */
  readonly turn: Turn = new Turn();
  readonly #epoll: number;
  /** Written to when nobody waits any more, so that the thread comes back. */
  readonly #stop: number;
  readonly #layout = EVENT[Deno.build.arch as keyof typeof EVENT];
  readonly #events = new DataView(new ArrayBuffer(eventsMax * this.#layout.bytes));
  readonly #change = new DataView(new ArrayBuffer(this.#layout.bytes));
  /** Who waits for what, by descriptor and event. A descriptor that is here is known to epoll. */
  readonly #watches = new Map<number, Map<number, Waker>>();
  #waiting = 0;
  #running = false;
  #users = 0;

  private constructor(libc: Libc) {
    this.libc = libc;
    const { call } = libc;
    this.#epoll = checked(libc, "epoll_create1", call.epoll_create1(CLOEXEC));
    this.#stop = call.eventfd(0, CLOEXEC);
    try {
      checked(libc, "eventfd", this.#stop);
      // Each edge is an event, so nobody has to read it.
      this.#control(EPOLL_CTL_ADD, this.#stop, READABLE + EPOLLET);
    } catch (error) {
      this.#closeDescriptors();
      throw error;
    }
  }

  /**
   * The one that all share while there is any; `undefined` where the C library cannot be had. Each call is answered by one of
   * {@linkcode Poller.release}.
   *
   * @throws {Error} with a `code`, when there are too many open files
   */
  static share(): Poller | undefined {
    if (shared === undefined) {
      const libc = Libc.load();
      if (libc === undefined) return undefined;
      try {
        shared = new Poller(libc);
      } catch (error) {
        libc.close();
        throw error;
      }
    }
    shared.#users++;
    return shared;
  }

  /** Gives back one share: the last one ends it, as soon as its thread has come back. Until then it can be shared again. */
  release(): void {
    if (--this.#users === 0 && !this.#running) this.#close();
  }

  /** Until the socket is ready for `event`, or is forgotten. May also end without a reason. */
  wait(descriptor: number, event: number): Promise<void> {
    let watch = this.#watches.get(descriptor);
    if (watch === undefined) {
      this.#control(EPOLL_CTL_ADD, descriptor, 0);
      this.#watches.set(descriptor, watch = new Map());
    }
    let waker = watch.get(event);
    if (waker === undefined) {
      watch.set(event, waker = Promise.withResolvers());
      this.#waiting++;
      this.#arm(descriptor, watch);
      if (!this.#running) this.#run();
    }
    return waker.promise;
  }

  /** Lets all go who wait for a socket. To be called when it is closed. */
  forget(descriptor: number): void {
    const watch = this.#watches.get(descriptor);
    if (watch === undefined) return;
    this.#watches.delete(descriptor);
    this.#waiting -= watch.size;
    for (const waker of watch.values()) waker.resolve();
    if (this.#running && this.#waiting === 0) this.libc.call.eventfd_write(this.#stop, 1n);
  }

  /** As long as anybody waits. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting > 0) {
      const { bytes, data } = this.#layout;
      const count = await this.libc.call.epoll_wait(this.#epoll, this.#events, eventsMax, -1);
      this.turn.begin();
      for (let at = 0; at < count * bytes; at += bytes) {
        this.#wake(this.#events.getUint32(at + data, true), this.#events.getUint32(at, true));
      }
      if (count < 0) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    this.#running = false;
    if (this.#users === 0) this.#close();
  }

  #wake(descriptor: number, happened: number): void {
    const watch = this.#watches.get(descriptor);
    if (watch === undefined) return;
    for (const [event, waker] of watch) {
      if ((happened & (event | EPOLLERR_OR_HUP)) === 0) continue;
      watch.delete(event);
      this.#waiting--;
      waker.resolve();
    }
    if (watch.size > 0) this.#arm(descriptor, watch);
  }

  /** Once, for all that is waited for: else the thread would come back for what nobody waits for now. */
  #arm(descriptor: number, watch: ReadonlyMap<number, Waker>): void {
    let events = EPOLLONESHOT;
    for (const event of watch.keys()) events += event;
    this.#control(EPOLL_CTL_MOD, descriptor, events);
  }

  #control(operation: number, descriptor: number, events: number): void {
    this.#change.setUint32(0, events, true);
    this.#change.setUint32(this.#layout.data, descriptor, true);
    const { call } = this.libc;
    checked(this.libc, "epoll_ctl", call.epoll_ctl(this.#epoll, operation, descriptor, this.#change));
  }

  #close(): void {
    shared = undefined;
    this.#closeDescriptors();
    this.libc.close();
  }

  #closeDescriptors(): void {
    this.libc.call.close(this.#epoll);
    if (this.#stop >= 0) this.libc.call.close(this.#stop);
  }
}

/** See {@linkcode Poller.share}. */
let shared: Poller | undefined;

/** What a system call returned, unless that is -1. @throws {Error} with a `code` */
export function checked(libc: Libc, name: string, result: number): number {
  if (result < 0) throw systemError(name, libc.errno());
  return result;
}
