/*
 * `deno task sim`: transfers in simulated networks, in virtual time.
 *
 *   deno task sim --weather NAME [--size 20MB] [--chunk 64KiB] [--seeds 5] [--first 1] [--beside cubic,bbr]
 *
 * pulls in one of the weathers of `weather.ts` ("all": in each of them) and prints what it costs, as the mean over some seeds.
 *
 *   deno task sim --seeds 10000 [--first 1]
 *
 * runs mixed weather, and adds seeds that fail to `failing_seeds.json`. One seed alone is shown with all that it brings.
 */
import { parseByTable } from "../../cli/_args.ts";
import { RgtpError } from "../../core/errors.ts";
import { controls } from "./measure.ts";
import type { ControlName } from "./measure.ts";
import { weathers } from "./weather.ts";
import type { Weather } from "./weather.ts";
import { reportSeeds } from "./seed_report.ts";
import { reportWeathers } from "./weather_report.ts";

const usage = `deno task sim --seeds 10000 [--first 1]
deno task sim --weather NAME [--size 20MB] [--chunk 64KiB] [--seeds 5] [--first 1] [--beside cubic,bbr]
weathers: all, ${Object.keys(weathers).join(", ")}`;

const flagTable = {
  help: { kind: "boolean", help: "say how this is used" },
  weather: { kind: "string", help: "pull in this weather, or in `all`; absent: mixed weather" },
  size: { kind: "size", help: "how much", default: "20MB" },
  chunk: { kind: "size", help: "in chunks of", default: "64KiB" },
  seeds: {
    kind: "string",
    placeholder: "COUNT",
    help: "over so many seeds",
    default: "5; mixed weather 1000",
  },
  first: { kind: "string", placeholder: "SEED", help: "the first of them", default: "1" },
  beside: { kind: "string", placeholder: "LIST", help: "beside flows of TCP, as in `cubic,bbr`" },
} as const;

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.args) ? 0 : 1);
  } catch (error) {
    if (!(error instanceof RgtpError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}

/** Whether all went well. */
async function run(args: readonly string[]): Promise<boolean> {
  const { flags } = parseByTable(args, flagTable, { required: [], optional: [] });
  const first = countOf("first", flags.first, 1);
  if (flags.help) {
    console.log(usage);
    return true;
  }
  if (flags.weather === undefined) return await reportSeeds(first, countOf("seeds", flags.seeds, 1000));
  return await reportWeathers({
    weathers: weathersNamed(flags.weather),
    size: flags.size ?? 20e6,
    chunkSize: flags.chunk ?? 65_536,
    seeds: countOf("seeds", flags.seeds, 5),
    first,
    others: othersOf(flags.beside ?? ""),
  });
}

function weathersNamed(name: string): [string, Weather][] {
  const all: [string, Weather][] = Object.entries(weathers);
  const found = name === "all" ? all : all.filter(([one]) => one === name);
  if (found.length > 0) return found;
  throw new RgtpError(
    "INVALID_ARG",
    `there is no weather '${name}'; there are: ${Object.keys(weathers).join(", ")}`,
  );
}

function othersOf(list: string): ControlName[] {
  return list.split(",").filter((name) => name !== "").map((name) => {
    if (name in controls) return name as ControlName;
    throw new RgtpError(
      "INVALID_ARG",
      `--beside knows ${Object.keys(controls).join(", ")}, and not '${name}'`,
    );
  });
}

function countOf(flag: string, text: string | undefined, absent: number): number {
  if (text === undefined) return absent;
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
  throw new RgtpError("INVALID_ARG", `--${flag} is a number from 1, and not '${text}'`);
}
