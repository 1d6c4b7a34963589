import { assert, assertEquals } from "../tests/_assert.ts";
import { openMeter, trace } from "./telemetry.ts";

Deno.test("telemetry: where nobody has registered anything, all traces are one that does nothing", async () => {
  const one = await trace("pull", { "rgtp.chunks": 1 });
  one.set({ "rgtp.chunks": 2 });
  one.end(new Error("none that anybody hears of"));
  assert(one === await trace("expose") && one === one.part("handshake"));
  assertEquals(await openMeter(), undefined);
});
