/*
 * Exposes a file from memory and counts what that costs. Prints `{ticket}`; then, for each line that it reads, a line of {@linkcode Counts}:
 * `collect` has it collect its garbage before, and `keep BYTES` has it never give back so many more: a leak, for those who look for one.
 *
 *   deno run --v8-flags=--expose-gc _counted_exposer.ts FILE [LINK [HOST]]
 */
import process from "node:process";
import type { ExposureStats, LinkKind } from "../transport/mod.ts";
import { expose } from "../transport/mod.ts";
import { collect, held } from "./_held.ts";
import type { Held } from "./_held.ts";
import { cpuSeconds, lines } from "./_processes.ts";

/** What an exposer has, and has done. */
export interface Counts
  extends
    Held,
    Pick<ExposureStats, "memory" | "store" | "storeBytes" | "completed" | "bytesSent" | "drops" | "link"> {
  /** Seconds of processor time, without those that it was made to collect garbage in. */
  readonly cpu: number;
}

/** At once, so that nothing else is done meanwhile. */
function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function serve(path: string, kind?: LinkKind, host = "127.0.0.1"): Promise<void> {
  const kept: Uint8Array[] = [];
  await using exposure = await expose(path, {
    ...{ host, port: 0, memoryBytesMax: 8 * 2 ** 30, shared: "off" as const },
    ...(kind && { link: kind }),
  });
  console.log(JSON.stringify({ ticket: exposure.ticket }));
  let collecting = 0;
  for await (const line of lines(Deno.stdin.readable)) {
    const [word, bytes] = line.split(" ");
    if (word === "collect") {
      const before = ownCpuSeconds();
      collect();
      collecting += ownCpuSeconds() - before;
    }
    if (word === "keep") kept.push(new Uint8Array(Number(bytes)).fill(1));
    const { memory, store, storeBytes, completed, bytesSent, drops, link } = exposure.stats();
    const cpu = await cpuSeconds(Deno.pid) - collecting;
    const counts: Counts = { memory, store, storeBytes, completed, bytesSent, drops, link, cpu, ...held() };
    console.log(JSON.stringify(counts));
  }
}

if (import.meta.main) await serve(Deno.args[0], Deno.args[1] as LinkKind | undefined, Deno.args[2]);
