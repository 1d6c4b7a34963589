import { projectText } from "../../tools/project_files.ts";

/** Seeds in a row. */
export interface SeedBlock {
  readonly first: number;
  readonly count: number;
}

/** A seed whose run failed. */
export interface SeedFailure {
  readonly seed: number;
  /** What failed, and the command to see it again. */
  readonly message: string;
}

/** How {@linkcode runSeeds} works. */
export interface SeedRunOptions extends SeedBlock {
  /** At once; by default one for each processor. */
  readonly workers?: number;
  /** Told after every block: how many seeds have been tried, and which of the block have failed. */
  readonly onBlock?: (done: number, failures: readonly SeedFailure[]) => void;
}

/** Few enough that all workers end at about the same time. */
const BLOCK_SEEDS = 25;

/** Where seeds that have failed are kept, so that they stay tried; a path in the project. */
export const failingSeedsPath = "tests/sim/failing_seeds.json";

/** Runs mixed weather for seeds in a row, in workers; all that failed, by seed. */
export async function runSeeds(options: SeedRunOptions): Promise<SeedFailure[]> {
  const { first, count, workers = navigator.hardwareConcurrency, onBlock } = options;
  const end = first + count;
  const failures: SeedFailure[] = [];
  let next = first;
  let done = 0;
  const work = async () => {
    const worker = new Worker(new URL("./_mixed_worker.ts", import.meta.url), { type: "module" });
    try {
      while (next < end) {
        const block = { first: next, count: Math.min(BLOCK_SEEDS, end - next) };
        next += block.count;
        const failed = await runBlock(worker, block);
        failures.push(...failed);
        done += block.count;
        onBlock?.(done, failed);
      }
    } finally {
      worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return failures.sort((a, b) => a.seed - b.seed);
}

/** Seeds that have failed once. */
export function failingSeeds(): number[] {
  const kept = JSON.parse(projectText(failingSeedsPath)) as readonly { readonly seed: number }[];
  return kept.map(({ seed }) => seed);
}

function runBlock(worker: Worker, block: SeedBlock): Promise<readonly SeedFailure[]> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<readonly SeedFailure[]>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(
        new Error(
          `a worker died in seeds ${block.first} to ${block.first + block.count - 1}: ${event.message}`,
        ),
      );
    };
    worker.postMessage(block);
  });
}
