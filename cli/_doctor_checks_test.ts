import { openLink } from "../transport/link/open_link.ts";
import { assert, assertEquals, assertMatch } from "../tests/_assert.ts";
import {
  addressCheck,
  bufferCheck,
  burstCheck,
  clockCheck,
  defaultDevice,
  judgeEngine,
  linkCheck,
  mtuCheck,
  portCheck,
  spaceCheck,
} from "./_doctor_checks.ts";
import type { Check } from "./_doctor_checks.ts";

Deno.test("every warning says what to do", () => {
  const warnings: readonly Check[] = [
    linkCheck(undefined),
    linkCheck("node_dgram"),
    linkCheck("datagram_conn", "linux"),
    burstCheck(160),
    addressCheck([]),
    addressCheck(["127.0.0.1"]),
    addressCheck(undefined),
    mtuCheck(undefined),
    mtuCheck({ device: "tun0", mtu: 1420 }),
    spaceCheck("disk", undefined),
    spaceCheck("disk", 999),
    judgeEngine("portable", 1e8),
    clockCheck(0, undefined),
    clockCheck(Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)),
  ];
  for (const { name, state, todo } of warnings) assert(state === "warn" && todo, name);
});

Deno.test("what is well is ok, and needs nothing done", () => {
  const well: readonly Check[] = [
    linkCheck("linux_udp", "linux"),
    linkCheck("datagram_conn", "darwin"),
    burstCheck(3151),
    addressCheck(["192.0.2.7"]),
    addressCheck(["192.168.0.2", "fd00::1"]),
    mtuCheck({ device: "eth0", mtu: 1500 }),
    spaceCheck("disk", 5e9),
    judgeEngine("native", 1e9),
    clockCheck(Date.UTC(2026, 0, 1), Date.UTC(2025, 0, 2)),
  ];
  for (const { name, state, todo } of well) assert(state === "ok" && todo === undefined, name);
  assertMatch(addressCheck(["172.31.0.1", "100.127.0.1"]).what, /router/);
  assert(!/router/.test(addressCheck(["172.32.0.1"]).what));
});

Deno.test({
  name: "the receive buffer: large enough, too small, hidden",
  ignore: Deno.build.os !== "linux",
  fn() {
    const states = ["212992\n", "212991\n", "", "x", undefined].map((text) => bufferCheck(text).state);
    assertEquals(states, ["ok", "warn", "warn", "warn", "warn"]);
    assertMatch(bufferCheck(undefined).what, /Deno refuses \/proc/);
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

Deno.test("a port: free, then taken, then free again", async () => {
  using held = await openLink({ host: "127.0.0.1", port: 0 });
  const { port } = held.local;
  const taken = await portCheck(port);
  assertEquals([taken.state, taken.name], ["warn", `port ${port}`]);
  assertMatch(taken.what, /taken/);
  held[Symbol.dispose]();
  assertEquals((await portCheck(port)).state, "ok");
});
