/*
 * `deno task lab`: RGTP beside TCP and QUIC over links that are far, lossy, slow or shared, in real namespaces of this machine, as
 * root. Prints Markdown tables with what is asked beside what is reached; docs/performance.md says what they mean.
 *
 *   deno task lab [--table NAME]… [--row TEXT]… [--contestant NAME]… [--rounds 3] [--quick] [--json]
 */
import { parseArgs } from "node:util";
import { runAlone, type TableOptions } from "./_alone.ts";
import { contestants } from "./_contestants.ts";
import { reason } from "./_namespaces.ts";
import { onlyRows, quick, type Table, tables } from "./_tables.ts";
import { runTogether } from "./_together.ts";
import { whyNoWan } from "./_wan.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    table: { type: "string", multiple: true, default: tables.map(({ name }) => name) },
    contestant: { type: "string", multiple: true, default: contestants.map(({ name }) => name) },
    row: { type: "string", multiple: true, default: [""] },
    rounds: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const print = flags.json ? () => {} : (text: string) => console.log(text);
const record = flags.json
  ? (fields: Readonly<Record<string, unknown>>) => console.log(JSON.stringify(fields))
  : () => {};
const fail = (row: string, error: unknown) => {
  console.error(`${row} could not be run: ${reason(error)}`);
  Deno.exitCode = 1;
};

const chosen = flags.table.map((name) => {
  const table = tables.find((table) => table.name === name);
  if (!table) {
    throw new RangeError(`no table is called ${name}: there are ${tables.map((t) => t.name).join(", ")}`);
  }
  const some = onlyRows(table, flags.row);
  return flags.quick ? quick(some) : some;
});
const unknown = flags.contestant.filter((name) => contestants.every((one) => one.name !== name));
if (unknown.length > 0) {
  const names = contestants.map(({ name }) => name).join(", ");
  throw new RangeError(`no contestant is called ${unknown.join(" or ")}: there are ${names}`);
}
const why = await whyNoWan();
if (why !== "") {
  console.error(`no lab here: ${why}`);
  Deno.exit(1);
}
const who = new Set<string>();
for (const { name, whyNot } of contestants.filter(({ name }) => flags.contestant.includes(name))) {
  const whyNotHere = await whyNot();
  if (whyNotHere === "") who.add(name);
  else print(`${name} is left out: ${whyNotHere}`);
}

const folder = await Deno.makeTempDir({ dir: "/dev/shm", prefix: "rgtp-lab-" });
// Links end by themselves when this program does; files in memory do not.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(1);
  });
}
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3));
try {
  for (const table of chosen) await runTable(table, { folder, rounds, who, print, fail, record });
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function runTable(table: Table, options: TableOptions): Promise<void> {
  const of = rounds === 1 ? "one round" : `${rounds} rounds in turn, median (range)`;
  print(`\n### ${table.name}\n\n${table.title}; ${of}${flags.quick ? "; --quick" : ""}\n`);
  await (table.kind === "alone" ? runAlone(table, options) : runTogether(table, options));
}
