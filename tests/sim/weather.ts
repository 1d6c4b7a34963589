import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { HEADER_BYTES, lossOf } from "./path.ts";
import type { PathOptions, PathRule } from "./path.ts";
import { World } from "./world.ts";

/** What a transfer may meet: a path each way, and how they change while it is under way. */
export interface Weather {
  /** From the exposer to its pullers; its rate is what they can have at most. */
  readonly down: Partial<PathOptions>;
  /** From them to the exposer. */
  readonly up: Partial<PathOptions>;
  /** What changes, and when, in order: ms from the beginning. */
  readonly later?: readonly WeatherChange[];
}

/** A change of {@linkcode Weather}; options that are not named stay. */
export interface WeatherChange {
  readonly atMs: number;
  readonly down?: Partial<PathOptions>;
  readonly up?: Partial<PathOptions>;
}

/** Bytes a second. */
export function mbit(megabits: number): number {
  return megabits * 125_000;
}

/** The same path in both directions. */
function bothWays(path: Partial<PathOptions>): Weather {
  return { down: path, up: path };
}

/** 200 Mbit/s, 40 ms there and back, and a queue as long as that. */
const clean: Partial<PathOptions> = { delayMs: 20, bytesPerSecond: mbit(200), queueMs: 40 };

/**
 * The weathers by name. A round trip is twice the delay; queues are given as the time in which they drain.
 *
 * Loss and jitter are behind the queue, so that what the queue drops is all that a sender has to answer for.
 */
export const weathers = {
  "lan": bothWays({ delayMs: 0.2, bytesPerSecond: mbit(1000), queueMs: 4 }),
  "clean": bothWays(clean),
  "shallow queue": bothWays({ ...clean, queueMs: 4 }),
  "long and fat": bothWays({ delayMs: 75, bytesPerSecond: mbit(1000), queueMs: 30, lossRate: 0.0001 }),
  "loss 1 %": bothWays({ ...clean, lossRate: 0.01 }),
  "loss 10 %": bothWays({ ...clean, lossRate: 0.1 }),
  "loss 30 %": bothWays({ ...clean, lossRate: 0.3 }),
  "loss 50 %": bothWays({ ...clean, lossRate: 0.5 }),
  "bursts": bothWays({ ...clean, burstLossRate: 0.02, burstPackets: 8, burstMs: 100 }),
  "long bursts": bothWays({ ...clean, burstLossRate: 0.05, burstPackets: 50, burstMs: 100 }),
  "2 s of queue": bothWays({ delayMs: 20, bytesPerSecond: mbit(2), queueMs: 2000 }),
  "satellite": {
    down: { delayMs: 300, bytesPerSecond: mbit(50), queueMs: 300, lossRate: 0.005 },
    up: { delayMs: 300, bytesPerSecond: mbit(5), queueMs: 300, lossRate: 0.005 },
  },
  "policer": bothWays({ delayMs: 20, policedBytesPerSecond: mbit(50), policedBurstBytes: 125_000 }),
  "adsl": {
    down: { delayMs: 15, bytesPerSecond: mbit(16), queueMs: 100 },
    up: { delayMs: 15, bytesPerSecond: mbit(0.8), queueMs: 300 },
  },
  "cable": {
    down: { delayMs: 10, bytesPerSecond: mbit(500), queueMs: 60 },
    up: { delayMs: 10, bytesPerSecond: mbit(10), queueMs: 150 },
  },
  "reordering": bothWays({ ...clean, reorderRate: 0.05, reorderMs: 8 }),
  "jitter": bothWays({ ...clean, jitterMs: 20, jitterKeepsOrder: true }),
  "disorder": bothWays({ ...clean, jitterMs: 10, duplicateRate: 0.02 }),
  "wireless": bothWays({
    delayMs: 10,
    bytesPerSecond: mbit(80),
    queueMs: 100,
    jitterMs: 15,
    jitterKeepsOrder: true,
    burstLossRate: 0.01,
    burstPackets: 4,
    burstMs: 100,
  }),
  "shared air": bothWays({ ...clean, bytesPerSecond: mbit(80), queueMs: 100, pauseMs: 4, pauseEveryMs: 12 }),
  "mobile": {
    down: { delayMs: 35, bytesPerSecond: mbit(20), queueMs: 500, jitterMs: 30, jitterKeepsOrder: true },
    up: { delayMs: 35, bytesPerSecond: mbit(5), queueMs: 500, jitterMs: 30, jitterKeepsOrder: true },
    later: [
      { atMs: 2000, down: { bytesPerSecond: mbit(5) } },
      { atMs: 4000, down: { bytesPerSecond: mbit(30) } },
    ],
  },
  "thin": bothWays({ delayMs: 100, bytesPerSecond: mbit(0.25), queueMs: 500 }),
  "outage": {
    ...bothWays(clean),
    later: [
      { atMs: 400, down: { open: false }, up: { open: false } },
      { atMs: 2400, down: { open: true }, up: { open: true } },
    ],
  },
  "rate falls": {
    ...bothWays({ ...clean, bytesPerSecond: mbit(100) }),
    later: [{ atMs: 600, down: { bytesPerSecond: mbit(20) } }],
  },
  "rate rises": {
    ...bothWays({ ...clean, bytesPerSecond: mbit(20) }),
    later: [{ atMs: 1500, down: { bytesPerSecond: mbit(200) } }],
  },
  "mtu falls": {
    ...bothWays({ ...clean, bytesPerSecond: mbit(50), mtu: 1500 }),
    later: [{ atMs: 800, down: { mtu: 1300 }, up: { mtu: 1300 } }],
  },
} as const satisfies Record<string, Weather>;

/** A name in {@linkcode weathers}. */
export type WeatherName = keyof typeof weathers;

/** A weather's paths: all that `exposerHost` sends goes down, through one bottleneck; all that is sent to it goes up through another. */
export function weatherRule({ down, up }: Pick<Weather, "down" | "up">, exposerHost: string): PathRule {
  return (fromHost) => fromHost === exposerHost ? { link: "down", ...down } : { link: "up", ...up };
}

/** A world with one weather, in which whoever is at `exposerHost` exposes. Its changes are counted from `startMs`. */
export function weatherWorld(seed: number, weather: Weather, exposerHost: string, startMs = 0): World {
  const world = new World({ seed, path: weatherRule(weather, exposerHost) });
  for (const { atMs, down = {}, up = {} } of weather.later ?? []) {
    world.at(startMs + atMs, () => world.network.change((fromHost) => fromHost === exposerHost ? down : up));
  }
  return world;
}

/** Share of a full packet on the wire that is a symbol of `symbolSize` bytes. */
export function payloadShare(symbolSize: number): number {
  return symbolSize / (symbolSize + CHUNK_HEADER_BYTES + HEADER_BYTES);
}

/** What pullers can get at most, bytes a second of chunks: what the link carries, what of it is not lost, and what of that is payload. */
export function mostGoodput({ down }: Pick<Weather, "down">, symbolSize: number): number {
  if (down.open === false) return 0;
  const { bytesPerSecond = Infinity, policedBytesPerSecond = Infinity } = down;
  return Math.min(bytesPerSecond, policedBytesPerSecond) * (1 - lossOf(down)) * payloadShare(symbolSize);
}

/** What they can have got at most from one time to another, bytes of chunks, with all changes of the weather between. */
export function mostBytes(
  { down, later = [] }: Weather,
  fromMs: number,
  toMs: number,
  symbolSize: number,
): number {
  let path = down;
  let at = fromMs;
  let bytes = 0;
  for (const change of [...later, { atMs: toMs, down: {} }]) {
    const until = Math.max(at, Math.min(toMs, change.atMs));
    if (until > at) bytes += mostGoodput({ down: path }, symbolSize) * (until - at) / 1000;
    path = { ...path, ...change.down };
    at = until;
  }
  return bytes;
}
