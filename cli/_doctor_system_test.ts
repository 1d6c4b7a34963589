import { assertEquals, assertMatch } from "../tests/_assert.ts";
import { bufferCheck, defaultDevice } from "./_doctor_system.ts";

Deno.test({
  name: "the receive buffer: large enough, too small, hidden",
  ignore: Deno.build.os !== "linux",
  fn() {
    const states = ["212992\n", "212991\n", "", "x", undefined].map((text) => bufferCheck(text).state);
    assertEquals(states, ["ok", "warn", "warn", "warn", "warn"]);
    assertMatch(bufferCheck(undefined).what, /Deno shows \/proc/);
  },
});

Deno.test("the way out is the default route with the smallest metric, and no path of somebody's choice", () => {
  const head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";
  const row = (device: string, destination: string, metric: number, mask: string) =>
    `${device}\t${destination}\t010200C0\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0   \n`;
  const routes = head + row("wlan0", "00000000", 600, "00000000") + row("eth0", "000200C0", 0, "00FFFFFF") +
    row("eth0", "00000000", 100, "00000000") + row("tun0", "00000000", 0, "00000080");
  assertEquals(defaultDevice(routes), "eth0");
  assertEquals(defaultDevice(head + row("../x", "00000000", 0, "00000000")), undefined);
  assertEquals([defaultDevice(head), defaultDevice("")], [undefined, undefined]);
});
