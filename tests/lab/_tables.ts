/*
 * What the lab measures, as data: links, who crosses them, and what is asked of RGTP there. Rates are those of IPv4 packets.
 */
import type { FigureName } from "./_figures.ts";
import type { WanOptions } from "./_wan.ts";

/** What is asked of one figure of one contestant. */
export interface Criterion {
  readonly of: string;
  readonly figure: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A link, and what is moved over it. */
export interface AloneRow {
  readonly name: string;
  /** The link, or how many of a hundred packets a loopback loses. */
  readonly link: WanOptions | { readonly loopbackLossPercent: number };
  readonly bytes: number;
  /** A contestant that takes longer is cut off. */
  readonly secondsMax: number;
  readonly criteria: readonly Criterion[];
}

/** Contestants who cross a link one after the other. */
export interface AloneTable {
  readonly kind: "alone";
  readonly name: string;
  readonly title: string;
  readonly contestants: readonly string[];
  readonly figures: readonly FigureName[];
  readonly rows: readonly AloneRow[];
}

/** Contestants who share a link. */
export interface TogetherRow {
  readonly name: string;
  /** Who, and from when on, s. */
  readonly cast: readonly { readonly contestant: string; readonly atSecond: number }[];
  readonly criteria: readonly Criterion[];
}

/** Contests of several at once. The first row is what the drops of the others are compared with. */
export interface TogetherTable {
  readonly kind: "together";
  readonly name: string;
  readonly title: string;
  readonly link: WanOptions;
  readonly seconds: number;
  /** What is left out after the last start, s: everybody may look for its rate first. */
  readonly settleSeconds: number;
  readonly rows: readonly TogetherRow[];
}

/** A table of the lab. */
export type Table = AloneTable | TogetherTable;

/** 200 Mbit/s, 40 ms there and back, a queue of 50 ms. */
const far: WanOptions = { mbitPerSecond: 200, delayMs: 20, queueMs: 50 };
const shared: WanOptions = { mbitPerSecond: 50, delayMs: 20, queueMs: 60 };
const everybody = ["RGTP", "TCP cubic", "TCP BBR", "QUIC"];
const goodput: readonly FigureName[] = ["share", "rate", "handshake", "other", "sent", "asked", "dropped"];
/** Far more than any contestant worth the name needs. */
const SECONDS = 60;

const asksShare = (atLeast: number): Criterion[] => [{ of: "RGTP", figure: "share", atLeast }];

/** All of them, in the order in which they are run. */
export const tables: readonly Table[] = [
  {
    kind: "alone",
    name: "loss",
    title: "200 Mbit/s, 40 ms, queue 50 ms, a file of 200 MB: packets lost at random, both ways",
    contestants: everybody,
    figures: goodput,
    rows: ([[0, 0.95], [1, 0.95], [5, 0.93], [10, 0.9], [30, 0.85], [50, 0.8]] as const).map((
      [percent, atLeast],
    ) => ({
      name: `loss ${percent} %`,
      link: { ...far, lossRate: percent / 100 },
      bytes: 200_000_000,
      secondsMax: SECONDS,
      criteria: asksShare(atLeast),
    })),
  },
  {
    kind: "alone",
    name: "rough",
    title: "The same link: losses in bursts, packets out of order; and one with 300 ms and a file of 400 MB",
    contestants: everybody,
    figures: goodput,
    rows: [
      {
        name: "loss 5 % in bursts of 10",
        link: { ...far, lossRate: 0.05, lossRun: 10 },
        bytes: 200_000_000,
        secondsMax: SECONDS,
        criteria: asksShare(0.85),
      },
      {
        name: "5 % held back by 5 ms",
        link: { ...far, reorderRate: 0.05, reorderMs: 5 },
        bytes: 200_000_000,
        secondsMax: SECONDS,
        criteria: asksShare(0.9),
      },
      {
        name: "300 ms",
        link: { ...far, delayMs: 150 },
        bytes: 400_000_000,
        secondsMax: 2 * SECONDS,
        criteria: asksShare(0.85),
      },
    ],
  },
  {
    kind: "alone",
    name: "loopback",
    title: "Loopback, a file of 1 GB: packets as large as they are sent, some of them lost",
    contestants: ["RGTP"],
    figures: ["rate", "ofFirst", "handshake", "other"],
    rows: [0, 1].map((loopbackLossPercent) => ({
      name: `loss ${loopbackLossPercent} %`,
      link: { loopbackLossPercent },
      bytes: 1_000_000_000,
      secondsMax: SECONDS,
      criteria: loopbackLossPercent > 0 ? [{ of: "RGTP", figure: "ofFirst", atLeast: 0.5 }] : [],
    })),
  },
  {
    kind: "alone",
    name: "slow",
    title: "2 Mbit/s, 40 ms, a queue of 2 s, a file of 5 MB: what waits in the queue",
    contestants: ["RGTP", "RGTP batch", "TCP cubic", "TCP BBR", "QUIC"],
    figures: ["share", "queueMedian", "queueMost", "dropped", "sent", "asked"],
    rows: [{
      name: "2 Mbit/s, queue 2 s",
      link: { mbitPerSecond: 2, delayMs: 20, queueMs: 2000 },
      bytes: 5_000_000,
      secondsMax: SECONDS,
      criteria: [
        { of: "RGTP", figure: "share", atLeast: 0.85 },
        { of: "RGTP", figure: "queueMost", atMost: 100 },
        { of: "RGTP batch", figure: "queueMost", atMost: 50 },
      ],
    }],
  },
  {
    kind: "alone",
    name: "narrow",
    title:
      "40 ms, a file of 100 MB: a policer, and a queue of 5 ms; what is dropped is the sender's own making",
    contestants: everybody,
    figures: ["share", "dropped", "rate", "sent", "asked"],
    rows: [
      {
        name: "50 Mbit/s policed, bucket 64 KB",
        link: { ...far, policerMbitPerSecond: 50, policerBytes: 64_000 },
        bytes: 100_000_000,
        secondsMax: SECONDS,
        criteria: [...asksShare(0.7), { of: "RGTP", figure: "dropped", atMost: 0.05 }],
      },
      {
        name: "50 Mbit/s, queue 5 ms",
        link: { ...shared, queueMs: 5 },
        bytes: 100_000_000,
        secondsMax: SECONDS,
        criteria: [...asksShare(0.7), { of: "RGTP", figure: "dropped", atMost: 0.05 }],
      },
    ],
  },
  {
    kind: "alone",
    name: "start",
    title:
      "200 Mbit/s, 40 ms, a file of 1 MB, with a ticket: round trips from the first packet to the last byte",
    contestants: everybody,
    figures: ["roundTrips", "handshake", "moved", "other", "sent", "asked"],
    rows: [{
      name: "1 MB",
      link: far,
      bytes: 1_000_000,
      secondsMax: SECONDS,
      criteria: [{ of: "RGTP", figure: "roundTrips", atMost: 6 }],
    }],
  },
  {
    kind: "together",
    name: "fairness",
    title: "50 Mbit/s, 40 ms, queue 60 ms, 60 s: who gets what of a link that is shared",
    link: shared,
    seconds: 60,
    settleSeconds: 10,
    rows: [
      together("two TCP cubic", ["TCP cubic", "TCP cubic"]),
      together("TCP cubic, TCP BBR", ["TCP cubic", "TCP BBR"]),
      together("RGTP, TCP cubic", ["RGTP", "TCP cubic"], [
        { of: "RGTP", figure: "share", atLeast: 0.35, atMost: 0.65 },
        { of: "RGTP", figure: "drops", atMost: 1.2 },
      ]),
      together("RGTP, TCP BBR", ["RGTP", "TCP BBR"], [
        { of: "RGTP", figure: "share", atLeast: 0.3, atMost: 0.7 },
      ]),
      together("two RGTP", ["RGTP", "RGTP"], [
        { of: "RGTP", figure: "jain", atLeast: 0.95 },
        { of: "RGTP", figure: "drops", atMost: 2 },
      ]),
      together("RGTP batch, TCP cubic", ["RGTP batch", "TCP cubic"], [
        { of: "TCP cubic", figure: "share", atLeast: 0.9 },
      ]),
      together("TCP cubic, RGTP 15 s later", ["TCP cubic", "RGTP"], [
        { of: "RGTP", figure: "share", atLeast: 0.35, atMost: 0.65 },
      ], 15),
      together("RGTP, TCP cubic 15 s later", ["RGTP", "TCP cubic"], [
        { of: "RGTP", figure: "share", atLeast: 0.35, atMost: 0.65 },
      ], 15),
    ],
  },
];

function together(
  name: string,
  [first, second]: readonly [string, string],
  criteria: readonly Criterion[] = [],
  laterSeconds = 0,
): TogetherRow {
  const cast = [{ contestant: first, atSecond: 0 }, { contestant: second, atSecond: laterSeconds }];
  return { name, cast, criteria };
}

/** The same in less time, for a look: a tenth of the bytes, a third of the time. What it says of a controller is half the truth. */
export function quick(table: Table): Table {
  if (table.kind === "together") {
    const rows = table.rows.map((row) => ({
      ...row,
      cast: row.cast.map(({ contestant, atSecond }) => ({ contestant, atSecond: atSecond / 3 })),
    }));
    return { ...table, seconds: table.seconds / 3, settleSeconds: table.settleSeconds / 3, rows };
  }
  const rows = table.rows.map((row) => ({
    ...row,
    bytes: Math.max(1_000_000, row.bytes / 10),
    secondsMax: row.secondsMax / 3,
  }));
  return { ...table, rows };
}

/** A table with those rows alone whose names hold one of some texts, and with the first one where others are compared with it. */
export function onlyRows(table: Table, texts: readonly string[]): Table {
  const isMeant = ({ name }: { name: string }) => texts.some((text) => name.includes(text));
  if (table.kind === "together") {
    return { ...table, rows: table.rows.filter((row, i) => i === 0 || isMeant(row)) };
  }
  const comparesWithFirst = table.figures.includes("ofFirst");
  return { ...table, rows: table.rows.filter((row, i) => (i === 0 && comparesWithFirst) || isMeant(row)) };
}
