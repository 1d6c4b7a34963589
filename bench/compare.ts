/*
 * RGTP beside what people move files with today: the same bytes over loopback, from memory to memory, in turn. Each fetch is a program that
 * is started, moves everything and ends, and all of that is timed; what came is compared with what was sent, outside of that time.
 *
 *   deno task bench:compare [--table file|files]… [--size 1GB] [--files 10000] [--rounds 5] [--only NAME]… [--one-core] [--folder PATH]
 *                           [--install] [--json]
 */
import { parseArgs } from "node:util";
import { defaultEngine } from "../crypto/default_engine.ts";
import { loadLeafRow } from "../crypto/native/leaf_row.ts";
import { spread, tempDir } from "./_processes.ts";
import type { Contestant, Place, Service } from "./_compare/contest.ts";
import { contestants } from "./_compare/contestants.ts";
import {
  digestOf,
  FILE_BYTES_MAX,
  freeBytes,
  type Load,
  type LoadKind,
  makeFile,
  makeFiles,
} from "./_compare/load.ts";
import { install, missing } from "./_compare/programs.ts";
import { endedCpuSeconds, treeCpuSeconds } from "./_compare/process_tree.ts";
import { bytesOf, ratioText, spreadText, table } from "./_compare/text.ts";

/** One fetch. Rates are in MB/s, 10^6 bytes. */
interface Round {
  /** From the start of the program to its end. */
  readonly rate: number;
  /** Of that, what the program says that it did not need for moving bytes; `NaN` when it does not say. */
  readonly startSeconds: number;
  readonly serverCpu: number;
  readonly clientCpu: number;
}

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    table: { type: "string", multiple: true, default: ["file", "files"] },
    size: { type: "string", default: "1GB" },
    files: { type: "string", default: "10000" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", multiple: true, default: [] },
    "one-core": { type: "boolean", default: false },
    folder: { type: "string", default: "/dev/shm" },
    install: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
const via = flags["one-core"] ? ["taskset", "-c", "0"] : [];
/** With it ratios are made, so it is always there. */
const ours = contestants[0];
const print = flags.json ? () => {} : (text: string) => console.log(text);
const record = flags.json
  ? (fields: Record<string, unknown>) => console.log(JSON.stringify(fields))
  : () => {};

const wanted = (one: Contestant) =>
  one === ours || flags.only.length === 0 ||
  flags.only.some((part) => one.name.toLowerCase().includes(part.toLowerCase()));
const asked = contestants.filter(wanted);
if (flags.install) await install(asked);
const leavesAtOnce = loadLeafRow(defaultEngine().sha256)?.atOnce ?? 1;
print(
  `RGTP verifies ${leavesAtOnce} chunks at once${
    leavesAtOnce === 1 ? " (more with libIPSec_MB: --install gets it)" : ""
  }`,
);
record({ leavesAtOnce });
const present: Contestant[] = [];
for (const one of asked) {
  const why = await missing(one);
  if (why === "") present.push(one);
  else print(`${one.name} is left out: ${why}`);
}

const folder = await tempDir(flags.folder);
try {
  for (const kind of flags.table) {
    if (kind !== "file" && kind !== "files") throw new RangeError(`no table is called ${kind}: file, files`);
    await runTable(kind, present.filter(({ asked }) => asked[kind] !== undefined));
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function runTable(kind: LoadKind, who: readonly Contestant[]): Promise<void> {
  const expected = kind === "file" ? bytesOf(flags.size) : Number(flags.files) * FILE_BYTES_MAX / 2;
  await checkRoom(expected);
  const path = `${folder}/load-${kind}`;
  const load = kind === "file" ? await makeFile(path, expected) : await makeFiles(path, Number(flags.files));
  const figures = new Map<Contestant, Round[]>();
  {
    await using started = new AsyncDisposableStack();
    const services: [Contestant, Service][] = [];
    for (const one of who) {
      const place: Place = { folder: await Deno.makeTempDir({ dir: folder }), via };
      services.push([one, started.use(await one.serve(load, place))]);
    }
    for (let round = 0; round < rounds; round++) {
      // There and back: who comes behind whom shall not matter.
      for (const [one, service] of round % 2 ? services.toReversed() : services) {
        const figure = await fetch(one, service, load);
        record({ table: kind, round, who: one.name, bytes: load.bytes, ...figure });
        figures.set(one, [...figures.get(one) ?? [], figure]);
      }
    }
  }
  await Deno.remove(path, { recursive: true });
  show(load, figures);
}

async function fetch({ name, isBound }: Contestant, service: Service, load: Load): Promise<Round> {
  const out = `${folder}/out`;
  await service.ready();
  const [command, ...args] = [...via, ...service.fetch(out)];
  const [serverBefore, clientBefore] = [treeCpuSeconds(service.pid), endedCpuSeconds()];
  const started = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const seconds = (performance.now() - started) / 1000;
  const clientCpu = endedCpuSeconds() - clientBefore;
  const serverCpu = treeCpuSeconds(service.pid) - serverBefore;
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${name} failed: ${decoder.decode(stderr).trim()}`);
  if (!isBound) {
    if (await digestOf(out) !== load.sha256) throw new Error(`what ${name} brought is not what was sent`);
    await Deno.remove(out, { recursive: true });
  }
  const startSeconds = seconds - (service.seconds?.(decoder.decode(stdout)) ?? NaN);
  return { rate: load.bytes / 1e6 / seconds, startSeconds, serverCpu, clientCpu };
}

function show(load: Load, figures: ReadonlyMap<Contestant, readonly Round[]>): void {
  const our = figures.get(ours)!;
  const what = load.kind === "file" ? "one file" : `${flags.files} files of 0 to ${FILE_BYTES_MAX} bytes`;
  print(
    `\n${what}, ${(load.bytes / 1e6).toFixed(0)} MB, ${rounds} rounds in turn${
      via.length ? ", all on one core" : ""
    }: ` +
      "median (range); ratios are round by round\n",
  );
  const rows = [...figures].map(([one, all]) => {
    const of = (figure: keyof Round) => all.map((round) => round[figure]);
    const ratios = all.map(({ rate }, round) => our[round].rate / rate);
    const atLeast = one.asked[flags["one-core"] ? "oneCore" : load.kind] || undefined;
    const { median } = spread(ratios);
    record({
      ...{ table: load.kind, summary: one.name, rate: spread(of("rate")), ratio: spread(ratios), atLeast },
      ...{ serverCpu: spread(of("serverCpu")).median, clientCpu: spread(of("clientCpu")).median },
    });
    const start = spread(of("startSeconds")).median;
    return [
      one.name,
      spreadText(of("rate"), 0),
      one === ours ? "1" : ratioText(ratios),
      atLeast === undefined ? "" : `≥ ${atLeast}: ${median >= atLeast ? "met" : "short"}`,
      ...[of("serverCpu"), of("clientCpu")].map((all) => spread(all).median.toFixed(2)),
      Number.isNaN(start) ? "" : start.toFixed(2),
      one.protects,
    ];
  });
  print(
    table(["who", "MB/s", "RGTP ÷ it", "asked", "CPU s server", "client", "start s", "protects by"], rows),
  );
}

/** What is sent, what comes, and what exposers hold are all in memory. @throws {Error} when there is not enough of it */
async function checkRoom(bytes: number): Promise<void> {
  const free = await freeBytes(`${folder}/load`);
  const exposers = present.filter(({ name }) => name.startsWith("RGTP")).length;
  const { available } = Deno.systemMemoryInfo();
  const inFolder = 2.1 * bytes;
  const inMemory = (flags.folder === "/dev/shm" ? inFolder : 0) + 1.2 * exposers * bytes;
  if (free > inFolder && available > inMemory) return;
  const gb = (bytes: number) => (bytes / 1e9).toFixed(1);
  throw new Error(
    `${gb(inFolder)} GB are needed in '${flags.folder}' (${gb(free)} are free), and ${
      gb(inMemory)
    } GB of memory ` +
      `(${gb(available)} are available): take a smaller --size, or another --folder`,
  );
}
