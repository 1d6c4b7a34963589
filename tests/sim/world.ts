import { type Address, formatAddress } from "../../codec/address.ts";
import { type Delivery, type PathOptions, SimNetwork } from "./network.ts";

/** A program in the simulation. All times are virtual milliseconds. */
export interface SimHost {
  /** Where its packets arrive. */
  readonly address: Address;
  /** A packet has arrived. */
  deliver(now: number, from: Address, bytes: Uint8Array): void;
  /** When `timeout` is due; `Infinity` for never. Asked before every step. */
  deadline(): number;
  /** `deadline` has come. */
  timeout(now: number): void;
}

/** How a {@linkcode World} is made. */
export interface WorldOptions {
  /** All chance comes from it. */
  readonly seed: number;
  /** What all paths do, unless `world.network.setPath` says otherwise. */
  readonly path?: Partial<PathOptions>;
}

/** Steps in which the clock does not move before the run is given up as a host that spins. */
const stepsWithoutTimeMax = 100_000;

/** Hosts, the network between them, and the one clock. Nothing happens but by {@linkcode World.run}. */
export class World {
  /** The seed, for messages and for further streams of chance. */
  readonly seed: number;
  /** The network. */
  readonly network: SimNetwork;
  readonly #hosts = new Map<string, SimHost>();
  readonly #events = new EventHeap();
  readonly #checks: (() => void)[] = [];
  #now = 0;
  #steps = 0;

  /** An empty world at time 0. */
  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.network = new SimNetwork(options.seed, options.path);
  }

  /** Virtual time, ms. */
  get now(): number {
    return this.#now;
  }

  /** What has happened so far: deliveries, timeouts and actions. */
  get steps(): number {
    return this.#steps;
  }

  /** Adds a host; its address must be free. */
  add(host: SimHost): void {
    const name = formatAddress(host.address);
    if (this.#hosts.has(name)) throw new TypeError(`there is a host at ${name} already`);
    this.#hosts.set(name, host);
  }

  /** Removes the host at an address, as a crash does: packets to it vanish. */
  remove(address: Address): void {
    this.#hosts.delete(formatAddress(address));
  }

  /** Sends a packet now. The bytes are copied. */
  send(from: Address, to: Address, bytes: Uint8Array): void {
    for (const delivery of this.network.send(this.#now, from, to, bytes)) {
      this.#events.push(delivery.at, () => this.#deliver(delivery));
    }
  }

  /** Does something at a time (now, if that has passed), e.g. a partition. */
  at(time: number, action: () => void): void {
    this.#events.push(Math.max(time, this.#now), action);
  }

  /** Calls `check` after every step; it throws when something is wrong that must never be. */
  check(check: () => void): void {
    this.#checks.push(check);
  }

  /**
   * Lets things happen, the earliest first, until `until` is true.
   *
   * @returns the virtual time, ms
   * @throws {Error} with the seed in its message, when a host or a check throws, or when `limitMs` of virtual time (since
   * the beginning of the world) pass or nothing is left to happen before `until` is true
   */
  run(until: () => boolean, limitMs: number): number {
    let stepsWithoutTime = 0;
    try {
      while (!until()) {
        const next = this.#next();
        if (next.time === Infinity) {
          throw new Error("nothing is left to happen, and the condition is not met");
        }
        if (next.time > limitMs) throw new Error(`the condition is not met within ${limitMs} ms`);
        stepsWithoutTime = next.time > this.#now ? 0 : stepsWithoutTime + 1;
        if (stepsWithoutTime > stepsWithoutTimeMax) throw new Error("a host spins: time stands still");
        this.#now = Math.max(this.#now, next.time);
        this.#steps++;
        next.act();
        for (const check of this.#checks) check();
      }
    } catch (error) {
      throw this.#failure(error);
    }
    return this.#now;
  }

  /** The next thing to happen. Of those at one time, packets and actions in the order of their making, then timeouts. */
  #next(): { readonly time: number; act(): void } {
    let time = this.#events.earliest();
    let due: SimHost | undefined;
    for (const host of this.#hosts.values()) {
      const deadline = host.deadline();
      if (Number.isNaN(deadline)) throw new Error(`the deadline of ${formatAddress(host.address)} is NaN`);
      if (deadline >= time) continue;
      time = deadline;
      due = host;
    }
    if (due === undefined) return { time, act: () => this.#events.pop()?.() };
    const host = due;
    return { time, act: () => host.timeout(this.#now) };
  }

  #deliver({ from, to, bytes }: Delivery): void {
    this.#hosts.get(formatAddress(to))?.deliver(this.#now, from, bytes);
  }

  #failure(cause: unknown): Error {
    const text = cause instanceof Error ? cause.message : String(cause);
    const where = `at ${this.#now.toFixed(3)} ms, step ${this.#steps}`;
    return new Error(
      `simulation with seed ${this.seed} failed ${where}: ${text}\n` +
        `to see it again: SIM_SEED=${this.seed} deno test -A <this file>`,
      { cause },
    );
  }
}

/** The seeds to try: those given, or only the one in the environment variable `SIM_SEED`, to see a failure again. */
export function simSeeds(...seeds: number[]): number[] {
  const chosen = Deno.env.get("SIM_SEED");
  return chosen === undefined ? seeds : [Number(chosen)];
}

interface Entry {
  readonly time: number;
  /** Of entries at one time, the one that was made first comes first. */
  readonly sequence: number;
  readonly action: () => void;
}

/** A binary heap of what is to happen. */
class EventHeap {
  readonly #entries: Entry[] = [];
  #sequence = 0;

  /** When the first entry is due; `Infinity` when there is none. */
  earliest(): number {
    return this.#entries.length === 0 ? Infinity : this.#entries[0].time;
  }

  push(time: number, action: () => void): void {
    const entries = this.#entries;
    let at = entries.push({ time, sequence: this.#sequence++, action }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Removes the first entry. */
  pop(): (() => void) | undefined {
    const entries = this.#entries;
    if (entries.length === 0) return undefined;
    this.#swap(0, entries.length - 1);
    const first = entries.pop();
    for (let at = 0;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < entries.length && this.#before(child, least)) least = child;
      }
      if (least === at) return first?.action;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#entries[a], this.#entries[b]];
    return x.time < y.time || (x.time === y.time && x.sequence < y.sequence);
  }

  #swap(a: number, b: number): void {
    const entries = this.#entries;
    [entries[a], entries[b]] = [entries[b], entries[a]];
  }
}
