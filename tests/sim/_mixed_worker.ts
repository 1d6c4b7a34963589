// A worker of `seed_runs.ts`: runs the seeds that it is sent, and says which of them failed.
import { runMixed } from "./mixed.ts";
import type { SeedBlock, SeedFailure } from "./seed_runs.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<SeedBlock>) => void;
  postMessage(failures: readonly SeedFailure[]): void;
};

scope.onmessage = async ({ data: { first, count } }) => {
  const failures: SeedFailure[] = [];
  for (let seed = first; seed < first + count; seed++) {
    try {
      await runMixed(seed);
    } catch (error) {
      failures.push({ seed, message: error instanceof Error ? error.message : String(error) });
    }
  }
  scope.postMessage(failures);
};
