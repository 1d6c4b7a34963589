import { visible } from "./_text.ts";

/** A column of a table: its title, and what stands in it. */
export type Column<Row> = readonly [title: string, cell: (row: Row) => string | number];

/** Lines of a table for people. Numbers stand to the right. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row)));
  const texts = [
    columns.map(([title]) => title),
    ...cells.map((line) => line.map((cell) => visible(`${cell}`))),
  ];
  const widths = columns.map((_, i) => Math.max(...texts.map((line) => line[i].length)));
  const isNumber = columns.map((_, i) =>
    cells.length > 0 && cells.every((line) => typeof line[i] === "number")
  );
  return texts.map((line) =>
    line.map((text, i) => isNumber[i] ? text.padStart(widths[i]) : text.padEnd(widths[i])).join("  ")
      .trimEnd()
  );
}
