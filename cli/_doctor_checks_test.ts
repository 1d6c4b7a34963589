import { assert } from "../tests/_assert.ts";
import type { Check } from "./_check.ts";
import { clockCheck, judgeEngine, spaceCheck } from "./_doctor_checks.ts";
import {
  addressCheck,
  judgeFirewall,
  judgeMulticast,
  linkCheck,
  systemCallsCheck,
} from "./_doctor_network.ts";
import { bufferMaxCheck, burstCheck, interfaceMtu, mtuCheck, wayMtu } from "./_doctor_system.ts";

Deno.test("every warning says what to do", () => {
  const warnings: readonly Check[] = [
    linkCheck(undefined),
    linkCheck("node_dgram"),
    linkCheck("datagram_conn", "linux"),
    burstCheck(160),
    systemCallsCheck("not permitted"),
    systemCallsCheck("not found"),
    addressCheck([]),
    addressCheck(["127.0.0.1"]),
    addressCheck(undefined),
    judgeFirewall(["a packet to 192.0.2.7 does not arrive"], ["192.0.2.7"], undefined),
    judgeFirewall([], ["192.0.2.7"], true),
    judgeMulticast("eth0", "192.0.2.7", "EINVAL"),
    bufferMaxCheck("212992\n", true),
    bufferMaxCheck(undefined, false),
    mtuCheck(undefined),
    mtuCheck({ device: "tun0", mtu: 1420 }),
    interfaceMtu("tun0", 1420),
    wayMtu("192.0.2.7:9000", 1420),
    spaceCheck("disk", undefined),
    spaceCheck("disk", 999),
    judgeEngine("portable", [1e8, 1e7]),
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
    systemCallsCheck("usable"),
    systemCallsCheck("not Linux"),
    addressCheck(["192.0.2.7"]),
    addressCheck(["192.168.0.2", "fd00::1"]),
    judgeFirewall([], ["192.0.2.7"], undefined),
    judgeFirewall([], undefined, false),
    judgeMulticast("lo", "127.0.0.1", undefined),
    bufferMaxCheck("4194304\n", true),
    // A buffer that nobody can ask for is nothing to put right.
    bufferMaxCheck("212992\n", false),
    mtuCheck({ device: "eth0", mtu: 1500 }),
    interfaceMtu("lo", 65_536),
    spaceCheck("disk", 5e9),
    judgeEngine("libcrypto", [3e9, 5e9]),
    judgeEngine("native", [1e9, 2e8]),
    clockCheck(Date.UTC(2026, 0, 1), Date.UTC(2025, 0, 2)),
  ];
  for (const { name, state, todo } of well) assert(state === "ok" && todo === undefined, name);
});
