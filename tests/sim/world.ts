import { type Address, formatAddress } from "../../codec/address.ts";
import { type Delivery, SimNetwork } from "./network.ts";
import type { PathOptions, PathRule } from "./path.ts";
import { type SeededRandom, seededRandom } from "./random.ts";

/** A program in the simulation. Its times are virtual milliseconds of its own clock: see {@linkcode World.clockOf}. */
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
  /** What all paths do, unless `world.network` is told otherwise. */
  readonly path?: Partial<PathOptions> | PathRule;
  /** The command to see a failure again; by default that of a test with {@linkcode simSeeds}. */
  readonly replay?: string;
}

/** Steps in which the clock does not move before the run is given up as a host that spins. */
const stepsWithoutTimeMax = 100_000;

/** What a socket holds for a program that does not read, packets: about what Linux allows by default. */
const RECEIVE_PACKETS = 92;

/** Hosts, the network between them, and the one clock. Nothing happens but by {@linkcode World.run}. */
export class World {
  /** The seed, for messages and for further streams of chance. */
  readonly seed: number;
  /** The network. */
  readonly network: SimNetwork;
  readonly #replay: string;
  readonly #hosts = new Map<string, SimHost>();
  /** Clocks that do not show the world's time, and those who sleep. */
  readonly #clocks = new WeakMap<SimHost, HostClock>();
  readonly #events = new EventHeap();
  readonly #checks: (() => void)[] = [];
  /** Whether who wakes sees its timers or its packets first. */
  readonly #wakeChance: SeededRandom;
  #now = 0;
  #steps = 0;

  /** An empty world at time 0. */
  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.#replay = options.replay ?? `SIM_SEED=${this.seed} deno test -A <this file>`;
    this.network = new SimNetwork(options.seed, options.path);
    this.#wakeChance = seededRandom(options.seed, "waking");
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

  /** What a host's own clock shows: the world's time, and what it has been set forward by. */
  clockOf(host: SimHost): number {
    const clock = this.#clocks.get(host);
    return clock ? Math.max(clock.shown, this.#now + clock.aheadMs) : this.#now;
  }

  /** Sets a host's clock forward, as a hypervisor does that has moved the machine. Monotonic clocks are never set back. */
  stepClock(host: SimHost, byMs: number): void {
    this.#clockFor(host).aheadMs += byMs;
    this.#expire(host);
  }

  /**
   * Stops a host for a while, as a full processor or `kill -STOP` does, while time goes on. Its socket holds the first
   * `receivePackets` that arrive; they and what has expired meet it at once when it wakes, in either order.
   */
  suspend(host: SimHost, forMs: number, receivePackets = RECEIVE_PACKETS): void {
    const clock = this.#clockFor(host);
    clock.asleep ??= { later: [], packets: 0, receivePackets, until: 0 };
    const { asleep } = clock;
    asleep.until = Math.max(asleep.until, this.#now + forMs);
    this.at(
      this.#now + forMs,
      () => asleep === clock.asleep && this.#now >= asleep.until && this.#wake(host),
    );
  }

  /** Whether a host is suspended. */
  isAsleep(host: SimHost): boolean {
    return this.#clocks.get(host)?.asleep !== undefined;
  }

  /** Lets a host do something: now, or as soon as it is awake. */
  act(host: SimHost, action: () => void): void {
    const asleep = this.#clocks.get(host)?.asleep;
    if (asleep) asleep.later.push(action);
    else action();
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

  /** Does something of a test's own, at present; when it fails, that says how to see it again too. */
  attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** The next thing to happen. Of those at one time, packets and actions in the order of their making, then timeouts. */
  #next(): { readonly time: number; act(): void } {
    let time = this.#events.earliest();
    let due: SimHost | undefined;
    for (const host of this.#hosts.values()) {
      const deadline = this.#deadline(host);
      if (deadline >= time) continue;
      time = deadline;
      due = host;
    }
    if (due === undefined) return { time, act: () => this.#events.pop()?.() };
    const host = due;
    return { time, act: () => this.#timeout(host) };
  }

  /** When a host is to be woken, in the world's time. */
  #deadline(host: SimHost): number {
    const clock = this.#clocks.get(host);
    if (clock?.asleep) return Infinity;
    const deadline = host.deadline();
    if (Number.isNaN(deadline)) throw new Error(`the deadline of ${formatAddress(host.address)} is NaN`);
    return clock ? deadline - clock.aheadMs : deadline;
  }

  #timeout(host: SimHost): void {
    const clock = this.#clocks.get(host);
    // Its deadline, less what its clock is ahead, and that added again, may be rounded to just less than its deadline.
    if (clock) clock.shown = Math.max(this.clockOf(host), host.deadline());
    host.timeout(this.clockOf(host));
  }

  #deliver({ from, to, bytes }: Delivery): void {
    const host = this.#hosts.get(formatAddress(to));
    if (!host) return;
    const asleep = this.#clocks.get(host)?.asleep;
    if (!asleep) return host.deliver(this.clockOf(host), from, bytes);
    if (asleep.packets++ >= asleep.receivePackets) return;
    asleep.later.push(() => this.#deliver({ at: this.#now, from, to, bytes }));
  }

  #clockFor(host: SimHost): HostClock {
    let clock = this.#clocks.get(host);
    if (!clock) this.#clocks.set(host, clock = { aheadMs: 0, shown: -Infinity, asleep: undefined });
    return clock;
  }

  /** All that has waited for a host happens in one step: whichever comes first, it must get by with what has passed. */
  #wake(host: SimHost): void {
    const clock = this.#clockFor(host);
    const later = clock.asleep?.later ?? [];
    clock.asleep = undefined;
    if (this.#wakeChance.chance(0.5)) this.#expire(host);
    for (const action of later) action();
    this.#expire(host);
  }

  #expire(host: SimHost): void {
    const isHere = this.#hosts.get(formatAddress(host.address)) === host;
    if (isHere && this.#deadline(host) <= this.#now) this.#timeout(host);
  }

  #failure(cause: unknown): Error {
    const text = cause instanceof Error ? cause.message : String(cause);
    const where = `at ${this.#now.toFixed(3)} ms, step ${this.#steps}`;
    return new Error(
      `simulation with seed ${this.seed} failed ${where}: ${text}\n` +
        `to see it again: ${this.#replay}`,
      { cause },
    );
  }
}

/** The seeds to try: those given, or only the one in the environment variable `SIM_SEED`, to see a failure again. */
export function simSeeds(...seeds: number[]): number[] {
  const chosen = Deno.env.get("SIM_SEED");
  return chosen === undefined ? seeds : [Number(chosen)];
}

/** How a host's time differs from the world's. */
interface HostClock {
  aheadMs: number;
  /** It has shown this already, and is never set back. */
  shown: number;
  asleep: Sleep | undefined;
}

interface Sleep {
  /** What meets the host when it wakes, in order. */
  readonly later: (() => void)[];
  readonly receivePackets: number;
  /** Packets that have come. */
  packets: number;
  until: number;
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
