/** Figures as people read and write them. */
import { spread } from "../_processes.ts";

/** The middle of some figures, and their range when there is more than one. */
export function spreadText(values: readonly number[], digits: number): string {
  const { median, min, max } = spread(values);
  const text = (value: number) => value.toFixed(digits);
  return values.length === 1 ? text(median) : `${text(median)} (${text(min)}-${text(max)})`;
}

/** Ratios with two digits, and their range. */
export function ratioText(values: readonly number[]): string {
  return spreadText(values, 2);
}

/** A Markdown table. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(titles), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KB: 1e3, MB: 1e6, GB: 1e9 };

/** Bytes that are written like `200MB` or `1.5GB`. @throws {RangeError} when they are not */
export function bytesOf(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMG]B)?$/i.exec(text) ?? [];
  if (number === undefined) throw new RangeError(`'${text}' is no size: write it like 200MB or 1GB`);
  return Math.round(Number(number) * UNITS[(unit ?? "").toUpperCase()]);
}
