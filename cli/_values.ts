/** Kinds of values that are numbers with, perhaps, a unit. */
export type ValueKind = "size" | "duration" | "rate" | "port";

/** How a kind is read. */
interface Reader {
  /** What is allowed; follows "is not". */
  readonly allowed: string;
  /** The number, or `undefined` for a text that is not one of the kind. */
  parse(text: string): number | undefined;
}

/** The kinds: bytes, milliseconds, bytes a second, and a port's number. */
export const valueKinds: Readonly<Record<ValueKind, Reader>> = {
  size: {
    allowed:
      "a size: bytes, or a number with K, M, G (powers of 1024, like KiB, MiB, GiB) or kB, MB, GB (powers of 1000)",
    parse: (text) => positive(scaled(text, byteUnits)),
  },
  duration: {
    allowed: "a duration: seconds, or a number with ms, s, m, h or d, such as 90, 30s, 5m, 1h, 1d",
    parse: (text) => positive(scaled(text, timeUnits)),
  },
  rate: {
    allowed: "a rate: bytes a second, or a number with a unit, such as 10MB/s, 1.5MB, 4MiB/s, 100Mbit/s",
    parse: (text) => positive(scaled(text.replace(/\/s$/, ""), rateUnits)),
  },
  port: {
    allowed: "a port: 1 to 65535, or 0 for any free one",
    parse: (text) => /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined,
  },
};

// Spelled exactly: "Mb" is a megabit to some and a megabyte to others.
const byteUnits = units([
  [1, ["", "B"]],
  [1e3, ["kB", "KB"]],
  [1e6, ["MB"]],
  [1e9, ["GB"]],
  [1e12, ["TB"]],
  [2 ** 10, ["K", "k", "KiB"]],
  [2 ** 20, ["M", "m", "MiB"]],
  [2 ** 30, ["G", "g", "GiB"]],
  [2 ** 40, ["T", "t", "TiB"]],
]);

const rateUnits = new Map([
  ...byteUnits,
  ...units([[1 / 8, ["bit"]], [1e3 / 8, ["kbit"]], [1e6 / 8, ["Mbit"]], [1e9 / 8, ["Gbit"]]]),
]);

const timeUnits = units([
  [1, ["ms"]],
  [1000, ["", "s"]],
  [60_000, ["m", "min"]],
  [3_600_000, ["h"]],
  [86_400_000, ["d"]],
]);

function units(rows: readonly (readonly [number, readonly string[]])[]): Map<string, number> {
  return new Map(rows.flatMap(([factor, names]) => names.map((name) => [name, factor] as const)));
}

function scaled(text: string, table: ReadonlyMap<string, number>): number | undefined {
  const [, number, unit] = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]*)$/.exec(text) ?? [];
  const factor = table.get(unit);
  return number === undefined || factor === undefined ? undefined : Math.floor(Number(number) * factor);
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 && Number.isSafeInteger(value) ? value : undefined;
}
