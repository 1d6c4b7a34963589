/*
 * Whether an exposer and its pullers could go on for ever: for minutes pullers come and go, in weather that changes all the time. Prints
 * over time what both sides hold resident, and in the end how that grows, how sure that is, and what is left when all pullers have gone.
 * Ends with status 1 when it grows, or anything is left.
 *
 *   deno task bench:soak [--minutes 30] [--pullers 50] [--size 1MB] [--leak 0] [--json]
 *
 * The first third is not judged: of much less than half an hour it is too short to warm up, which then looks like growth. With
 * `--leak 20KB` the exposer keeps so much more at each look: the bench has to find it, or it proves nothing.
 */
import { parseArgs } from "node:util";
import { formatTicket, parseTicket } from "../codec/ticket.ts";
import { bytesOf } from "./_compare/text.ts";
import type { Counts } from "./_counted_exposer.ts";
import type { Held } from "./_held.ts";
import { BenchProcess, fastTempDir, writeRandomFile } from "./_processes.ts";
import { RoughRelay, smooth } from "./_rough_relay.ts";
import { slopeOf } from "./_slope.ts";
import type { Slope } from "./_slope.ts";
import type { Soaked } from "./_soak_pullers.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "30" },
    pullers: { type: "string", default: "50" },
    size: { type: "string", default: "1MB" },
    leak: { type: "string", default: "0" },
    json: { type: "boolean", default: false },
  },
});
const minutes = Number(flags.minutes);
const leakBytes = bytesOf(flags.leak);
const LOOK_MS = Math.min(5000, minutes * 60_000 / 90);
const WEATHER_MS_MAX = 15_000;
const SILENCE_MS_MAX = 5000;
/**
 * So much of the time is for what is made once, and for the collector to find its size. It is foul weather: an exposer keeps the parity
 * that it has made, up to a bound, so what the worst of the time after it asks for is made by then.
 */
const WARM_SHARE = 1 / 3;
const WARM_LOSS_MAX = 0.3;
const LOSS_MAX = 0.05;
const BLOCKS = 10;
/** Soft state is gone so long after the last packet. */
const REST_MS = 30_000;
/** Deno opens some sockets for itself, a moment after it has started. */
const SETTLE_MS = 3000;
const SLOPE_MAX = 1;
const sides = ["exposer", "pullers"] as const;
const measures = ["rss", "heap"] as const;

/** Both at some minute. */
interface Look {
  readonly minute: number;
  readonly exposer: Held;
  readonly pullers: Held;
  /** Bytes of packets that the exposer's store holds. */
  readonly storeBytes: number;
}

/** What a process has beside memory. */
interface Holdings {
  readonly descriptors: number;
  readonly threads: number;
}

const folder = await fastTempDir();
try {
  const path = `${folder}/source`;
  await writeRandomFile(path, bytesOf(flags.size));
  const collected = { flags: ["--v8-flags=--expose-gc"] };
  await using exposer = new BenchProcess("bench/_counted_exposer.ts", [path], collected);
  const ticket = parseTicket(JSON.parse(await exposer.line()).ticket);
  using relay = new RoughRelay(ticket.addresses[0], Math.random);
  const detour = formatTicket({ ...ticket, addresses: [relay.address] });
  await using pullers = new BenchProcess("bench/_soak_pullers.ts", [detour, path, flags.pullers], collected);
  await pullers.line();
  await pause(SETTLE_MS);
  const [before, pullersBefore] = await Promise.all([exposer, pullers].map(({ pid }) => holdingsOf(pid)));
  await pullers.ask("begin");

  const { looks, soaked } = await watch(exposer, pullers, relay);
  await pullers.ask("rest");
  await pause(REST_MS);
  const pullersAfter = await holdingsOf(pullers.pid);
  const pullersEnd = await pullers.finish();
  const { memory } = (await exposer.ask("collect")) as unknown as Counts;
  const after = await holdingsOf(exposer.pid);
  const exposerEnd = await exposer.finish();

  const warm = looks.filter(({ minute }) => minute >= minutes * WARM_SHARE);
  const slopes = sides.flatMap((side) =>
    measures.map((what) => {
      const points = warm.map((look) => [look.minute, look[side][what] / 1e6] as const);
      return { side, what, ...slopeOf(points, BLOCKS) };
    })
  );
  tell(`${soaked.whole} pulls whole, ${soaked.broken} broken off, ${soaked.failed} failed`, soaked);
  for (const one of slopes) {
    const { side, what, slope, from, to } = one;
    const range = `${from.toFixed(3)} to ${to.toFixed(3)}`;
    tell(`${side}, ${what}: ${slope.toFixed(3)} MB a minute (95 %: ${range})`, one);
  }
  const checks: readonly (readonly [what: string, isMet: boolean])[] = [
    // The heap is told beside it: where memory grows, that says whose it is.
    ...slopes.filter(({ what }) => what === "rss").map((one) =>
      [`${one.side}: resident memory does not grow`, isFlat(one)] as const
    ),
    ["no pull failed", soaked.failed === 0],
    ["the exposer has forgotten all pullers", Object.values(memory).every((count) => count === 0)],
    noMore("the exposer", before, after),
    noMore("the pullers' process", pullersBefore, pullersAfter),
    // A timer, a socket or a worker that was left would hold it.
    ["the pullers' process ends by itself", pullersEnd],
    ["the exposer's process ends by itself", exposerEnd],
  ];
  for (const [what, isMet] of checks) tell(`${isMet ? "met  " : "short"} ${what}`, { what, isMet });
  if (!checks.every(([, isMet]) => isMet)) Deno.exitCode = 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

function heldOf({ rss, heap }: Held): Held {
  return { rss, heap };
}

/** Looks at both until it is time, in ever other weather. */
async function watch(
  exposer: BenchProcess,
  pullers: BenchProcess,
  relay: RoughRelay,
): Promise<{ looks: Look[]; soaked: Soaked }> {
  const started = performance.now();
  const looks: Look[] = [];
  const over = new AbortController();
  const lossMax = () =>
    performance.now() - started < minutes * 60_000 * WARM_SHARE ? WARM_LOSS_MAX : LOSS_MAX;
  const weather = changeWeather(relay, lossMax, over.signal);
  for (let i = 1;; i++) {
    await pause(i * LOOK_MS - (performance.now() - started));
    const [one, soaked] = (await Promise.all(
      [exposer, pullers].map((process) => process.ask("collect")),
    )) as unknown as [Counts, Soaked];
    if (leakBytes > 0) await exposer.ask(`keep ${leakBytes}`);
    const minute = (performance.now() - started) / 60_000;
    const look = { minute, exposer: heldOf(one), pullers: heldOf(soaked), storeBytes: one.storeBytes };
    looks.push(look);
    const [mine, theirs] = [one, soaked].map(({ rss, heap }) =>
      `${(rss / 1e6).toFixed(1).padStart(7)} MB (heap ${(heap / 1e6).toFixed(2)})`
    );
    const sums =
      `${soaked.whole} whole, ${soaked.broken} broken off, ${soaked.failed} failed, ${soaked.running} running`;
    tell(
      `${minute.toFixed(2).padStart(6)} min  exposer ${mine}, store ${
        (one.storeBytes / 1e6).toFixed(2)
      }  pullers ${theirs}  ${sums}`,
      {
        ...look,
        ...soaked,
      },
    );
    if (minute < minutes) continue;
    over.abort();
    await weather;
    return { looks, soaked };
  }
}

/** Fair and foul, for some seconds each; now and then nothing gets through. */
async function changeWeather(relay: RoughRelay, lossMax: () => number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const [bad, far] = [Math.random(), Math.random()];
    relay.roughness = {
      lost: lossMax() * bad,
      flipped: 0.01 * bad,
      doubled: 0.02 * bad,
      cut: 0.01 * bad,
      delayMs: 60 * far,
      jitterMs: 30 * bad,
    };
    relay.isSilent = Math.random() < 0.1;
    await pause(Math.random() * (relay.isSilent ? SILENCE_MS_MAX : WEATHER_MS_MAX));
  }
  relay.roughness = smooth;
  relay.isSilent = false;
}

/** No growth that could be told from none; nor so wide an interval that a leak which matters would have a place in it. */
function isFlat({ from, to }: Slope): boolean {
  return from <= 0 && to <= SLOPE_MAX;
}

function noMore(who: string, before: Holdings, after: Holdings): readonly [what: string, isMet: boolean] {
  const text = (["descriptors", "threads"] as const).map((what) =>
    `${what} (${before[what]}, ${after[what]})`
  );
  return [
    `${who} has no more ${text.join(" and ")} than before`,
    after.descriptors <= before.descriptors && after.threads <= before.threads,
  ];
}

async function holdingsOf(pid: number): Promise<Holdings> {
  const descriptors = (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return { descriptors, threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]) };
}

function tell(text: string, fields: object): void {
  console.log(flags.json ? JSON.stringify(fields) : text);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
