/** What became of one test. A step of a test counts as a test. */
export interface TestCase {
  /** The file that registers it, relative to the project, or the code block that it came from. */
  readonly file: string;
  /** The test's name. */
  readonly name: string;
  /** Its outcome. */
  readonly outcome: "passed" | "failed" | "skipped";
}

const CASE = /<testcase ([^>]*?)\/?>(?:\s*<(skipped|failure|error)\b)?/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/**
 * The tests of a report that `deno test --junit-path` wrote.
 *
 * @throws {Error} when the report's own sums are not those of its tests: then nothing in it can be believed
 */
export function readJunit(xml: string): TestCase[] {
  const cases = Array.from(xml.matchAll(CASE), ([, attributes, mark]): TestCase => ({
    file: attribute(attributes, "classname").replace(/^\.\//, ""),
    name: attribute(attributes, "name"),
    outcome: mark === undefined ? "passed" : mark === "skipped" ? "skipped" : "failed",
  }));
  const sums = /<testsuites ([^>]*)>/.exec(xml)?.[1];
  if (sums === undefined) throw new Error("the report has no <testsuites>: is it a report of `deno test`?");
  const failed = cases.filter((test) => test.outcome === "failed").length;
  const said = ["tests", "failures", "errors"].map((name) => Number(attribute(sums, name)));
  if (said[0] !== cases.length || said[1] + said[2] !== failed) {
    throw new Error(
      `the report says ${said[0]} tests and ${
        said[1] + said[2]
      } failures, but lists ${cases.length} and ${failed}`,
    );
  }
  return cases;
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1];
  if (value === undefined) throw new Error(`the report lacks '${name}' in <${attributes}>`);
  return value.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, entity) => {
    if (decimal) return String.fromCodePoint(Number(decimal));
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    return ENTITIES[entity] ?? whole;
  });
}
