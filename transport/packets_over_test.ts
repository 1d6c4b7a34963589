import { assertEquals } from "../tests/_assert.ts";
import { packetsOver } from "./packets_over.ts";

const udp = { burstPacketsMax: 3151 };
const at = (...hosts: string[]) => hosts.map((host) => ({ host, port: 1 }));

Deno.test("packets over a network have the machine's own length, and a bound of bursts", () => {
  for (const addresses of [at("192.0.2.1"), at("127.0.0.1", "192.0.2.1"), at()]) {
    assertEquals(packetsOver(udp, addresses), { burstPacketsMax: 1444, burstPacketsFirst: 576 });
  }
  assertEquals(packetsOver({ burstPacketsMax: 80 }, at("2001:db8::1")), { burstPacketsMax: 80 });
});

Deno.test("packets within one machine are long, and as many bytes come in one burst", () => {
  for (const addresses of [at("127.0.0.1"), at("::1", "127.8.8.8")]) {
    const expected = { symbolSize: 8928, burstPacketsMax: 234, burstPacketsFirst: 93 };
    assertEquals(packetsOver(udp, addresses), expected);
  }
  assertEquals(packetsOver({ burstPacketsMax: 3 }, at("::1")), { symbolSize: 8928, burstPacketsMax: 1 });
});

Deno.test("packets over a path whose length the link knows are as long as fits", () => {
  const frames = { burstPacketsMax: 400 };
  assertEquals(packetsOver({ ...frames, pathBytesMax: 8992 }, at("127.0.0.1")), {
    ...frames,
    symbolSize: 8928,
  });
  assertEquals(packetsOver({ ...frames, pathBytesMax: 1492 }, at("eth")), { ...frames, symbolSize: 1428 });
  assertEquals(packetsOver({ ...frames, pathBytesMax: 600 }, at("eth")), frames);
});
