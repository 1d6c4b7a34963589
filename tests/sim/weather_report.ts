import { meanOf, measure } from "./measure.ts";
import type { ControlName, Measured } from "./measure.ts";
import type { Weather } from "./weather.ts";

/** What {@linkcode reportWeathers} does. */
export interface ReportOptions {
  /** In which weathers, by name. */
  readonly weathers: readonly (readonly [string, Weather])[];
  /** How much is pulled, bytes. */
  readonly size: number;
  /** Of a chunk. */
  readonly chunkSize: number;
  /** Seeds: so many, from the first. */
  readonly first: number;
  readonly seeds: number;
  /** Flows of TCP beside it. */
  readonly others: readonly ControlName[];
}

interface Column {
  readonly title: string;
  readonly width: number;
  readonly text: (measured: Measured) => string;
}

const columns: readonly Column[] = [
  { title: "of best", width: 7, text: ({ share }) => percent(share) },
  { title: "seconds", width: 7, text: ({ ms }) => (ms / 1000).toFixed(2) },
  { title: "trips", width: 6, text: ({ roundTrips }) => roundTrips.toFixed(1) },
  { title: "wait ms", width: 7, text: ({ waitMs }) => waitMs.toFixed(1) },
  { title: "95 %", width: 6, text: ({ wait95Ms }) => wait95Ms.toFixed(1) },
  { title: "own loss", width: 8, text: ({ ownLoss }) => percent(ownLoss, 2) },
  { title: "up", width: 6, text: ({ ownLossUp }) => percent(ownLossUp) },
  { title: "chance", width: 6, text: ({ lossDown }) => percent(lossDown) },
  { title: "up", width: 6, text: ({ lossUp }) => percent(lossUp) },
  { title: "extra", width: 6, text: ({ extraShare }) => percent(extraShare) },
  { title: "MB down", width: 8, text: ({ downBytes }) => (downBytes / 1e6).toFixed(2) },
  { title: "MB up", width: 6, text: ({ upBytes }) => (upBytes / 1e6).toFixed(2) },
];

const NAME_WIDTH = 14;

/** Pulls in some weathers and prints one line for each, the mean over its seeds; whether all transfers went well. */
export async function reportWeathers(options: ReportOptions): Promise<boolean> {
  const { first, seeds, size, chunkSize, others } = options;
  const titles = [
    ...columns.map(({ title, width }) => title.padStart(width)),
    ...others.map((name) => name.padStart(6)),
  ];
  console.log(`${size / 1e6} MB, mean of seeds ${first} to ${first + seeds - 1}`);
  console.log(`${"weather".padEnd(NAME_WIDTH)} ${titles.join(" ")}`);
  let isWell = true;
  for (const [name, weather] of options.weathers) {
    try {
      const measured: Measured[] = [];
      for (let seed = first; seed < first + seeds; seed++) {
        measured.push(await measure(weather, { size, chunkSize, seed, others }));
      }
      console.log(`${name.padEnd(NAME_WIDTH)} ${line(meanOf(measured))}`);
    } catch (error) {
      isWell = false;
      console.log(`${name.padEnd(NAME_WIDTH)} ${error instanceof Error ? error.message : error}`);
    }
  }
  return isWell;
}

function line(measured: Measured): string {
  return [
    ...columns.map(({ width, text }) => text(measured).padStart(width)),
    ...measured.otherShares.map((share) => percent(share).padStart(6)),
  ].join(" ");
}

function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)}%`;
}
