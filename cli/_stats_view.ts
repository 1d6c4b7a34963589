import { formatAddress } from "../codec/address.ts";
import type { ExposureStats, ServingStats } from "../transport/expose.ts";
import { addCounts } from "../transport/exposure_stats.ts";
import type { PullerStatus } from "../transport/protocol/exposer_types.ts";
import type { FlagTable } from "./_args.ts";
import type { Io } from "./_io.ts";
import { byAddress } from "./_puller_log.ts";
import { RateMeter } from "./_rate_meter.ts";
import { emit } from "./_report.ts";
import { tableLines } from "./_table.ts";
import type { Column } from "./_table.ts";
import { rowsOf } from "./_terminal.ts";
import type { StatusLine } from "./_terminal.ts";
import { formatBytes, formatRate, formatSeconds, plural } from "./_text.ts";

/** Whether who pulls is shown in full. */
export const statsFlags = {
  stats: {
    kind: "boolean",
    help:
      "show who pulls, at which rate, how much of it gets lost and since when, and what was dropped: a table that lives, or a line " +
      "of JSON each second with --json",
  },
} as const satisfies FlagTable;

const JSON_EVERY_MS = 1000;

/** What the table takes of the terminal beside its rows: titles, the sum, and a line for what is above. */
const LINES_BESIDE = 4;

/** What is said of one port: the name that people know each of its exposures by, by their IDs in hexadecimal, and its figures. */
export interface Looked {
  readonly names: ReadonlyMap<string, string>;
  readonly stats: ServingStats & Pick<Partial<ExposureStats>, "shared" | "multicast">;
}

/** One who pulls. */
interface Row extends PullerStatus {
  readonly name: string;
}

/** Who pulls, as far as their tokens and requests tell: nothing is kept for it. */
export class StatsView {
  readonly #io: Io;
  readonly #status: StatusLine | undefined;
  readonly #now: () => number;
  readonly #meter = new RateMeter();
  #saidAt = -Infinity;
  #last = "";

  /** A table on `status`, or without it lines of JSON. `now` is monotonic ms. */
  constructor(io: Io, status: StatusLine | undefined, now: () => number = () => performance.now()) {
    this.#io = io;
    this.#status = status;
    this.#now = now;
  }

  /** Looks at all ports, if it is time. */
  look(ports: readonly Looked[]): void {
    const now = this.#now();
    const rows = rowsOfPorts(ports);
    const bytes = sum(ports, ({ stats }) => stats.bytesSent);
    const rate = this.#meter.update(now, bytes);
    if (this.#status) {
      const most = Math.max(1, rowsOf(this.#io) - LINES_BESIDE);
      const text = [...tableOf(rows, most), summary(ports, rows.length, rate)].join("\n");
      if (text !== this.#last) this.#status.show(text);
      this.#last = text;
      return;
    }
    if (now - this.#saidAt < JSON_EVERY_MS) return;
    this.#saidAt = now;
    emit(this.#io, "stats", {
      ...{ bytes, rate: Math.round(rate) },
      completed: sum(ports, ({ stats }) => stats.completed),
      left: sum(ports, ({ stats }) => stats.left),
      handshakes: addCounts(ports.map(({ stats }) => stats.handshakes)),
      drops: addCounts(ports.map(({ stats }) => stats.drops)),
      pullers: rows.map(jsonOf),
    });
  }
}

/** The longest there is first. */
function rowsOfPorts(ports: readonly Looked[]): Row[] {
  return ports.flatMap(({ names, stats }) =>
    [...names].flatMap(([id, name]) =>
      byAddress(stats.pullers.filter(({ exposureId }) => exposureId.toHex() === id)).map((puller) => ({
        ...puller,
        name,
      }))
    )
  ).sort((a, b) => b.forMs - a.forMs);
}

const columns: readonly Column<Row>[] = [
  ["PULLER", ({ address }) => formatAddress(address)],
  ["WHAT", ({ name }) => name],
  ["TICKET", ({ ticket = "" }) => ticket],
  ["RATE", ({ rate }) => formatRate(rate)],
  ["LOSS", ({ loss }) => loss === undefined ? "" : `${(loss * 100).toFixed(1)} %`],
  ["SENT", ({ bytesSent }) => formatBytes(bytesSent)],
  ["FOR", ({ forMs }) => forMs < 10_000 ? `${Math.floor(forMs / 1000)} s` : formatSeconds(forMs / 1000)],
];

/** A table of at most `most` rows; names from outside are escaped there. Columns that tell nobody apart are left out. */
function tableOf(rows: readonly Row[], most: number): string[] {
  if (rows.length === 0) return [];
  const isTold = new Map([
    ["WHAT", rows.some(({ name }) => name !== rows[0].name)],
    ["TICKET", rows.some(({ ticket }) => ticket !== undefined)],
  ]);
  const lines = tableLines(columns.filter(([title]) => isTold.get(title) !== false), rows.slice(0, most));
  return rows.length > most ? [...lines, `and ${rows.length - most} more`] : lines;
}

function summary(ports: readonly Looked[], pullers: number, rate: number): string {
  const handshakes = addCounts(ports.map(({ stats }) => stats.handshakes));
  const drops = addCounts(ports.map(({ stats }) => stats.drops));
  const who = pullers === 0 ? "nobody pulls" : `${plural(pullers, "puller")}, ${formatRate(rate)}`;
  const shared = sum(ports, ({ stats }) => stats.shared?.bytesGiven ?? 0);
  const groups = ports.flatMap(({ stats }) => stats.multicast ?? []);
  const told = [
    `${formatBytes(sum(ports, ({ stats }) => stats.bytesSent))} served`,
    ...(shared > 0 ? [`${formatBytes(shared)} shared as memory`] : []),
    ...groups.map(({ receivers, rate }) =>
      `a group of ${plural(receivers, "receiver")} at ${formatRate(rate)}`
    ),
    `${sum(ports, ({ stats }) => stats.completed)} complete`,
    ...(handshakes.denied ? [`${handshakes.denied} denied`] : []),
    ...(Object.keys(drops).length > 0 ? [`dropped: ${dropsText(drops)}`] : []),
  ];
  return `${who}; ${told.join("; ")}`;
}

/** The most frequent first. */
function dropsText(drops: Readonly<Record<string, number>>): string {
  return Object.entries(drops).sort(([, a], [, b]) => b - a).map(([why, count]) => `${count} ${why}`).join(
    ", ",
  );
}

function jsonOf({ address, name, ticket, rate, loss, bytesSent, forMs }: Row): Record<string, unknown> {
  return {
    ...{ address: formatAddress(address), name, ...(ticket !== undefined && { ticket }) },
    ...{ rate: Math.round(rate), ...(loss !== undefined && { loss: Number(loss.toFixed(4)) }) },
    ...{ bytes: bytesSent, seconds: Math.round(forMs / 1000) },
  };
}

function sum(ports: readonly Looked[], of: (port: Looked) => number): number {
  return ports.reduce((all, port) => all + of(port), 0);
}
