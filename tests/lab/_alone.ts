/** Contests one after the other: every contestant crosses the same link, in turn. */
import { makeFile } from "../real/_files.ts";
import type { Fetched, Service } from "./_contest.ts";
import { contestant } from "./_contestants.ts";
import { figures, rateOf, type Run } from "./_figures.ts";
import { loopbackPlace, type Place, wanPlace } from "./_place.ts";
import { head, line, spreadText, verdicts } from "./_print.ts";
import { spread } from "../../bench/_processes.ts";
import type { AloneRow, AloneTable } from "./_tables.ts";
import { type Crossing, crossing, lateness } from "./_wan.ts";
import type { EmulatorReport } from "./emulator.ts";

/** How a table is run. */
export interface TableOptions {
  /** Where files may be put: in memory. */
  readonly folder: string;
  /** How often everybody crosses. */
  readonly rounds: number;
  /** Who takes part; the others are left out. */
  readonly who: ReadonlySet<string>;
  /** A line for people. */
  readonly print: (text: string) => void;
  /** A row could not be run: the others are. */
  readonly fail: (row: string, error: unknown) => void;
  /** Something for programs. */
  readonly record: (fields: Readonly<Record<string, unknown>>) => void;
}

/** An emulator that is later than this, ms, makes a measurement doubtful. */
const LATENESS_MS_MAX = 1;
const SETTLE_TRIES = 100;
const SETTLE_MS = 50;
const titles = Object.fromEntries(Object.entries(figures).map(([name, { title }]) => [name, title]));

/** Runs a table and prints it, row by row. */
export async function runAlone(table: AloneTable, options: TableOptions): Promise<void> {
  const names = table.contestants.filter((name) => options.who.has(name));
  const columns = ["link", "who", ...table.figures.map((name) => titles[name]), "criterion, remarks"];
  const longest = Math.max(...table.rows.map(({ name }) => name.length));
  const widths = columns.map((title, i) => Math.max(title.length, [longest, 10][i] ?? 18));
  options.print(head(columns, widths));
  const firstRates = new Map<string, number>();
  for (const row of table.rows) {
    const runs = await runRow(table, row, names, firstRates, options).catch((error) =>
      options.fail(`${table.name}, ${row.name}`, error)
    );
    for (const [name, all] of runs ?? []) {
      if (row === table.rows[0] && all.length > 0) firstRates.set(name, spread(all.map(rateOf)).median);
      options.print(line([row.name, name, ...rowCells(table, name, all)], widths));
    }
  }
}

function rowCells(table: AloneTable, name: string, runs: readonly Run[]): string[] {
  const valuesOf = (figure: string) =>
    runs.map((run) => figures[figure as keyof typeof figures].of(run)).filter((value) => value !== undefined);
  const criteria = runs[0]?.row.criteria.filter((criterion) => criterion.of === name) ?? [];
  return [
    ...table.figures.map((figure) => spreadText(valuesOf(figure), figures[figure].digits)),
    [verdicts(criteria, titles, valuesOf), ...new Set(runs.map(({ fetched }) => remark(fetched)))]
      .filter((text) => text !== "").join("; "),
  ];
}

function remark({ outcome, seconds: moving, handshakeSeconds, bytes, said }: Fetched): string {
  const seconds = handshakeSeconds + moving;
  const moved = `${(bytes / 1e6).toFixed(1)} MB`;
  if (outcome === "whole") return "";
  if (outcome === "failed") return `gave up after ${seconds.toFixed(1)} s and ${moved}: ${said}`;
  return `> ${seconds.toFixed(0)} s, ${moved} came`;
}

async function runRow(
  table: AloneTable,
  row: AloneRow,
  names: readonly string[],
  firstRates: ReadonlyMap<string, number>,
  options: TableOptions,
): Promise<Map<string, Run[]>> {
  const folder = await Deno.makeTempDir({ dir: options.folder });
  const file = await makeFile(`${folder}/source`, row.bytes, 1);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const place = stack.use(await placeOf(row));
  const services = new Map<string, Service>();
  for (const name of names) {
    services.set(name, stack.use(await contestant(name).serve(place, file, folder)));
  }
  const runs = new Map<string, Run[]>(names.map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, service] of services) {
      const earlier = runs.get(name)!;
      // Who did not get through once is not given the same time again.
      if (earlier.some(({ fetched }) => fetched.outcome !== "whole")) continue;
      const before = await settled(place);
      const fetched = await service.fetch(`${folder}/out`, row.secondsMax);
      const now = await place.report();
      doubt(before, now, options);
      const firstRate = firstRates.get(name);
      const run = { row, fetched, ...seen(before, now), ...(firstRate !== undefined && { firstRate }) };
      earlier.push(run);
      options.record({ table: table.name, row: row.name, who: name, round, ...recordOf(run) });
      for (const path of [`${folder}/out`, `${folder}/out.part`]) await Deno.remove(path).catch(() => {});
    }
  }
  await doubtDevices(place, options);
  return runs;
}

/** All that is known of a run, for programs. */
function recordOf(run: Run): Readonly<Record<string, unknown>> {
  const { fetched, there, back } = run;
  const computed = Object.entries(figures).map(([name, figure]) => [name, figure.of(run)]);
  return { ...fetched, ...Object.fromEntries(computed), there: countsOf(there), back: countsOf(back) };
}

const countsOf = (crossed?: Crossing) => crossed && { ...crossed, queueing: undefined };

function placeOf({ link }: AloneRow): Promise<Place> {
  return "loopbackLossPercent" in link ? loopbackPlace(link.loopbackLossPercent) : wanPlace(link);
}

/** Says so when packets got lost in front of the link: then they are in no column, and each figure is of some other link. */
export async function doubtDevices(place: Place, { print }: Pick<TableOptions, "print">): Promise<void> {
  const drops = await place.deviceDrops();
  if (drops > 0) print(`a device dropped ${drops} packets in front of the link: doubt the lines above`);
}

/** What has happened up to now, when nothing is on its way any more. */
async function settled(place: Place): Promise<EmulatorReport | undefined> {
  let before = await place.report();
  if (!before) return undefined;
  for (let tries = 0; tries < SETTLE_TRIES; tries++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const now = await place.report();
    if (!now) return undefined;
    const [there, back] = [crossing(before.there, now.there), crossing(before.back, now.back)];
    if (now.there.inFlight + now.back.inFlight + there.packets + back.packets === 0) return now;
    before = now;
  }
  return before;
}

function seen(before?: EmulatorReport, now?: EmulatorReport): Pick<Run, "there" | "back"> {
  if (!before || !now) return {};
  return { there: crossing(before.there, now.there), back: crossing(before.back, now.back) };
}

/** Says so when the emulator itself was not good enough. */
export function doubt(
  before: EmulatorReport | undefined,
  now: EmulatorReport | undefined,
  { print }: Pick<TableOptions, "print">,
): void {
  if (!before || !now) return;
  const late = lateness(before, now);
  if (now.faults > before.faults) {
    print(`the emulator lost ${now.faults - before.faults} packets: do not count the next line`);
  }
  if (late > LATENESS_MS_MAX) {
    print(`the emulator was late by ${late.toFixed(2)} ms for 1 of 100 packets: doubt the next line`);
  }
}
