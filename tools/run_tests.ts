/*
 * `deno task test`: all tests that this machine allows, in two runs. What measures time or fills real sockets runs alone; everything
 * else shares the processors. Paths as arguments run only those.
 */
import { readJunit } from "./junit.ts";
import type { TestCase } from "./junit.ts";
import { projectFiles, projectRoot } from "./project_files.ts";

/** Sums of a test run. A run that breaks off counts as a failure, and so does one without any test. */
export interface TestSums {
  /** Tests that passed, steps included. */
  readonly passed: number;
  /** Tests and runs that failed. */
  readonly failed: number;
  /** Tests that this machine does not allow. */
  readonly skipped: number;
}

/** Tests over real sockets and networks: beside others they would lose packets to want of processor time. */
const ALONE = [
  "tests/real/",
  "tests/faults/",
  "tests/lab/",
  "transport/link/",
  "tests/contract/link_test.ts",
  "cli/",
];
const MINUTES_MAX = 13;

if (import.meta.main) {
  const sums = await runTests(Deno.args);
  Deno.exit(sums.failed === 0 ? 0 : 1);
}

/** Runs the tests, says at the end what was skipped and what failed, and prints the sums as the last line. */
export async function runTests(paths: readonly string[] = []): Promise<TestSums> {
  const signal = AbortSignal.timeout(MINUTES_MAX * 60_000);
  const files = projectFiles();
  const alone = ALONE.filter((path) => files.some((file) => file.startsWith(path)));
  const runs = paths.length > 0
    ? [await run(paths, signal)]
    : [await run(["--parallel", `--ignore=${alone.join(",")}`], signal), await run(alone, signal)];
  const cases = runs.flatMap((one) => one.cases);
  const troubles = runs.flatMap((one) => one.troubles);
  if (cases.length === 0) troubles.push("no test ran");
  const of = (outcome: TestCase["outcome"]) => cases.filter((test) => test.outcome === outcome);
  const sums = {
    passed: of("passed").length,
    failed: of("failed").length + troubles.length,
    skipped: of("skipped").length,
  };
  console.log();
  for (const test of of("skipped")) console.log(`skipped: ${test.file}: ${test.name}`);
  for (const test of of("failed")) console.log(`failed: ${test.file}: ${test.name}`);
  for (const trouble of troubles) console.log(`failed: ${trouble}`);
  const skipped = sums.skipped > 0 ? `, ${sums.skipped} skipped` : "";
  console.log(`${sums.passed} passed, ${sums.failed} failed${skipped}`);
  return sums;
}

async function run(
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ cases: TestCase[]; troubles: string[] }> {
  const report = await Deno.makeTempFile({ prefix: "rgtp-tests-", suffix: ".xml" });
  try {
    const { success, code } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--doc", `--junit-path=${report}`, ...args],
      cwd: projectRoot,
      stdin: "null",
      signal,
    }).spawn().status;
    const xml = await Deno.readTextFile(report);
    const cases = xml === "" ? [] : readJunit(xml);
    const troubles: string[] = [];
    if (signal.aborted) troubles.push(`the run was ended after ${MINUTES_MAX} minutes`);
    else if (!success && !cases.some((test) => test.outcome === "failed")) {
      // No test stands for what the status knows: a file that does not load or type-check, an error after the last test.
      troubles.push(`\`deno test\` ended with status ${code}: see above for a file that does not load`);
    }
    return { cases, troubles };
  } finally {
    await Deno.remove(report);
  }
}
