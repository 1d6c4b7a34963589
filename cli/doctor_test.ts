import { assertEquals } from "../tests/_assert.ts";
import type { Check } from "./_check.ts";
import { linesOf, statusOf } from "./doctor.ts";

Deno.test("the exit status is that of the first failure, and warnings are none", () => {
  const ok: Check = { name: "a", state: "ok", what: "" };
  const warn: Check = { name: "b", state: "warn", what: "" };
  const fail = (condition: "SOCKET" | "IO"): Check => ({ name: "c", state: "fail", what: "", condition });
  assertEquals(statusOf([ok, warn]), 0);
  assertEquals(statusOf([ok, fail("SOCKET"), fail("IO")]), 3);
  assertEquals(statusOf([warn, fail("IO")]), 20);
});

Deno.test("a check for people: columns, what to do below, and nothing that acts on a terminal", () => {
  const lines = linesOf([{ name: "long name", state: "ok", what: "fine" }, {
    name: "b",
    state: "fail",
    what: "bad\x1b[2J",
    todo: "mend it",
  }]);
  assertEquals(lines, [
    "ok    long name  fine",
    "fail  b          bad\\u{1b}[2J",
    "                 to do: mend it",
  ]);
});
