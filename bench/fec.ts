/*
 * Reed-Solomon: parity of a block, and repair of a block, beside other programs that do the same. Each first shows that it gives back
 * what was lost. Rounds are interleaved, so that all meet the same machine; figures are medians, and ranges of all rounds.
 *
 * The bound is what the bare operation would take: data x parity products of a symbol each (as many bytes to add up, however one goes
 * about it with tables), at the speed of one multiply-add from and to the first cache, in this run. A kernel that makes several sums in
 * one pass saves loads and stores, and may go below it.
 *
 *   deno task bench:fec [ROUNDS] [SYMBOL_SIZE,...]
 */
import { bareMultiplyAdd } from "./_peers/bare.ts";
import type { Absent, Contestant, Shape } from "./_peers/contestant.ts";
import { libisal } from "./_peers/libisal.ts";
import { subspace } from "./_peers/npm.ts";
import { ours } from "./_peers/ours.ts";
import { zfec } from "./_peers/zfec.ts";
import { spread } from "./_processes.ts";

type Work = "encode" | "decode";

/** One row of the table: microseconds for a block, one figure for each round. */
interface Row {
  readonly name: string;
  readonly run: (times: number) => number | Promise<number>;
  readonly times: number;
  readonly figures: number[];
}

const ROUND_US = 4000;
const rounds = Number(Deno.args[0] ?? 31);
const symbolSizes = (Deno.args[1] ?? "1200,1428").split(",").map(Number);

for (const symbolSize of symbolSizes) {
  // As many symbols as a chunk of 64 KiB has at 1200 bytes.
  await compare({ data: 55, parity: 6, symbolSize, lost: [0, 7, 8, 30, 47, 54] });
}

async function compare(shape: Shape): Promise<void> {
  const symbols = Array.from(
    { length: shape.data },
    () => crypto.getRandomValues(new Uint8Array(shape.symbolSize)),
  );
  const entries = [
    ...ours(shape, symbols),
    ...libisal(shape, symbols),
    await zfec(shape),
    await subspace(shape, symbols),
    { name: "@ronomon/reed-solomon", why: "it takes at most 24 data symbols" },
  ];
  const contestants = entries.filter((entry): entry is Contestant => !("why" in entry));
  try {
    const bare = await bareMultiplyAdd(shape.symbolSize);
    console.log(
      `\n${shape.data} data symbols of ${shape.symbolSize} bytes, ${shape.parity} of parity, ${rounds} rounds`,
    );
    for (const work of ["encode", "decode"] as const) await race(work, shape, bare, contestants);
    for (const { name, why } of entries.filter((entry): entry is Absent => "why" in entry)) {
      console.log(`  ${name} [skipped: ${why}]`);
    }
  } finally {
    for (const contestant of contestants) await contestant.close?.();
  }
}

async function race(
  work: Work,
  shape: Shape,
  bare: Row["run"],
  contestants: readonly Contestant[],
): Promise<void> {
  const rows: Row[] = [await rowOf("bare multiply-add", bare)];
  for (const contestant of contestants) {
    const run = contestant[work];
    if (run) rows.push(await rowOf(contestant.name, run));
  }
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) row.figures.push(await row.run(row.times) / row.times);
  }
  print(work, shape, rows);
}

function print(work: Work, { data, parity, symbolSize, lost }: Shape, [bare, ...rows]: readonly Row[]): void {
  const title = work === "encode" ? `${parity} parity symbols` : `${lost.length} symbols back`;
  const bound = bare.figures.map((us) => us * data * parity);
  const best = rows.find(({ name }) => name === "libisal")?.figures;
  console.log(`\n  ${title.padEnd(28)} us a block (range)         data GB/s  of the bound  of libisal`);
  for (const { name, figures } of [{ name: "(the bound)", figures: bound }, ...rows]) {
    const { median, min, max } = spread(figures);
    const columns = [
      name.padEnd(28),
      median.toFixed(1).padStart(8),
      `(${min.toFixed(1)}-${max.toFixed(1)})`.padEnd(17),
      (data * symbolSize / median / 1000).toFixed(2).padStart(8),
      ratio(bound, figures).padStart(12),
      best ? ratio(best, figures).padStart(12) : "",
    ];
    console.log(`  ${columns.join(" ")}`);
  }
}

/** How much faster than another one: the median over the rounds, as both meet the same trouble in a round. */
function ratio(others: readonly number[], figures: readonly number[]): string {
  return spread(figures.map((us, round) => others[round] / us)).median.toFixed(2);
}

/** A row, warmed up, with as many repetitions as take a few milliseconds. */
async function rowOf(name: string, run: Row["run"]): Promise<Row> {
  let times = 1;
  while (times < 1e6 && await run(times) < ROUND_US) times *= 2;
  return { name, run, times, figures: [] };
}
