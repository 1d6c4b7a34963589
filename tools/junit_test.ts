import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { readJunit } from "./junit.ts";

const report = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.181">
    <testsuite name="./m_test.ts" tests="4" disabled="1" errors="0" failures="1">
        <testcase name="a &amp; &lt;b&gt;" classname="./m_test.ts" time="0.000" line="1" col="6">
        </testcase>
        <testcase name="lab [skipped: no &quot;root&quot;&#33;]" classname="./m_test.ts" time="0.000">
            <skipped/>
        </testcase>
        <testcase name="bad" classname="./m_test.ts" time="0.001" line="4" col="6">
            <failure message="Uncaught Error: x &lt; y">Error: &lt;testcase name=&quot;x&quot;></failure>
        </testcase>
        <testcase name="steps &gt; one" classname="./m_test.ts" time="0.000" line="3" col="43">
        </testcase>
    </testsuite>
</testsuites>`;

Deno.test("a report gives each test with its file and outcome", () => {
  assertEquals(readJunit(report), [
    { file: "m_test.ts", name: "a & <b>", outcome: "passed" },
    { file: "m_test.ts", name: 'lab [skipped: no "root"!]', outcome: "skipped" },
    { file: "m_test.ts", name: "bad", outcome: "failed" },
    { file: "m_test.ts", name: "steps > one", outcome: "passed" },
  ]);
});

Deno.test("a report whose sums are not those of its tests is refused", () => {
  assertThrows(() => readJunit(report.replace('tests="4"', 'tests="5"')), Error, "says 5 tests");
  assertThrows(() => readJunit(report.replace('failures="1"', 'failures="0"')), Error, "0 failures");
  assertThrows(() => readJunit(""), Error, "no <testsuites>");
});
