/*
 * Exposes a file from memory and counts what that costs. Prints `{ticket}`; then, for each line that it reads, a line of {@linkcode Counts}:
 * `collect` has it collect its garbage before.
 *
 *   deno run --v8-flags=--expose-gc _counted_exposer.ts FILE [LINK [HOST]]
 */
import type { ExposureStats, LinkKind } from "../transport/mod.ts";
import { expose } from "../transport/mod.ts";
import { cpuSeconds, lines } from "./_processes.ts";

/** What an exposer has, and has done. */
export interface Counts
  extends Pick<ExposureStats, "memory" | "store" | "completed" | "bytesSent" | "drops" | "link"> {
  /** Resident bytes. */
  readonly rss: number;
  /** Seconds of processor time. */
  readonly cpu: number;
}

async function serve(path: string, kind?: LinkKind, host = "127.0.0.1"): Promise<void> {
  const { gc } = globalThis as unknown as { gc(how: Readonly<Record<string, string>>): void };
  // It gives the collector's spare room back, too: that is as large as the busiest moment was, and says nothing of what is kept.
  const all = { type: "major", flavor: "last-resort" };
  await using exposure = await expose(path, {
    ...{ host, port: 0, memoryBytesMax: 8 * 2 ** 30, shared: "off" as const },
    ...(kind && { link: kind }),
  });
  console.log(JSON.stringify({ ticket: exposure.ticket }));
  for await (const line of lines(Deno.stdin.readable)) {
    // The first may leave what only the second can take.
    if (line === "collect") { for (let i = 0; i < 2; i++) gc(all); }
    const { memory, store, completed, bytesSent, drops, link } = exposure.stats();
    const [{ rss }, cpu] = [Deno.memoryUsage(), await cpuSeconds(Deno.pid)];
    console.log(
      JSON.stringify({ memory, store, completed, bytesSent, drops, link, rss, cpu } satisfies Counts),
    );
  }
}

if (import.meta.main) await serve(Deno.args[0], Deno.args[1] as LinkKind | undefined, Deno.args[2]);
