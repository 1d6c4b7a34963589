/** Contests of several at once on one link: who gets how much of it, second by second, as the link itself has counted. */
import { spread } from "../../bench/_processes.ts";
import { makeFile } from "../real/_files.ts";
import { doubt, doubtDevices, type TableOptions } from "./_alone.ts";
import type { Service } from "./_contest.ts";
import { contestant } from "./_contestants.ts";
import { type Place, wanPlace } from "./_place.ts";
import { head, line, spreadText, verdicts } from "./_print.ts";
import type { TogetherRow, TogetherTable } from "./_tables.ts";
import { crossing } from "./_wan.ts";
import type { EmulatorReport } from "./emulator.ts";

/** What one of several has got. */
export interface Part {
  /** Of what all have got: IPv4 bytes that arrived. */
  readonly share: number;
  /** The least and the most of five seconds in a row. */
  readonly least: number;
  readonly most: number;
  /** 10^6 bits a second, headers included. */
  readonly rate: number;
  /** How even all parts are: 1 is all the same, 1/n is one alone (Jain, Chiu and Hawe 1984). */
  readonly jain: number;
  /** Packets that the queue dropped, all contestants together, each second. */
  readonly dropsPerSecond: number;
}

const TICK_MS = 1000;
const WINDOW_TICKS = 5;
/** Files hold more than the whole link can carry, so that nobody ends early. */
const BYTES_MARGIN = 1.1;
const columns = [
  ["case", 28],
  ["who", 10],
  ["share", 20],
  ["in 5 s", 12],
  ["Mbit/s", 18],
  ["Jain", 20],
  ["drops a second", 12],
  ["÷ first case", 18],
  ["criterion", 12],
] as const;
const titles: Readonly<Record<string, string>> = {
  share: "share",
  jain: "Jain",
  drops: "drops ÷ first case",
};

/** Runs a table and prints it, row by row. */
export async function runTogether(table: TogetherTable, options: TableOptions): Promise<void> {
  const widths = columns.map(([title, width]) => Math.max(title.length, width));
  options.print(head(columns.map(([title]) => title), widths));
  let firstDrops: number | undefined;
  for (const row of table.rows) {
    if (row.cast.some((one) => !options.who.has(one.contestant))) continue;
    const rounds: Part[][] = [];
    for (let round = 0; round < options.rounds; round++) {
      const parts = await runCase(table, row, options).catch((error) =>
        options.fail(`${table.name}, ${row.name}`, error)
      );
      if (!parts) continue;
      rounds.push(parts);
      row.cast.forEach((one, i) =>
        options.record({ table: table.name, row: row.name, who: one.contestant, round, ...parts[i] })
      );
    }
    if (rounds.length === 0) continue;
    const drops = spread(rounds.map((parts) => parts[0].dropsPerSecond)).median;
    if (row === table.rows[0]) firstDrops = drops;
    row.cast.forEach((one, i) => {
      const mine = rounds.map((parts) => parts[i]);
      options.print(line([row.name, one.contestant, ...cells(row, i, mine, firstDrops)], widths));
    });
  }
}

function cells(row: TogetherRow, index: number, parts: readonly Part[], firstDrops?: number): string[] {
  const ratios = firstDrops ? parts.map(({ dropsPerSecond }) => dropsPerSecond / firstDrops) : [];
  const values: Record<string, number[]> = {
    share: parts.map(({ share }) => share),
    jain: parts.map(({ jain }) => jain),
    drops: ratios,
  };
  const { contestant: name } = row.cast[index];
  // Of two with one name the criterion stands beside the first.
  const isFirst = row.cast.findIndex((one) => one.contestant === name) === index;
  const criteria = row.criteria.filter(({ of }) => isFirst && of === name);
  const [least, most] = [Math.min(...parts.map((p) => p.least)), Math.max(...parts.map((p) => p.most))];
  return [
    spreadText(values.share, 2),
    `${least.toFixed(2)}-${most.toFixed(2)}`,
    spreadText(parts.map(({ rate }) => rate), 1),
    spreadText(values.jain, 3),
    spreadText(parts.map(({ dropsPerSecond }) => dropsPerSecond), 1),
    spreadText(ratios, 2),
    verdicts(criteria, titles, (figure) => values[figure]),
  ];
}

async function runCase(table: TogetherTable, row: TogetherRow, options: TableOptions): Promise<Part[]> {
  const folder = await Deno.makeTempDir({ dir: options.folder });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const { mbitPerSecond = 0 } = table.link;
  const bytes = Math.ceil(mbitPerSecond * 125_000 * table.seconds * BYTES_MARGIN);
  const file = await makeFile(`${folder}/source`, bytes, 2);
  const place = stack.use(await wanPlace(table.link));
  const services: Service[] = [];
  for (const one of row.cast) {
    services.push(stack.use(await contestant(one.contestant).serve(place, file, folder)));
  }
  const fetching = row.cast.map(async ({ atSecond }, i) => {
    await new Promise((resolve) => setTimeout(resolve, atSecond * 1000));
    return await services[i].fetch(`${folder}/out${i}`, table.seconds - atSecond);
  });
  const [reports, ...fetched] = await Promise.all([watch(place, table.seconds), ...fetching]);
  for (const [i, { outcome, said = "it was done too early" }] of fetched.entries()) {
    // Who stays to the end is cut off: only then the others have shared the link with it.
    if (outcome !== "cut off") {
      options.print(`do not count the next lines, ${row.cast[i].contestant}: ${said}`);
    }
  }
  const from = Math.max(...row.cast.map(({ atSecond }) => atSecond)) + table.settleSeconds;
  const counted = reports.filter(({ at }) => at >= reports[0].at + from * 1000);
  doubt(counted[0], counted.at(-1), options);
  await doubtDevices(place, options);
  return partsOf(counted, services.map(({ port }) => port));
}

/** A report each second, a second less than the contest takes. */
async function watch(place: Place, seconds: number): Promise<EmulatorReport[]> {
  const reports: EmulatorReport[] = [];
  const started = performance.now();
  for (let tick = 0; tick < seconds; tick++) {
    const report = await place.report();
    if (report) reports.push(report);
    await new Promise((resolve) => setTimeout(resolve, started + (tick + 1) * TICK_MS - performance.now()));
  }
  return reports;
}

/** What each port's flows have got between the first report and the last. */
export function partsOf(reports: readonly EmulatorReport[], ports: readonly number[]): Part[] {
  const between = (before: EmulatorReport, now: EmulatorReport) =>
    ports.map((port) =>
      crossing(before.there, now.there, ({ exposerPort }) => exposerPort === port).deliveredBytes
    );
  const [first, last] = [reports[0], reports[reports.length - 1]];
  const seconds = (last.at - first.at) / 1000;
  const all = between(first, last);
  const windows = reports.slice(WINDOW_TICKS).map((now, i) => sharesOf(between(reports[i], now)));
  const shares = sharesOf(all);
  const sumOfSquares = shares.reduce((sum, share) => sum + share ** 2, 0);
  const dropsPerSecond = crossing(first.there, last.there).queueDrops / seconds;
  return ports.map((_, i) => ({
    share: shares[i],
    least: Math.min(shares[i], ...windows.map((window) => window[i])),
    most: Math.max(shares[i], ...windows.map((window) => window[i])),
    rate: all[i] * 8e-6 / seconds,
    jain: 1 / (ports.length * sumOfSquares),
    dropsPerSecond,
  }));
}

function sharesOf(parts: readonly number[]): number[] {
  const sum = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => sum === 0 ? 0 : part / sum);
}
