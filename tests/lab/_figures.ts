/** What is computed of a contest between one contestant and a link. */
import type { Fetched } from "./_contest.ts";
import { quantile } from "./_histogram.ts";
import type { AloneRow } from "./_tables.ts";
import type { Crossing, WanOptions } from "./_wan.ts";

/** A contest: what came of it, and what the link saw. */
export interface Run {
  readonly row: AloneRow;
  readonly fetched: Fetched;
  /** From the exposer to the puller; absent where there is no link that counts. */
  readonly there?: Crossing;
  /** From the puller to the exposer. */
  readonly back?: Crossing;
  /** What the same contestant has reached in the first row, 10^6 bits a second. */
  readonly firstRate?: number;
}

/** A column of a table. */
export interface Figure {
  readonly title: string;
  /** Digits behind the point. */
  readonly digits: number;
  /** The figure; nothing where there is none. */
  readonly of: (run: Run) => number | undefined;
}

/** The share of file bytes in an IPv4 packet of RGTP: 1,428 of a symbol in 1,480 with headers of IPv4, UDP and the packet. */
export const payloadShare = 1428 / 1480;

/**
 * What a link has to give, 10^6 bits of file a second: its rate, without what gets lost behind the bottleneck, without headers. The same for
 * everybody.
 */
export function bestRate(link: WanOptions): number {
  const { mbitPerSecond, policerMbitPerSecond, lossRate } = { ...link, ...link.there };
  const rate = Math.min(mbitPerSecond ?? Infinity, policerMbitPerSecond ?? Infinity);
  return rate * (1 - (lossRate ?? 0)) * payloadShare;
}

/** 10^6 bits of the file a second. */
export const rateOf = ({ fetched }: Pick<Run, "fetched">): number => fetched.bytes * 8e-6 / fetched.seconds;

/** The file's bytes and nothing else count as whole; a figure of what was cut off would flatter or blame it. */
const ofWhole = (of: (run: Run) => number | undefined) => (run: Run) =>
  run.fetched.outcome === "whole" ? of(run) : undefined;

const perByte = (bytes: number | undefined, { fetched }: Run) =>
  bytes === undefined ? undefined : bytes / fetched.bytes;

const roundTripMs = ({ row }: Run) => {
  const { delayMs = 0, there, back } = row.link as WanOptions;
  return (there?.delayMs ?? delayMs) + (back?.delayMs ?? delayMs);
};

/** All columns that there are. */
export const figures = {
  rate: { title: "Mbit/s", digits: 1, of: rateOf },
  share: {
    title: "goodput ÷ G",
    digits: 3,
    of: (run) => "loopbackLossPercent" in run.row.link ? undefined : rateOf(run) / bestRate(run.row.link),
  },
  ofFirst: {
    title: "÷ loss-free",
    digits: 3,
    of: (run) => run.firstRate === undefined ? undefined : rateOf(run) / run.firstRate,
  },
  handshake: {
    title: "handshake ms",
    digits: 0,
    of: ofWhole(({ fetched }) => 1000 * fetched.handshakeSeconds),
  },
  moved: { title: "moving ms", digits: 0, of: ofWhole(({ fetched }) => 1000 * fetched.seconds) },
  other: { title: "start and end ms", digits: 0, of: ofWhole(({ fetched }) => 1000 * fetched.otherSeconds) },
  roundTrips: {
    title: "round trips",
    digits: 2,
    of: ofWhole((run) => 1000 * (run.fetched.handshakeSeconds + run.fetched.seconds) / roundTripMs(run)),
  },
  sent: { title: "sent ÷ file", digits: 3, of: ofWhole((run) => perByte(run.there?.bytes, run)) },
  asked: { title: "back ÷ file", digits: 4, of: ofWhole((run) => perByte(run.back?.bytes, run)) },
  dropped: {
    title: "dropped",
    digits: 4,
    of: ({ there }) => there && (there.queueDrops + there.policed) / Math.max(1, there.packets),
  },
  queueMedian: {
    title: "queue ms, half",
    digits: 0,
    of: ({ there }) => there && quantile(there.queueing, 0.5),
  },
  queueMost: {
    title: "queue ms, 95 %",
    digits: 0,
    of: ({ there }) => there && quantile(there.queueing, 0.95),
  },
} as const satisfies Readonly<Record<string, Figure>>;

/** What a column is called in the tables' data. */
export type FigureName = keyof typeof figures;
