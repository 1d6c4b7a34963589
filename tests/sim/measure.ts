import type { Address } from "../../codec/address.ts";
import type { ExposerOptions } from "../../transport/protocol/exposer_types.ts";
import { Bbr } from "./bbr.ts";
import { Cubic } from "./cubic.ts";
import type { NetworkStats } from "./network.ts";
import { SEGMENT_BYTES, SEGMENT_DATA_BYTES, TcpReceiver, TcpSender } from "./tcp.ts";
import type { CongestionControl } from "./tcp.ts";
import {
  expectWhole,
  exposerAddress,
  leastWireBytes,
  pullerAddress,
  SimExposer,
  simExposure,
  SimPuller,
} from "./transfer.ts";
import type { SimPullerOptions } from "./transfer.ts";
import { mostBytes, mostGoodput, payloadShare, weatherWorld } from "./weather.ts";
import type { Weather } from "./weather.ts";
import type { World } from "./world.ts";

/** What is measured. */
export interface MeasureOptions {
  /** Plaintext bytes of the transfer. */
  readonly size: number;
  /** Of a chunk; 64 KiB by default. */
  readonly chunkSize?: number;
  /** All chance comes from it. */
  readonly seed: number;
  /** TCP flows through the same bottleneck, which have begun some seconds before. */
  readonly others?: readonly ControlName[];
  /** Of the exposer's machine. */
  readonly exposer?: Partial<ExposerOptions>;
  /** Of the puller. */
  readonly puller?: SimPullerOptions;
  /** When it is given up, virtual ms; by default 20 times what it takes at best, and ten minutes. */
  readonly limitMs?: number;
}

/** What a transfer has cost. Shares are of 1, times in virtual ms. */
export interface Measured {
  /** Goodput as a share of the most that there is to have: see `mostBytes`. NaN when there is nothing to pull. */
  readonly share: number;
  /** From the first PULL_REQUEST to the last verified byte. */
  readonly ms: number;
  /** That in round trips of the empty path. */
  readonly roundTrips: number;
  /** Bytes on the wire in each direction, as sent. */
  readonly downBytes: number;
  readonly upBytes: number;
  /** What the exposer sent beyond what must be sent: repeated, repaired in advance, or for nothing. */
  readonly extraShare: number;
  /** Packets from the exposer that the queue or the policer had no room for, as a share of those sent: loss of its own making. */
  readonly ownLoss: number;
  /** The same of the puller's packets. */
  readonly ownLossUp: number;
  /** Packets lost by chance in each direction, as a share of those that had left the queue. */
  readonly lossDown: number;
  readonly lossUp: number;
  /** How long the exposer's packets waited in the queue: the mean, and what one in twenty exceeded. */
  readonly waitMs: number;
  readonly wait95Ms: number;
  /** What each of the other flows had of the line meanwhile, in the order in which they were given, as a share of what all of it would carry for it. */
  readonly otherShares: readonly number[];
}

/** Congestion controls of other flows. */
export const controls = {
  cubic: (): CongestionControl => new Cubic(),
  bbr: (): CongestionControl => new Bbr(),
} as const;

/** The name of one. */
export type ControlName = keyof typeof controls;

/** How long other flows have the line for themselves. */
const HEAD_START_MS = 5000;
const SYMBOL_SIZE = 1428;
/** What TCP could have of a line, for each byte that we could. */
const TCP_SHARE = SEGMENT_DATA_BYTES / SEGMENT_BYTES / payloadShare(SYMBOL_SIZE);

/**
 * Pulls something in a weather, and checks that it came whole.
 *
 * @throws {Error} with the seed in its message, when it did not, or not in time, or when a check failed
 */
export async function measure(weather: Weather, options: MeasureOptions): Promise<Measured> {
  const { seed, size, chunkSize = 65_536 } = options;
  const exposure = await simExposure(seed, size, { chunkSize });
  const most = mostGoodput(weather, SYMBOL_SIZE);
  const { others = [] } = options;
  const start = others.length > 0 ? HEAD_START_MS : 0;
  const world = weatherWorld(seed, weather, exposerAddress.host, start);
  const flows = otherFlows(world, others);
  world.at(start, () => {});
  world.run(() => world.now >= start, start);

  const wire = new WireLog(world);
  const exposer = new SimExposer(world, exposerAddress, exposure, options.exposer);
  const puller = new SimPuller(world, pullerAddress, exposerAddress, exposure, options.puller);
  const before = flows.map((flow) => flow.bytes);
  world.run(() => puller.ended, start + (options.limitMs ?? 600_000 + 20_000 * size / most));
  expectWhole(puller, exposure);

  const { requestedAt, finishedAt } = puller.machine.times;
  const ms = finishedAt! - requestedAt!;
  const least = leastWireBytes(exposure, SYMBOL_SIZE);
  const { bytesSent } = exposer.machine;
  const lineBytes = mostBytes(weather, 0, world.now - start, SYMBOL_SIZE) * TCP_SHARE;
  return {
    share: size / mostBytes(weather, requestedAt! - start, finishedAt! - start, SYMBOL_SIZE),
    ms,
    roundTrips: ms / ((weather.down.delayMs ?? 0) + (weather.up.delayMs ?? 0)),
    ...wire.sums(),
    extraShare: least > 0 ? bytesSent / least - 1 : 0,
    otherShares: flows.map((flow, i) => (flow.bytes - before[i]) / lineBytes),
  };
}

/** The mean of several measurements. */
export function meanOf(measured: readonly Measured[]): Measured {
  const mean = (of: (one: Measured) => number) =>
    measured.reduce((sum, one) => sum + of(one), 0) / measured.length;
  const numbers = Object.keys(measured[0]).filter((key) => key !== "otherShares");
  const means = numbers.map((
    key,
  ) => [key, mean((one) => one[key as Exclude<keyof Measured, "otherShares">])]);
  const otherShares = measured[0].otherShares.map((_, i) => mean((one) => one.otherShares[i]));
  return { ...Object.fromEntries(means), otherShares };
}

function otherFlows(world: World, names: readonly ControlName[]): TcpReceiver[] {
  return names.map((name, i) => {
    const from: Address = { host: exposerAddress.host, port: 80 + i };
    const receiver = new TcpReceiver(world, { host: `203.0.113.${100 + i}`, port: 7 });
    new TcpSender(world, from, receiver.address, controls[name]());
    return receiver;
  });
}

/** Watches the paths between exposer and puller. */
class WireLog {
  readonly #world: World;
  readonly #waits: number[] = [];
  #downBytes = 0;
  #upBytes = 0;

  constructor(world: World) {
    this.#world = world;
    world.network.observe = ({ fromHost, toHost, wireBytes, waitMs, drop }) => {
      if (fromHost === pullerAddress.host) this.#upBytes += wireBytes;
      if (toHost !== pullerAddress.host) return;
      this.#downBytes += wireBytes;
      if (drop !== "queueDrops" && drop !== "policed") this.#waits.push(waitMs);
    };
  }

  sums(): Omit<Measured, "share" | "ms" | "roundTrips" | "extraShare" | "otherShares"> {
    const { network } = this.#world;
    const down = network.statsOf(exposerAddress.host, pullerAddress.host);
    const up = network.statsOf(pullerAddress.host, exposerAddress.host);
    const waits = Float64Array.from(this.#waits).sort();
    return {
      downBytes: this.#downBytes,
      upBytes: this.#upBytes,
      ownLoss: ownLoss(down),
      ownLossUp: ownLoss(up),
      lossDown: chanceLoss(down),
      lossUp: chanceLoss(up),
      waitMs: waits.reduce((sum, wait) => sum + wait, 0) / Math.max(1, waits.length),
      wait95Ms: waits[Math.floor(waits.length * 0.95)] ?? 0,
    };
  }
}

function ownLoss({ packets, queueDrops, policed }: NetworkStats): number {
  return packets > 0 ? (queueDrops + policed) / packets : 0;
}

function chanceLoss({ packets, lost, burstLost, queueDrops, policed }: NetworkStats): number {
  const passed = packets - queueDrops - policed;
  return passed > 0 ? (lost + burstLost) / passed : 0;
}
