/*
 * `deno task ok`: the gate. Every check runs, also after one that failed; output is shown of those that fail. `--no-tests` leaves out
 * the tests, for a caller that has run them already.
 */
import { projectRoot, projectText } from "./project_files.ts";
import { runTests } from "./run_tests.ts";

interface Check {
  readonly name: string;
  readonly what: string;
  readonly args: readonly string[];
}

interface Result {
  readonly name: string;
  readonly what: string;
  readonly ok: boolean;
  readonly seconds: number;
}

const { exports } = JSON.parse(projectText("deno.json")) as { exports: Record<string, string> };

const checks: readonly Check[] = [
  { name: "fmt", what: "the one format", args: ["fmt", "--check"] },
  { name: "lint", what: "no finding", args: ["lint"] },
  { name: "check", what: "types of all modules", args: ["check", "."] },
  {
    name: "doc lint",
    what: "every public symbol is documented",
    args: ["doc", "--lint", ...Object.values(exports)],
  },
  { name: "publish", what: "dry run", args: ["publish", "--dry-run", "--allow-dirty"] },
];

const results: Result[] = [];
for (const check of checks) results.push(await perform(check));
let tests = { passed: 0, failed: 0, skipped: 0 };
if (!Deno.args.includes("--no-tests")) {
  const started = performance.now();
  tests = await runTests();
  results.push({
    name: "tests",
    what: `${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped (doc tests included)`,
    ok: tests.failed === 0,
    seconds: (performance.now() - started) / 1000,
  });
}

console.log();
for (const { name, what, ok, seconds } of results) {
  console.log(`${ok ? "ok    " : "FAILED"} ${name.padEnd(9)} ${seconds.toFixed(1).padStart(6)} s  ${what}`);
}
const checksPassed = results.filter((result) => result.name !== "tests" && result.ok).length;
const passed = tests.passed + checksPassed;
const failed = tests.failed + checks.length - checksPassed;
const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : "";
console.log(`${passed} passed, ${failed} failed${skipped}`);
Deno.exit(failed === 0 ? 0 : 1);

async function perform({ name, what, args }: Check): Promise<Result> {
  const started = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: projectRoot,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const seconds = (performance.now() - started) / 1000;
  console.log(`${success ? "ok" : "FAILED"}: deno ${args.join(" ")}`);
  if (!success) {
    await Deno.stdout.write(stdout);
    await Deno.stderr.write(stderr);
  }
  return { name, what, ok: success, seconds };
}
