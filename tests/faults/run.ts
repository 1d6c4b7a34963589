/*
 * Real transfers, and what goes wrong with them: each run exposes something, pulls it, and has one fault strike at some moment. Afterwards
 * OUT is complete and right, or the end says why; never is something wrong in OUT; and without the fault the same pull completes.
 *
 *   deno task faults [--runs 100] [--seed 1] [--only NAME] [--parallel 2]
 *
 * Prints which faults came to what, and ends with status 1 when a run was corrupt, hung, or ended unexplained: with the command for that
 * run alone. After Ctrl-C it ends the runs that it has begun, and prints these.
 */
import { parseArgs } from "node:util";
import { whyNoLab } from "../lab/_lab.ts";
import { whyNoMounts } from "../real/_mounts.ts";
import { diskFaults } from "./_disk_faults.ts";
import type { Fault } from "./_fault.ts";
import { Trouble } from "./_judge.ts";
import { processFaults } from "./_process_faults.ts";
import { Scene } from "./_scene.ts";
import { sourceFaults } from "./_source_faults.ts";
import { wireFaults } from "./_wire_faults.ts";

/** All of them. */
export const faults: readonly Fault[] = [...processFaults, ...diskFaults, ...wireFaults, ...sourceFaults];

/** What came of a run. */
export interface Run {
  readonly seed: number;
  readonly fault: string;
  /** How the pull ended that the fault met, or the exposer before one. */
  readonly outcome: string;
  /** What must not be. */
  readonly trouble?: Trouble;
}

/** Why a fault cannot be had here; empty when it can. */
export async function lacks(): Promise<Readonly<Record<NonNullable<Fault["needs"]>, string>>> {
  return { mounts: await whyNoMounts(), namespaces: await whyNoLab(), prlimit: await whyNoPrlimit() };
}

/** One run. Whatever comes of it, nothing of it is left. */
export async function runFault(fault: Fault, seed: number): Promise<Run> {
  await using scene = await Scene.make(seed);
  let outcome = "";
  try {
    outcome = await meet(fault, scene);
    await fault.heal?.(scene);
    await scene.complete();
    return { seed, fault: fault.name, outcome };
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    return { seed, fault: fault.name, outcome, trouble: error };
  }
}

async function meet(fault: Fault, scene: Scene): Promise<string> {
  await fault.prepare?.(scene);
  await scene.makeSource();
  const early = fault.early?.(scene);
  const isServing = await scene.startExposer();
  await early;
  if (!isServing) return `exposer: ${await scene.end("exposer", fault.exposer ?? {})}`;
  fault.served?.(scene);
  scene.startPuller();
  await scene.moment();
  // One that is faster than the fault is not met by it.
  if (!scene.process("puller").isOver) await fault.strike?.(scene);
  const outcome = await scene.end("puller", fault.puller ?? {});
  await scene.checkOut(outcome === "complete");
  if (scene.process("exposer").isOver) await scene.end("exposer", fault.exposer ?? {});
  return outcome;
}

async function whyNoPrlimit(): Promise<string> {
  try {
    const { success } = await new Deno.Command("prlimit", { args: ["--nofile=64", "true"] }).output();
    return success ? "" : "prlimit sets no limits";
  } catch {
    return "no prlimit (package util-linux)";
  }
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    args: Deno.args,
    options: {
      runs: { type: "string", default: "100" },
      seed: { type: "string", default: "1" },
      only: { type: "string" },
      parallel: { type: "string", default: "2" },
    },
  });
  const lack = await lacks();
  const isMeant = ({ name }: Fault) => flags.only === undefined || name === flags.only;
  const named = faults.filter(isMeant);
  const possible = named.filter(({ needs }) => needs === undefined || lack[needs] === "");
  for (const { name, needs } of named) {
    if (needs && lack[needs] !== "") console.log(`skipped: ${name}: ${lack[needs]}`);
  }
  if (possible.length === 0) throw new Error("no such fault here");
  // Deno keeps what it has compiled: no fault shall meet it at that. And without one all must go well.
  const { trouble } = await runFault({ name: "none" }, 0);
  if (trouble) throw trouble;
  const first = Number(flags.seed);
  const runs: Run[] = [];
  let [next, isOver] = [0, false];
  const stop = () => void (isOver = true);
  Deno.addSignalListener("SIGINT", stop);
  await Promise.all(Array.from({ length: Number(flags.parallel) }, async () => {
    while (next < Number(flags.runs) && !isOver) {
      const seed = first + next++;
      const run = await runFault(possible[seed % possible.length], seed);
      runs.push(run);
      if (run.trouble) tell(run);
    }
  }));
  Deno.removeSignalListener("SIGINT", stop);
  for (const line of table(runs)) console.log(line);
  if (runs.some(({ trouble }) => trouble)) Deno.exitCode = 1;
}

function tell({ seed, fault, trouble }: Run): void {
  console.log(`${trouble!.kind}: ${fault}\n  deno task faults --runs 1 --seed ${seed} --only '${fault}'`);
  console.log(trouble!.message.replaceAll(/^/gm, "  "));
}

/** A line for each fault, and one for all. */
function table(runs: readonly Run[]): string[] {
  const width = Math.max(...runs.map(({ fault }) => fault.length));
  const line = (name: string, some: readonly Run[]) => {
    const outcomes = Object.entries(Object.groupBy(some, ({ outcome, trouble }) => trouble?.kind ?? outcome));
    const sums = outcomes.map(([outcome, of]) => [outcome, of!.length] as const).sort((a, b) => b[1] - a[1]);
    const text = sums.map(([outcome, count]) => `${outcome} ${count}`).join(", ");
    return `${name.padEnd(width)}  ${`${some.length}`.padStart(5)}  ${text}`;
  };
  const byFault = Object.entries(Object.groupBy(runs, ({ fault }) => fault)).sort();
  return [...byFault.map(([name, some]) => line(name, some!)), line("all", runs)];
}

if (import.meta.main) await main();
