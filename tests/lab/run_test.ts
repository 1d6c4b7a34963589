/*
 * `deno task lab` itself, with the shortest of its tables: whoever changes a command shall notice when the lab cannot use it any more.
 */
import { assert, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { contestants } from "./_contestants.ts";
import { run } from "./_namespaces.ts";
import { whyNoWan } from "./_wan.ts";

const skipped = await whyNoWan();

Deno.test({
  name: `the lab lets everybody who can move a file over a link${skipped && ` [skipped: ${skipped}]`}`,
  ignore: skipped !== "",
  fn: async () => {
    const file = (name: string) => new URL(name, import.meta.url).pathname;
    const text = await run(
      ...[Deno.execPath(), "run", "-A", "--quiet", "--config", file("../../deno.json")],
      ...[file("run.ts"), "--table", "start", "--rounds", "1", "--json"],
    );
    const lines = text.trim().split("\n").map((line) => JSON.parse(line));
    const able: string[] = [];
    for (const one of contestants) if (await one.whyNot() === "") able.push(one.name);
    const meant = ["RGTP", "TCP cubic", "TCP BBR", "QUIC"].filter((name) => able.includes(name));
    assertEquals(lines.map(({ who }) => who), meant);
    assert(meant.includes("RGTP"));
    for (const line of lines) {
      assertEquals([line.outcome, line.bytes], ["whole", 1_000_000], line.who);
      // Two round trips are the least that a request and a megabyte at 200 Mbit/s can take.
      assertGreater(line.roundTrips, 2);
      assertGreater(line.there.deliveredBytes, 1_000_000);
      assertLess(line.sent, 1.5);
      assertEquals(line.there.lost, 0);
    }
  },
});
