/*
 * The lab's own reckoning, without a network: what is asked names what there is, and figures are what they say.
 */
import { assert, assertAlmostEquals, assertEquals } from "../_assert.ts";
import { contestant } from "./_contestants.ts";
import { bestRate, figures, type Run } from "./_figures.ts";
import { noTally } from "./_path.ts";
import { spreadText, verdicts } from "./_print.ts";
import { onlyRows, quick, tables } from "./_tables.ts";
import { partsOf } from "./_together.ts";
import type { DirectionReport, EmulatorReport } from "./emulator.ts";

Deno.test("tables name contestants that there are, and ask for figures that they show", () => {
  assertEquals(new Set(tables.map(({ name }) => name)).size, tables.length);
  for (const table of tables) {
    for (const row of table.rows) {
      const names = table.kind === "alone"
        ? table.contestants
        : table.rows.flatMap(({ cast }) => cast.map((one) => one.contestant));
      for (const name of names) assertEquals(contestant(name).name, name);
      const shown: readonly string[] = table.kind === "alone" ? table.figures : ["share", "jain", "drops"];
      for (const { of, figure, atLeast, atMost } of row.criteria) {
        assert(names.includes(of), `${table.name}: ${of}`);
        assert(shown.includes(figure), `${table.name}: ${figure}`);
        assert(atLeast !== undefined || atMost !== undefined, `${table.name}, ${row.name}`);
        assert((atLeast ?? -Infinity) < (atMost ?? Infinity), `${table.name}, ${row.name}`);
      }
    }
  }
});

Deno.test("a quick table asks the same of less", () => {
  for (const table of tables) {
    const less = quick(table);
    assertEquals(less.rows.map(({ name, criteria }) => ({ name, criteria })), [
      ...table.rows.map(({ name, criteria }) => ({ name, criteria })),
    ]);
    if (less.kind === "alone" && table.kind === "alone") {
      assert(
        less.rows.every((row, i) =>
          row.bytes <= table.rows[i].bytes && row.secondsMax < table.rows[i].secondsMax
        ),
      );
    } else assert(less.kind === "together" && table.kind === "together" && less.seconds < table.seconds);
  }
});

Deno.test("some rows of a table come with the one that they are compared with", () => {
  const rowsOf = (name: string, ...texts: string[]) =>
    onlyRows(tables.find((table) => table.name === name)!, texts).rows.map((row) => row.name);
  assertEquals(rowsOf("loss", "loss 5"), ["loss 5 %", "loss 50 %"]);
  assertEquals(rowsOf("loss", "loss 0", "loss 1 "), ["loss 0 %", "loss 1 %"]);
  assertEquals(rowsOf("loopback", "loss 1"), ["loss 0 %", "loss 1 %"]);
  assertEquals(rowsOf("fairness", "two RGTP"), ["two TCP cubic", "two RGTP"]);
  for (const table of tables) assertEquals(onlyRows(table, [""]), table);
});

Deno.test("what a link has to give is its rate or its policer's, without losses and headers", () => {
  const share = 1428 / 1480;
  assertAlmostEquals(bestRate({ mbitPerSecond: 200, lossRate: 0.1 }), 180 * share);
  assertAlmostEquals(bestRate({ mbitPerSecond: 200, policerMbitPerSecond: 50 }), 50 * share);
  assertAlmostEquals(
    bestRate({ mbitPerSecond: 200, there: { mbitPerSecond: 100, lossRate: 0.5 } }),
    50 * share,
  );
});

Deno.test("figures of a contest", () => {
  const queueing = { width: 1, counts: [50, 45, 5] };
  const run: Run = {
    row: {
      name: "a link",
      link: { mbitPerSecond: 100, delayMs: 20 },
      bytes: 10_000_000,
      secondsMax: 10,
      criteria: [],
    },
    fetched: { outcome: "whole", bytes: 10_000_000, seconds: 1, handshakeSeconds: 0.08, otherSeconds: 0.3 },
    there: { ...noTally(), packets: 1000, bytes: 11_000_000, queueDrops: 10, policed: 5, queueing },
    back: { ...noTally(), packets: 100, bytes: 50_000, queueing },
  };
  const of = (name: keyof typeof figures) => figures[name].of(run);
  assertEquals([of("rate"), of("handshake"), of("moved"), of("other")], [80, 80, 1000, 300]);
  assertAlmostEquals(of("share")!, 80 / 100 * 1480 / 1428);
  assertAlmostEquals(of("roundTrips")!, 27);
  assertEquals([of("sent"), of("asked"), of("dropped")], [1.1, 0.005, 0.015]);
  assertEquals([of("queueMedian"), of("queueMost")], [1, 2]);
  const cut: Run = { ...run, fetched: { ...run.fetched, outcome: "cut off", bytes: 5_000_000 } };
  assertEquals([figures.rate.of(cut), figures.sent.of(cut), figures.handshake.of(cut)], [
    40,
    undefined,
    undefined,
  ]);
});

Deno.test("parts of a shared link, over all the time and over five seconds", () => {
  // Bytes a second: 300 and 100, then for the last five seconds the other way round.
  const reports = Array.from({ length: 16 }, (_, second) => {
    const [a, b] = [
      second * 300 - Math.max(0, second - 10) * 200,
      second * 100 + Math.max(0, second - 10) * 200,
    ];
    return report(second * 1000, { 1: a, 2: b }, second * 3);
  });
  const [first, second] = partsOf(reports, [1, 2]);
  assertAlmostEquals(first.share, 3500 / 6000);
  assertAlmostEquals(first.share + second.share, 1);
  assertEquals([first.least, first.most], [0.25, 0.75]);
  assertAlmostEquals(first.rate, 3500 * 8e-6 / 15);
  assertAlmostEquals(first.jain, 6000 ** 2 / (2 * (3500 ** 2 + 2500 ** 2)));
  assertAlmostEquals(second.dropsPerSecond, 3);
});

Deno.test("what is asked is met or short by the median, and short when there is no figure", () => {
  const criteria = [{ of: "A", figure: "x", atLeast: 0.9 }, { of: "A", figure: "y", atMost: 2 }];
  const say = (x: number[], y: number[]) =>
    verdicts(criteria, { x: "X", y: "Y" }, (figure) => figure === "x" ? x : y);
  assertEquals(say([0.8, 0.9, 1], [2.1]), "X ≥ 0.9: met, Y ≤ 2: short");
  assertEquals(say([0.8, 0.89, 1], []), "X ≥ 0.9: short, Y ≤ 2: short");
  assertEquals([spreadText([], 1), spreadText([2], 1), spreadText([3, 1, 2], 0)], ["-", "2.0", "2 (1-3)"]);
});

function report(
  at: number,
  deliveredBytes: Readonly<Record<number, number>>,
  queueDrops: number,
): EmulatorReport {
  const none = { width: 1, counts: [] };
  const flows = Object.entries(deliveredBytes).map(([port, bytes]) => ({
    ...{ protocol: 17, exposerPort: Number(port), pullerPort: 9 },
    ...{ ...noTally(), deliveredBytes: bytes },
  }));
  const lost = { protocol: 17, exposerPort: 3, pullerPort: 9, ...noTally(), queueDrops };
  const there: DirectionReport = { flows: [...flows, lost], queueing: none, inFlight: 0 };
  return {
    event: "report",
    at,
    there,
    back: { flows: [], queueing: none, inFlight: 0 },
    lateness: none,
    faults: 0,
  };
}
