import fc from "fast-check";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  fakeMac,
  ramp,
} from "./_samples.ts";
import { decodeAnswer, encodeAnswer } from "./grant.ts";
import type { Grant } from "./grant.ts";
import {
  decodeGroup,
  decodeGroupStatus,
  encodeGroup,
  encodeGroupStatus,
  groupRepairsMax,
  groupRunsMax,
  isGroupHost,
} from "./group.ts";
import type { Group, GroupStatus } from "./group.ts";

const group: Group = {
  address: { host: "239.1.2.3", port: 9000 },
  tag: ramp(8, 1),
  key: ramp(32, 9),
  symbolSize: 1428,
};
const status: GroupStatus = {
  tag: ramp(8, 1),
  number: 7,
  sequence: 4_000_000_000,
  receivers: 1000,
  rate: 125_000_000,
  reportMs: 5000,
  spreadMs: 96,
  isGathering: false,
  isOver: true,
  runs: [{ first: 3, count: 9 }, { first: 12, count: 1 }, { first: 2 ** 31, count: 2 }],
  repairs: [{ piece: 5, block: 1, symbols: 4 }, { piece: 2 ** 31, block: 0, symbols: 255 }],
};

Deno.test("group: what is written is read, of both families, in a grant too", () => {
  for (const address of [group.address, { host: "ff02::1:2", port: 1 }, { host: "ff15::9", port: 65_535 }]) {
    const value = { ...group, address };
    assertEquals(decodeGroup(embedded(encodeGroup(value))), value);
  }
  const grant: Grant = {
    manifest: ramp(88),
    exposureKey: ramp(32),
    token: ramp(104),
    pullKey: ramp(32),
    receipt: 1,
    tokenLifeSeconds: 600,
    requestBytesMax: 262_144,
    pullRateMax: 0,
    name: "disk.img",
    leaves: ramp(64),
    secret: ramp(16),
    group,
  };
  assertEquals(decodeAnswer(embedded(encodeAnswer({ granted: true, grant }))), { granted: true, grant });
});

Deno.test("group: only groups that somebody may use on his own network are joined", () => {
  const good = ["239.0.0.0", "239.255.255.255", "ff02::1", "ff05::2", "ff08::3", "ff12::1", "ff18::1"];
  const bad = [
    "238.255.255.255",
    "224.0.0.1",
    "192.0.2.1",
    "ff0e::1",
    "ff01::1",
    "ff00::",
    "fe80::1",
    "::ffff:224.0.0.1",
  ];
  assertEquals(good.filter((host) => !isGroupHost(host)), []);
  assertEquals(bad.filter(isGroupHost), []);
  for (const host of ["224.0.0.1", "10.0.0.1"]) {
    assertEquals(decodeGroup(encodeGroup({ ...group, address: { host, port: 9 } })), undefined);
  }
  assertEquals(decodeGroup(encodeGroup({ ...group, address: { host: "239.1.1.1", port: 0 } })), undefined);
  assertEquals(decodeGroup(encodeGroup({ ...group, symbolSize: 1429 })), undefined);
  assertTruncationsRefused(decodeGroup, encodeGroup(group));
});

Deno.test("GROUP_STATUS: what is written is read", () => {
  const anyStatus: fc.Arbitrary<GroupStatus> = fc.record({
    tag: anyBytes(8),
    number: anyUnsigned(32),
    sequence: anyUnsigned(32),
    receivers: anyUnsigned(32),
    rate: fc.maxSafeNat(),
    reportMs: anyUnsigned(32),
    spreadMs: anyUnsigned(16),
    isGathering: fc.boolean(),
    isOver: fc.boolean(),
    runs: fc.uniqueArray(fc.nat(), { maxLength: 20 }).map((all) =>
      all.toSorted((a, b) => a - b).map((first) => ({ first, count: 1 }))
    ),
    repairs: fc.array(
      fc.record({ piece: anyUnsigned(32), block: anyUnsigned(8), symbols: anyUnsigned(8) }),
      { maxLength: 20 },
    ),
  });
  fc.assert(fc.property(anyStatus, (value) => {
    assertEquals(decodeGroupStatus(embedded(encodeGroupStatus(value, fakeMac))), value);
  }));
  assertEquals(decodeGroupStatus(encodeGroupStatus(status, fakeMac)), status);
});

Deno.test("GROUP_STATUS: a full one fits a packet, one more of anything is an error", () => {
  const runs = Array.from({ length: groupRunsMax }, (_, i) => ({ first: 2 * i, count: 1 }));
  const repairs = Array.from({ length: groupRepairsMax }, (_, piece) => ({ piece, block: 0, symbols: 1 }));
  const full = encodeGroupStatus({ ...status, runs, repairs }, fakeMac);
  assertEquals(full.length <= 1200, true);
  assertEquals(decodeGroupStatus(full)?.repairs.length, groupRepairsMax);
  const more = { first: 2 * groupRunsMax, count: 1 };
  assertThrows(() => encodeGroupStatus({ ...status, runs: [...runs, more] }, fakeMac), RangeError);
  assertThrows(
    () => encodeGroupStatus({ ...status, repairs: [...repairs, repairs[0]] }, fakeMac),
    RangeError,
  );
});

Deno.test("GROUP_STATUS: refuses foreign packets, and runs that are empty, overlap or go beyond", () => {
  const packet = encodeGroupStatus(status, fakeMac);
  assertForeignRefused(decodeGroupStatus, packet);
  const wrong = [
    [{ first: 5, count: 0 }],
    [{ first: 5, count: 2 }, { first: 6, count: 1 }],
    [{ first: 2 ** 32 - 1, count: 2 }],
  ];
  for (const runs of wrong) {
    assertEquals(decodeGroupStatus(encodeGroupStatus({ ...status, runs }, fakeMac)), undefined);
  }
  // Without a repair or two it is another status; in the midst of one it is none.
  for (let length = 0; length < packet.length; length++) {
    const isWhole = packet.length - length === 6 || packet.length - length === 12;
    assertEquals(decodeGroupStatus(packet.subarray(0, length)) !== undefined, isWhole, `${length} bytes`);
  }
});
