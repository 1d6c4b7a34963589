/** Tables as people and programs read them. */
import { spread } from "../../bench/_processes.ts";
import type { Criterion } from "./_tables.ts";

/** A line of a Markdown table, its cells at least as wide as they are wanted. */
export function line(cells: readonly string[], widths: readonly number[]): string {
  return `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
}

/** The head of a Markdown table. */
export function head(titles: readonly string[], widths: readonly number[]): string {
  return `${line(titles, widths)}\n${line(widths.map((width) => "-".repeat(width)), widths)}`;
}

/** The middle of some figures, and their range when there is more than one; a dash when there is none. */
export function spreadText(values: readonly number[], digits: number): string {
  if (values.length === 0) return "-";
  const { median, min, max } = spread(values);
  const text = (value: number) => value.toFixed(digits);
  return values.length === 1 ? text(median) : `${text(median)} (${text(min)}-${text(max)})`;
}

/** How figures stand to what is asked of them, each by its median; one that is missing is not met. */
export function verdicts(
  criteria: readonly Criterion[],
  titles: Readonly<Record<string, string>>,
  valuesOf: (figure: string) => readonly number[],
): string {
  return criteria.map(({ figure, atLeast, atMost }) => {
    const values = valuesOf(figure);
    const median = values.length === 0 ? undefined : spread(values).median;
    const isMet = median !== undefined && median >= (atLeast ?? -Infinity) && median <= (atMost ?? Infinity);
    const asked = atLeast === undefined
      ? `≤ ${atMost}`
      : `≥ ${atLeast}${atMost === undefined ? "" : `, ≤ ${atMost}`}`;
    return `${titles[figure]} ${asked}: ${isMet ? "met" : "short"}`;
  }).join(", ");
}
