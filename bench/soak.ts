/*
 * Whether memory stays where it is: one exposer process and one puller process that pulls the same file again and again, for minutes.
 * Prints what both hold resident over time, and the slope of the second half. Ends with status 1 when that is too steep.
 *
 *   deno task bench:soak [--minutes 10] [--size 500MB] [--json]
 */
import { parseArgs } from "node:util";
import { bytesOf } from "./_compare/text.ts";
import { BenchProcess, fastTempDir, residentBytes, writeRandomFile } from "./_processes.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "10" },
    size: { type: "string", default: "500MB" },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(flags.minutes);
const LOOKS = 40;
/** So much more a minute, MB, is taken for flat: what collections leave differs by more. */
const SLOPE_MAX = 1;

/** MB of both at some minute. */
interface Look {
  readonly minute: number;
  readonly exposer: number;
  readonly puller: number;
  readonly pulls: number;
}

const folder = await fastTempDir();
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytesOf(flags.size));
  await using exposer = new BenchProcess("bench/_counted_exposer.ts", [source], {
    flags: ["--v8-flags=--expose-gc"],
  });
  const { ticket } = JSON.parse(await exposer.line());
  await using puller = new BenchProcess("bench/_steady_puller.ts", [ticket, `${folder}/out`]);
  const started = performance.now();
  const looks: Look[] = [];
  for (let i = 1; i <= LOOKS; i++) {
    const wait = i * minutes * 60_000 / LOOKS - (performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, wait));
    const { pulls } = await puller.ask("pulls");
    const [ofExposer, ofPuller] = await Promise.all([exposer, puller].map(({ pid }) => residentBytes(pid)));
    const minute = (performance.now() - started) / 60_000;
    const look = { minute, exposer: ofExposer / 1e6, puller: ofPuller / 1e6, pulls: Number(pulls) };
    looks.push(look);
    if (flags.json) console.log(JSON.stringify(look));
    else console.log(line(look));
  }
  // The first half is for all that is made once, and for the collector to find its size.
  const half = looks.slice(LOOKS / 2);
  for (const side of ["exposer", "puller"] as const) {
    const slope = slopeOf(half.map((look) => [look.minute, look[side]]));
    const isFlat = slope <= SLOPE_MAX;
    if (flags.json) console.log(JSON.stringify({ side, slope, atMost: SLOPE_MAX }));
    else console.log(`${side}: ${slope.toFixed(2)} MB a minute, ≤ ${SLOPE_MAX}: ${isFlat ? "met" : "short"}`);
    if (!isFlat) Deno.exitCode = 1;
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}

function line({ minute, exposer, puller, pulls }: Look): string {
  const [one, other] = [exposer, puller].map((mb) => mb.toFixed(1).padStart(8));
  return `${minute.toFixed(2).padStart(6)} min  exposer ${one} MB  puller ${other} MB  pulls ${pulls}`;
}

/** Of the straight line through some points that is nearest to them by least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const product = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return product / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}
