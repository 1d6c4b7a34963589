import type { PathOptions } from "./path.ts";
import { seededRandom } from "./random.ts";
import type { SeededRandom } from "./random.ts";

/** All that happens in one run of mixed weather; a record, so that it can be printed. */
export interface MixedPlan {
  readonly seed: number;
  /** Plaintext bytes. */
  readonly size: number;
  readonly chunkSize: number;
  /** From the exposer to all pullers, and back. */
  readonly down: Partial<PathOptions>;
  readonly up: Partial<PathOptions>;
  /** What the exposer allows, bytes a second. */
  readonly exposer: { readonly limitRate?: number; readonly pullRateMax?: number };
  readonly pullers: readonly PullerPlan[];
  readonly happenings: readonly Happening[];
}

/** One puller of a plan. */
export interface PullerPlan {
  readonly startMs: number;
  /** How long storing a chunk takes. */
  readonly storeMs: number;
  /** Bytes a second; absent: no limit. */
  readonly limitRate?: number;
  /** Of each chunk, what is on disk before: nothing, the right bytes, or wrong ones. Repeated over the exposure. */
  readonly disk: readonly ("nothing" | "right" | "wrong")[];
  /** Chunks that it wants, as shares of all; absent: all. */
  readonly wanted?: readonly [number, number];
}

/** Something that happens at a time, ms. `who` is a puller's number, or the exposer. */
export type Happening =
  & { readonly atMs: number }
  & (
    | { readonly kind: "restart"; readonly who: Who; readonly downMs: number }
    | { readonly kind: "move"; readonly who: number; readonly port: number }
    | { readonly kind: "suspend"; readonly who: Who; readonly forMs: number; readonly receivePackets: number }
    | { readonly kind: "clock"; readonly who: Who; readonly byMs: number }
    | { readonly kind: "outage"; readonly way: "down" | "up" | "both"; readonly forMs: number }
    | { readonly kind: "path"; readonly way: "down" | "up"; readonly path: Partial<PathOptions> }
    | { readonly kind: "withdraw" }
    | { readonly kind: "revoke" }
  );

/** Whom something happens to. */
export type Who = number | "exposer";

/** What a puller's patience must outlast: every happening is shorter, and they are few. */
export const HAPPENING_MS_MAX = 20_000;
const HAPPENINGS_MAX = 4;
const PULLERS_MAX = 4;
const CHUNK_SIZES = [4096, 4096, 16_384, 65_536, 262_144];
/** Four packets: nothing is built with less. */
const QUEUE_BYTES_MIN = 6000;
/** Transfers are small, so that many seeds can be tried. */
const SIZE_MAX = 1_000_000;

/** The plan of a seed. Each part draws from a stream of its own: a change of one leaves the others as they were. */
export function mixedPlan(seed: number): MixedPlan {
  const part = (name: string) => seededRandom(seed, `mixed ${name}`);
  const chunkSize = pick(part("chunks"), CHUNK_SIZES);
  const pullers = part("pullers");
  const count = pullers.chance(0.6) ? 1 : 2 + pullers.integer(PULLERS_MAX - 1);
  const size = mixedSize(part("size"), chunkSize);
  const [down, up] = mixedPaths(part("paths"), chunkSize);
  return {
    seed,
    size,
    chunkSize,
    down,
    up,
    exposer: mixedLimits(part("exposer"), size),
    pullers: Array.from({ length: count }, () => mixedPuller(pullers, size)),
    happenings: mixedHappenings(part("happenings"), count),
  };
}

function mixedSize(random: SeededRandom, chunkSize: number): number {
  const awkward = [0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 16 * chunkSize, 16 * chunkSize + 1];
  const size = random.chance(0.3) ? pick(random, awkward) : Math.floor(between(random, 5000, SIZE_MAX));
  return Math.min(size, SIZE_MAX);
}

function mixedPaths(random: SeededRandom, chunkSize: number): [Partial<PathOptions>, Partial<PathOptions>] {
  const down = mixedPath(random, chunkSize);
  if (random.chance(0.5)) return [{ link: "down", ...down }, { link: "up", ...down }];
  // Both directions through one queue, as where only one may speak at a time.
  if (random.chance(0.2)) return [{ link: "air", ...down }, { link: "air", ...down }];
  return [{ link: "down", ...down }, { link: "up", ...mixedPath(random, chunkSize) }];
}

function mixedPath(random: SeededRandom, chunkSize: number): Partial<PathOptions> {
  const delayMs = between(random, 0.1, 300);
  // With more than that, hardly a chunk would ever be whole and right.
  const corruptMax = 0.2 / Math.ceil(Math.max(chunkSize, 33_000) / 1200);
  return {
    delayMs,
    ...sometimes(random, 0.4, () => ({ lossRate: between(random, 0.001, 0.3) })),
    ...sometimes(random, 0.25, () => ({
      burstLossRate: between(random, 0.001, 0.15),
      burstPackets: between(random, 1, 30),
      burstMs: between(random, 10, 500),
    })),
    ...sometimes(random, 0.3, () => ({
      jitterMs: between(random, 0.1, delayMs),
      jitterKeepsOrder: random.chance(0.5),
    })),
    ...sometimes(random, 0.25, () => ({
      reorderRate: between(random, 0.001, 0.3),
      reorderMs: between(random, 0.1, 50),
    })),
    ...sometimes(random, 0.2, () => ({ duplicateRate: between(random, 0.001, 0.3) })),
    ...sometimes(random, 0.15, () => ({ corruptRate: between(random, corruptMax / 100, corruptMax) })),
    ...sometimes(random, 0.8, () => mixedBottleneck(random)),
    ...sometimes(random, 0.1, () => ({
      policedBytesPerSecond: between(random, 50_000, 5_000_000),
      policedBurstBytes: between(random, 6000, 200_000),
    })),
    ...sometimes(random, 0.1, () => ({ mtu: pick(random, [1280, 1300, 1400, 1500]) })),
  };
}

function mixedBottleneck(random: SeededRandom): Partial<PathOptions> {
  const bytesPerSecond = between(random, 20_000, 50_000_000);
  if (random.chance(0.5)) return { bytesPerSecond, queueBytes: between(random, QUEUE_BYTES_MIN, 1_000_000) };
  const leastMs = QUEUE_BYTES_MIN / bytesPerSecond * 1000;
  return { bytesPerSecond, queueMs: Math.max(leastMs, between(random, 2, 2000)) };
}

function mixedPuller(random: SeededRandom, size: number): PullerPlan {
  const disk = Array.from({ length: 7 }, () => pick(random, ["nothing", "right", "wrong"] as const));
  const [a, b] = [random.float(), random.float()];
  return {
    startMs: random.chance(0.5) ? 0 : between(random, 1, 2000),
    storeMs: random.chance(0.8) ? 0 : between(random, 0.1, 200),
    ...sometimes(random, 0.15, () => ({ limitRate: mixedLimit(random, size) })),
    disk: random.chance(0.75) ? ["nothing"] : disk,
    ...sometimes(random, 0.1, () => ({ wanted: [Math.min(a, b), Math.max(a, b)] as const })),
  };
}

function mixedLimits(random: SeededRandom, size: number): MixedPlan["exposer"] {
  return {
    ...sometimes(random, 0.15, () => ({ limitRate: mixedLimit(random, size) })),
    ...sometimes(random, 0.1, () => ({ pullRateMax: mixedLimit(random, size) })),
  };
}

/** Bytes a second, not so few that a transfer would take hours. */
function mixedLimit(random: SeededRandom, size: number): number {
  return between(random, 5000 + size / 60, 2_000_000);
}

function mixedHappenings(random: SeededRandom, pullers: number): Happening[] {
  const count = random.chance(0.4) ? 0 : 1 + random.integer(HAPPENINGS_MAX);
  const happenings = Array.from({ length: count }, () => mixedHappening(random, pullers));
  return happenings.sort((a, b) => a.atMs - b.atMs);
}

function mixedHappening(random: SeededRandom, pullers: number): Happening {
  const atMs = between(random, 1, 8000);
  const puller = random.integer(pullers);
  const who = random.chance(0.4) ? "exposer" : puller;
  const ms = between(random, 1, 8000);
  const kinds: readonly (() => Happening)[] = [
    () => ({ atMs, kind: "restart", who, downMs: ms }),
    () => ({ atMs, kind: "move", who: puller, port: 50_000 + random.integer(1000) }),
    () => ({ atMs, kind: "suspend", who, forMs: ms, receivePackets: 1 + random.integer(200) }),
    () => ({ atMs, kind: "clock", who, byMs: between(random, 1, HAPPENING_MS_MAX) }),
    () => ({ atMs, kind: "outage", way: pick(random, ["down", "up", "both"]), forMs: ms }),
    () => ({
      atMs,
      kind: "path",
      way: pick(random, ["down", "up"]),
      path: { delayMs: between(random, 0.1, 300) },
    }),
    () => ({
      atMs,
      kind: "path",
      way: pick(random, ["down", "up"]),
      path: { mtu: pick(random, [1280, 1400, 1500]) },
    }),
  ];
  if (random.chance(0.06)) return random.chance(0.5) ? { atMs, kind: "withdraw" } : { atMs, kind: "revoke" };
  return pick(random, kinds)();
}

/** A number between two, evenly spread over its order of magnitude. */
function between(random: SeededRandom, least: number, most: number): number {
  return least * (most / least) ** random.float();
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.integer(from.length)];
}

/** What `make` gives, with probability `rate`; else nothing. */
function sometimes<T extends object>(random: SeededRandom, rate: number, make: () => T): T | undefined {
  return random.chance(rate) ? make() : undefined;
}
