import { assert, assertEquals } from "../../tests/_assert.ts";
import { libcState, pathMtu, portState, systemFileText } from "./libc_probe.ts";
import { openLink } from "./open_link.ts";

const state = libcState();
const skipped = state === "usable" ? "" : ` [skipped: the C library is ${state}]`;

/** Loopback of the families that this machine has. */
const hosts: string[] = [];
for (const host of ["127.0.0.1", "::1"]) {
  try {
    (await openLink({ host, port: 0 })).close();
    hosts.push(host);
  } catch {
    // No IPv6 here.
  }
}

Deno.test({
  name: `libc probe: a port of this machine is closed, silent, or answers, over ${
    hosts.join(" and ")
  }${skipped}`,
  ignore: skipped !== "",
  async fn() {
    for (const host of hosts) {
      const link = await openLink({ host, port: 0 });
      const address = link.local;
      const packet = Uint8Array.of(1);
      try {
        assertEquals(await portState(address, packet, 200), "silent");
        // The answers to the packets before lie there already, and are read by nobody.
        const echo = async () => {
          for (;;) {
            const batch = await link.receive();
            if (batch.length === 0) return;
            for (const datagrams of batch) await link.send(datagrams);
          }
        };
        const echoing = echo().catch(() => {});
        assertEquals(await portState(address, packet, 2000), "answers");
        link.close();
        await echoing;
      } finally {
        link.close();
      }
      assertEquals(await portState(address, packet, 2000), "closed");
    }
  },
});

Deno.test({
  name: `libc probe: files of the system, and what is not there${skipped}`,
  ignore: skipped !== "",
  fn() {
    const mtu = systemFileText("/sys/class/net/lo/mtu");
    assert(Number(mtu) > 0, mtu);
    assertEquals(systemFileText("/sys/class/net/none/mtu"), undefined);
    // Of loopback more is known than a packet can hold.
    const most = Math.min(Number(mtu), 65_535);
    for (const host of hosts) assert(pathMtu({ host, port: 9 })! >= most, host);
    assertEquals(pathMtu({ host: "fe80::1", port: 9 }), undefined, "of which link nobody says");
  },
});
