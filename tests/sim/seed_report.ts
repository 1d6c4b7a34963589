import { projectRoot, projectText } from "../../tools/project_files.ts";
import { runMixed } from "./mixed.ts";
import { mixedPlan } from "./mixed_plan.ts";
import { failingSeedsPath, runSeeds } from "./seed_runs.ts";
import type { SeedFailure } from "./seed_runs.ts";

const PROGRESS_EVERY = 1000;

/** Runs mixed weather for some seeds, prints what fails, and keeps it; whether nothing did. */
export async function reportSeeds(first: number, seeds: number): Promise<boolean> {
  if (seeds === 1) return await showSeed(first);
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  const failures = await runSeeds({
    first,
    count: seeds,
    onBlock: (done, failed) => {
      for (const { message } of failed) console.log(message);
      if (done % PROGRESS_EVERY === 0 && done < seeds) console.log(`${done} seeds, ${seconds()} s`);
    },
  });
  keep(failures);
  console.log(`${seeds} seeds from ${first} in ${seconds()} s: ${failures.length} failed`);
  return failures.length === 0;
}

/** Runs one seed here, where a debugger can see it, after its plan. */
async function showSeed(seed: number): Promise<boolean> {
  console.log(JSON.stringify(mixedPlan(seed), undefined, 1));
  try {
    const { ms, steps, sentBytes, sentBytesMax } = await runMixed(seed);
    console.log(
      `over after ${
        ms.toFixed(3)
      } ms and ${steps} steps; ${sentBytes} bytes sent, of at most ${sentBytesMax}`,
    );
    return true;
  } catch (error) {
    console.log(error instanceof Error ? error.stack : error);
    return false;
  }
}

/** What has failed once is tried in every run of the tests. */
function keep(failures: readonly SeedFailure[]): void {
  const kept = JSON.parse(projectText(failingSeedsPath)) as { seed: number; what: string }[];
  for (const { seed, message } of failures) {
    if (kept.some((one) => one.seed === seed)) continue;
    kept.push({ seed, what: message.split("\n")[0] });
  }
  Deno.writeTextFileSync(projectRoot + failingSeedsPath, `${JSON.stringify(kept, undefined, 2)}\n`);
}
