import type { TrafficClassName } from "../../transport/protocol/traffic_class.ts";
import { controls } from "./measure.ts";
import type { ControlName } from "./measure.ts";
import { TcpReceiver, TcpSender } from "./tcp.ts";
import { exposerAddress, SimExposer, simExposure, SimPuller } from "./transfer.ts";
import type { SimExposure } from "./transfer.ts";
import { mbit, weatherWorld } from "./weather.ts";

/** Who takes part, on a machine of its own, and from when on, ms. */
export interface Contestant {
  readonly kind: TrafficClassName | ControlName;
  readonly atMs?: number;
}

/** What came of a contest. */
export interface Contest {
  /** IPv4 bytes that each contestant had of the line, by second, in the order in which they were given. */
  readonly bytes: readonly (readonly number[])[];
  /** Packets that the queue had no room for, of all together, by second. */
  readonly drops: readonly number[];
}

/** 50 Mbit/s, 40 ms there and back, and a queue of 60 ms; half a ms of jitter, so that seeds differ. */
const line = {
  delayMs: 20,
  bytesPerSecond: mbit(50),
  queueMs: 60,
  jitterMs: 0.5,
  jitterKeepsOrder: true,
} as const;

/** More than anybody can pull in a minute. */
export function contestExposure(): Promise<SimExposure> {
  return simExposure(1, 300_000_000, { isBlank: true });
}

/** Lets pullers and TCP flows have at one line for so many seconds. Nobody may come to an end before. */
export function contest(
  seed: number,
  exposure: SimExposure,
  contestants: readonly Contestant[],
  seconds: number,
): Contest {
  const world = weatherWorld(seed, { down: line, up: line }, exposerAddress.host);
  const exposer = new SimExposer(world, exposerAddress, exposure);
  const hosts = contestants.map((_, i) => `198.51.100.${10 + i}`);
  const bytes = hosts.map(() => new Array<number>(seconds + 1).fill(0));
  const pullers: SimPuller[] = [];
  const drops = new Array<number>(seconds + 1).fill(0);
  world.network.observe = ({ now, toHost, wireBytes, drop }) => {
    const i = hosts.indexOf(toHost);
    if (i < 0) return;
    if (drop) drops[Math.floor(now / 1000)]++;
    else bytes[i][Math.floor(now / 1000)] += wireBytes;
  };
  const start = ({ kind }: Contestant, i: number) => {
    const address = { host: hosts[i], port: 40_000 };
    if (kind in controls) {
      new TcpReceiver(world, address);
      const from = { host: exposerAddress.host, port: 80 + i };
      return void new TcpSender(world, from, address, controls[kind as ControlName]());
    }
    const options = { trafficClass: kind as TrafficClassName };
    pullers.push(new SimPuller(world, address, exposer.address, exposure, options));
  };
  contestants.forEach((one, i) => world.at(one.atMs ?? 0, () => start(one, i)));
  world.check(() => {
    // What is here is not needed again, and would fill this machine's memory.
    for (const puller of pullers) puller.stored.clear();
    if (pullers.some((puller) => puller.ended)) throw new Error("a pull ended before its contest");
  });
  world.at(1000 * seconds, () => {});
  world.run(() => world.now >= 1000 * seconds, 1000 * seconds);
  return { bytes, drops };
}

/** What each had of the bytes of all, from one second to another. */
export function sharesOf({ bytes }: Contest, from: number, to: number): number[] {
  const sums = bytes.map((one) => one.slice(from, to).reduce((sum, some) => sum + some, 0));
  const all = sums.reduce((sum, one) => sum + one, 0);
  return sums.map((one) => one / all);
}

/** Packets that the queue had no room for, from one second to another. */
export function dropsOf({ drops }: Contest, from: number, to: number): number {
  return drops.slice(from, to).reduce((all, some) => all + some, 0);
}

/** Jain's index: 1 when all have the same, 1/n when one of n has it all. */
export function fairnessOf(shares: readonly number[]): number {
  const sum = shares.reduce((all, one) => all + one, 0);
  return sum ** 2 / (shares.length * shares.reduce((all, one) => all + one ** 2, 0));
}

/** What one of them had of the line's rate, from one second to another. */
export function useOf({ bytes }: Contest, contestant: number, from: number, to: number): number {
  const sum = bytes[contestant].slice(from, to).reduce((all, some) => all + some, 0);
  return sum / (line.bytesPerSecond * (to - from));
}
