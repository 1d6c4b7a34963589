/*
 * A wide-area link between two network namespaces that it makes: whatever one of them sends to the other is read from a TUN device,
 * led through a `Path`, and written to the other's TUN device. A program of its own, as it must never wait for anything else; `Wan` starts it.
 *
 * Its argument is an `EmulatorOptions` as JSON. It prints `{"event":"ready"}`, then a report for each byte on its standard input. When that
 * ends it ends too, and with it the namespaces and all that runs in them: so whoever started it may die as it likes.
 */
import { seededRandom } from "../sim/random.ts";
import { Flight, slotBytes } from "./_flight.ts";
import { Histogram } from "./_histogram.ts";
import type { Counts } from "./_histogram.ts";
import { addNamespace, removeNamespace, run, sides } from "./_namespaces.ts";
import type { Side } from "./_namespaces.ts";
import { Path, perfectPath } from "./_path.ts";
import type { PathOptions, Tally } from "./_path.ts";
import { becomePunctual, Poller, readStdin, sleep, Tun } from "./_tun.ts";

/** What an emulator is told. */
export interface EmulatorOptions {
  /** The namespaces to make. */
  readonly names: Readonly<Record<Side, string>>;
  /** The IPv4 address in each, all in one network of 24 bits. */
  readonly addresses: Readonly<Record<Side, string>>;
  /** From the exposer to the puller. */
  readonly there: Partial<PathOptions>;
  /** From the puller to the exposer. */
  readonly back: Partial<PathOptions>;
  /** The same seed gives the same chance, packet by packet of each direction. */
  readonly seed: number;
}

/** What packets of one kind between two ports have met. */
export interface FlowReport extends Tally {
  /** Of the IP header: 6 is TCP, 17 UDP. */
  readonly protocol: number;
  /** At the exposer's side; 0 where the protocol has none. */
  readonly exposerPort: number;
  /** At the puller's side. */
  readonly pullerPort: number;
}

/** One direction up to now. */
export interface DirectionReport {
  readonly flows: readonly FlowReport[];
  /** How long packets waited in the queue, ms. */
  readonly queueing: Counts;
  /** On their way. */
  readonly inFlight: number;
}

/** Everything up to now. */
export interface EmulatorReport {
  readonly event: "report";
  /** Monotonic, ms. */
  readonly at: number;
  readonly there: DirectionReport;
  readonly back: DirectionReport;
  /** How much later than it should packets were handed out, ms. */
  readonly lateness: Counts;
  /** Packets that the emulator itself has lost, for want of slots or as a device did not take them. Other than 0, no figure counts. */
  readonly faults: number;
}

const MTU = 1500;
/** Enough for 300 ms of 200 Mbit/s in packets of 230 bytes. */
const SLOTS = 32_768;
/** Packets that are read of one direction before the other has its turn. */
const TURN = 64;
/** The longest sleep while nothing is under way, ms: a packet ends it. */
const SLEEP_MS = 100;
/** The sleep while something is, ms, which nothing ends: to wake up for each of 20,000 packets a second costs twice the processor time. */
const GRAIN_MS = 0.1;
/** Kernels send whole bursts at once; they shall wait in the emulated queue, and not be dropped in front of it. */
const DEVICE_QUEUE = 20_000;

class Emulator {
  readonly #tuns: Readonly<Record<Side, Tun>>;
  readonly #ways: readonly { readonly from: Tun; readonly to: Tun; readonly path: Path }[];
  readonly #flight = new Flight(SLOTS);
  readonly #inFlight = [0, 0];
  readonly #lateness = new Histogram(0.05, 400);
  readonly #spare = new Uint8Array(slotBytes);
  #faults = 0;

  constructor(tuns: Readonly<Record<Side, Tun>>, paths: readonly [Path, Path]) {
    this.#tuns = tuns;
    this.#ways = [
      { from: tuns.exposer, to: tuns.puller, path: paths[0] },
      { from: tuns.puller, to: tuns.exposer, path: paths[1] },
    ];
  }

  /** Runs until standard input ends. */
  run(): void {
    const poller = new Poller([this.#tuns.exposer.fd, this.#tuns.puller.fd, 0]);
    while (true) {
      // After each turn packets that are due go out: however many come in, none waits for all of them.
      const more = this.#take(0) | this.#take(1);
      this.#handOut();
      const isIdle = !more && this.#flight.count === 0;
      if (!more && !isIdle) sleep(GRAIN_MS);
      poller.wait(isIdle ? SLEEP_MS : 0);
      if (!poller.isReady(2)) continue;
      const asked = readStdin();
      if (asked <= 0) return;
      for (let i = 0; i < asked; i++) console.log(JSON.stringify(this.#report()));
    }
  }

  /** Reads what has been sent in one direction. 1: there may be more. */
  #take(direction: number): number {
    const { from, path } = this.#ways[direction];
    const flight = this.#flight;
    for (let i = 0; i < TURN; i++) {
      const slot = flight.vacant;
      const packet = slot < 0 ? this.#spare : flight.slots[slot];
      const length = from.read(packet);
      if (length <= 0) return 0;
      const flow = flowOf(packet, direction);
      const at = path.offer(performance.now(), length, flow);
      if (at < 0) continue;
      if (slot < 0) {
        this.#faults++;
        continue;
      }
      flight.lengths[slot] = length;
      flight.directions[slot] = direction;
      flight.flows[slot] = flow;
      flight.add(at);
      this.#inFlight[direction]++;
    }
    return 1;
  }

  #handOut(): void {
    const flight = this.#flight;
    for (let now = performance.now(); flight.nextAt <= now; now = performance.now()) {
      this.#lateness.add(now - flight.nextAt);
      const slot = flight.pop();
      const direction = flight.directions[slot];
      const { to, path } = this.#ways[direction];
      const length = flight.lengths[slot];
      this.#inFlight[direction]--;
      if (to.write(flight.slots[slot], length)) path.delivered(length, flight.flows[slot]);
      else this.#faults++;
    }
  }

  #report(): EmulatorReport {
    const [there, back] = this.#ways.map(({ path }, direction) => ({
      flows: [...path.flows].map(([flow, tally]) => ({ ...flowName(flow), ...tally })),
      queueing: path.queueing.toJSON(),
      inFlight: this.#inFlight[direction],
    }));
    const lateness = this.#lateness.toJSON();
    return { event: "report", at: performance.now(), there, back, lateness, faults: this.#faults };
  }
}

/**
 * Protocol and ports as one number, the exposer's port first whichever way the packet goes. The addresses are always the same two.
 * RFC 791 §3.1: the header's length, the fragment's offset, the protocol; RFC 768, RFC 9293 §3.1: ports come first.
 */
function flowOf(packet: Uint8Array, direction: number): number {
  const isIPv4 = packet[0] >> 4 === 4;
  const protocol = isIPv4 ? packet[9] : 0;
  const isFirstFragment = (packet[6] & 0x1f) === 0 && packet[7] === 0;
  if ((protocol !== 6 && protocol !== 17) || !isFirstFragment) return protocol * 2 ** 32;
  const at = (packet[0] & 15) * 4;
  const source = packet[at] * 256 + packet[at + 1];
  const destination = packet[at + 2] * 256 + packet[at + 3];
  return protocol * 2 ** 32 + (direction === 0 ? source * 65536 + destination : destination * 65536 + source);
}

function flowName(flow: number): Pick<FlowReport, "protocol" | "exposerPort" | "pullerPort"> {
  const ports = flow % 2 ** 32;
  return {
    protocol: Math.floor(flow / 2 ** 32),
    exposerPort: Math.floor(ports / 65536),
    pullerPort: ports % 65536,
  };
}

/** Puts one end of the link into a namespace. */
async function attach(tun: Tun, name: string, address: string): Promise<void> {
  await run("ip", "link", "set", tun.name, "netns", name, "name", "wan");
  const inside = (...args: string[]) => run("ip", "netns", "exec", name, "ip", ...args);
  // Without an address of its own making IPv6 says nothing by itself, and every packet is somebody's.
  await inside("link", "set", "wan", "mtu", `${MTU}`, "txqueuelen", `${DEVICE_QUEUE}`, "addrgenmode", "none");
  await inside("address", "add", `${address}/24`, "dev", "wan");
  await inside("link", "set", "wan", "up");
  await inside("link", "set", "lo", "up");
}

async function emulate({ names, addresses, there, back, seed }: EmulatorOptions): Promise<void> {
  using ends = new DisposableStack();
  const make = () => ends.adopt(new Tun(), (tun) => tun.close());
  const tuns = { exposer: make(), puller: make() };
  try {
    for (const side of sides) {
      await addNamespace(names[side]);
      await attach(tuns[side], names[side], addresses[side]);
    }
    const paths = [there, back].map((options, i) =>
      new Path({ ...perfectPath, ...options }, seededRandom(seed, `path ${i}`))
    );
    becomePunctual();
    console.log(JSON.stringify({ event: "ready" }));
    new Emulator(tuns, [paths[0], paths[1]]).run();
  } finally {
    await Promise.allSettled(sides.map((side) => removeNamespace(names[side])));
  }
}

if (import.meta.main) {
  // Ctrl-C reaches every process of a terminal: this one ends when its standard input does, with everything cleared away.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => {});
  try {
    await emulate(JSON.parse(Deno.args[0]));
    Deno.exit(0);
  } catch (error) {
    console.log(JSON.stringify({ event: "error", message: String(error) }));
    Deno.exit(1);
  }
}
