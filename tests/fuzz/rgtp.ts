/*
 * RGTP under bytes that nobody meant: every decoder, both machines in simulation, and on loopback a running exposer and a puller in
 * mid-transfer. What fails is kept in `corpus/`, and is tried in every run of the tests from then on.
 *
 *   deno task fuzz --minutes 10 [--seed 1]
 *   deno task fuzz --datagrams 10000000 [--at exposer|puller]
 */
import { parseByTable } from "../../cli/_args.ts";
import { projectRoot, projectText } from "../../tools/project_files.ts";
import { seededRandom } from "../sim/random.ts";
import { runChaos } from "./_chaos.ts";
import { attempt, decoders, mutated, noise, total } from "./_decoders.ts";
import { throwAtExposer } from "./_live_exposer.ts";
import { throwAtPuller } from "./_live_puller.ts";

/** Something that has failed: a decoder's input, or the seed of a run of both machines. */
export type Failing = { readonly decoder: string; readonly hex: string } | { readonly chaos: number };

/** Where failing ones are kept. */
export const corpusPath = "tests/fuzz/corpus/rgtp.json";

const INPUTS_AT_ONCE = 2000;
const RUNS_AT_ONCE = 20;

/** Tries something that has failed once. @throws {Error} when it still does */
export function retry(failing: Failing): void {
  if ("chaos" in failing) return void runChaos(failing.chaos);
  const decoder = [...decoders, ...total].find(({ name }) => name === failing.decoder);
  // One that is gone cannot fail.
  if (decoder) attempt(decoder, Uint8Array.fromHex(failing.hex));
}

function readCorpus(): Failing[] {
  return JSON.parse(projectText(corpusPath)) as Failing[];
}

/** Runs it; keeps what it was when it fails. */
function tried(what: () => Failing, run: () => void): void {
  try {
    run();
  } catch (error) {
    const [kept, failing] = [readCorpus(), what()];
    const text = JSON.stringify(failing);
    if (!kept.some((one) => JSON.stringify(one) === text)) kept.push(failing);
    Deno.writeTextFileSync(projectRoot + corpusPath, `${JSON.stringify(kept, undefined, 2)}\n`);
    throw error;
  }
}

/** Decoders and machines in turn, until it is time. Answers with how much was tried. */
export function fuzz(seed: number, until: () => boolean): { inputs: number; runs: number } {
  const sums = { inputs: 0, runs: 0 };
  const random = seededRandom(seed, "fuzz");
  while (!until()) {
    for (let i = 0; i < INPUTS_AT_ONCE; i++, sums.inputs++) {
      const input = random.chance(0.2) ? noise(random) : mutated(random);
      for (const decoder of [...decoders, ...total]) {
        tried(() => ({ decoder: decoder.name, hex: input.toHex() }), () => attempt(decoder, input));
      }
    }
    for (let i = 0; i < RUNS_AT_ONCE; i++, sums.runs++) {
      const chaos = random.uint32();
      tried(() => ({ chaos }), () => runChaos(chaos));
    }
  }
  return sums;
}

if (import.meta.main) {
  const flags = {
    minutes: { kind: "string", placeholder: "COUNT", help: "decoders and machines, how long" },
    datagrams: { kind: "string", placeholder: "COUNT", help: "at running programs, how many" },
    at: { kind: "string", placeholder: "SIDE", help: "exposer or puller; both when not given" },
    seed: { kind: "string", placeholder: "SEED", help: "which run", default: "1" },
  } as const;
  const given = parseByTable(Deno.args, flags, { required: [], optional: [] }).flags;
  const seed = Number(given.seed ?? 1);
  const minutes = Number(given.minutes ?? (given.datagrams === undefined ? 1 : 0));
  const started = performance.now();
  if (minutes > 0) {
    const sums = fuzz(seed, () => performance.now() - started > minutes * 60_000);
    console.log(JSON.stringify(sums));
  }
  const datagrams = Number(given.datagrams ?? 0);
  const isAt = (side: string) => datagrams > 0 && [side, undefined].includes(given.at);
  const print = (sums: unknown) => console.log(JSON.stringify(sums, undefined, 2));
  if (isAt("exposer")) print(await throwAtExposer(seed, datagrams));
  if (isAt("puller")) {
    print(await throwAtPuller(seed, { strange: datagrams, copies: 0 }));
    print(await throwAtPuller(seed, { strange: 0, copies: Math.ceil(datagrams / 10) }));
  }
  console.log(`${((performance.now() - started) / 1000).toFixed(0)} s`);
}
