/*
 * `deno task test`: all tests that this machine allows. First those that share the processors, many at once; then, in two rows side by
 * side, those that need time of their own. Paths as arguments run only those.
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

/**
 * Tests over real sockets and networks: beside many others they would lose packets to want of processor time. So those of a row go one
 * after the other. Those of the second mostly wait: for cables, and for nodes to notice that another one is gone.
 */
const ROWS = [
  ["tests/real/", "tests/faults/", "transport/link/", "tests/contract/link_test.ts", "cli/"],
  ["tests/lab/", "tests/real/fleet", "tests/real/rnp"],
] as const;
const MINUTES_MAX = 13;

if (import.meta.main) {
  const sums = await runTests(Deno.args);
  Deno.exit(sums.failed === 0 ? 0 : 1);
}

/** What one run of `deno test` came to. */
interface TestRun {
  readonly cases: readonly TestCase[];
  /** What went wrong with no test to stand for it. */
  readonly troubles: readonly string[];
}

/** Runs the tests, says at the end what was skipped and what failed, and prints the sums as the last line. */
export async function runTests(paths: readonly string[] = []): Promise<TestSums> {
  const signal = AbortSignal.timeout(MINUTES_MAX * 60_000);
  const runs = paths.length > 0 ? [await run(paths, signal)] : await runAll(signal);
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

async function runAll(signal: AbortSignal): Promise<TestRun[]> {
  const files = projectFiles();
  const [working, waiting] = ROWS;
  // What stands in both rows is one of the second's. A folder is named as a whole, since its modules have examples, which are tests.
  const isWaiting = (file: string) => waiting.some((path) => file.startsWith(path));
  const pathsOf = (row: readonly string[], mine: (file: string) => boolean) =>
    row.flatMap((path) => {
      const within = files.filter((file) => file.startsWith(path));
      const isWhole = path.endsWith("/") && within.length > 0 && within.every(mine);
      return isWhole ? [path] : within.filter((file) => file.endsWith("_test.ts") && mine(file));
    });
  const alone = ROWS.flat().filter((path) => path.endsWith("/") || path.endsWith(".ts"));
  const shared = await run(["--parallel", `--ignore=${alone.join(",")}`], signal);
  const rows = await Promise.all([
    run(pathsOf(working, (file) => !isWaiting(file)), signal),
    run(pathsOf(waiting, isWaiting), signal, "later"),
  ]);
  return [shared, ...rows];
}

/** One run of `deno test`. What it says is shown while it says it, or `later` as a whole, so that two at once do not mix. */
async function run(
  args: readonly string[],
  signal: AbortSignal,
  shown: "at once" | "later" = "at once",
): Promise<TestRun> {
  const report = await Deno.makeTempFile({ prefix: "rgtp-tests-", suffix: ".xml" });
  try {
    const out = shown === "later" ? "piped" : "inherit";
    const child = new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--doc", `--junit-path=${report}`, ...args],
      cwd: projectRoot,
      stdin: "null",
      stdout: out,
      stderr: out,
      signal,
    }).spawn();
    const { success, code } = shown === "later" ? await showLater(child) : await child.status;
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

async function showLater(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  const output = await child.output();
  for (const part of [output.stdout, output.stderr]) {
    await new Response(part).body!.pipeTo(Deno.stdout.writable, { preventClose: true });
  }
  return output;
}
