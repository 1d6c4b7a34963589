// One sender to a group of receivers: what it costs, who waits for whom, and who leaves.
import { assert, assertAlmostEquals, assertEquals, assertLess } from "../_assert.ts";
import { runGroup } from "../sim/group_bench.ts";
import type { GroupMemberPlan, GroupPlan, GroupResult, Pause } from "../sim/group_bench.ts";
import { seededRandom } from "../sim/random.ts";
import { simSeeds } from "../sim/world.ts";

/** Bytes a second. */
const GIGABIT = 125_000_000;
/** A header of 24 bytes with each symbol of 1428. */
const HEADERS = 1452 / 1428;

type Case = Omit<GroupPlan, "seed" | "uplink"> & { readonly uplink?: number };

function run(seed: number, plan: Case): GroupResult & { readonly share: number } {
  const result = runGroup({ uplink: GIGABIT, ...plan, seed });
  return { ...result, share: result.sentBytes / plan.bytes };
}

function members(count: number, plan: (i: number) => GroupMemberPlan = () => ({})): GroupMemberPlan[] {
  return Array.from({ length: count }, (_, i) => plan(i));
}

function wholeAt({ members }: GroupResult): number[] {
  return members.flatMap(({ doneAt }) => doneAt === undefined ? [] : [doneAt]);
}

Deno.test("nothing gets lost: the file crosses the line once for eight receivers, and fills it", () => {
  for (const seed of simSeeds(1, 3)) {
    const result = run(seed, { bytes: 200_000_000, receivers: 8, members: members(8) });
    assertEquals(wholeAt(result).length, 8);
    assertLess(result.share, 1.07);
    const least = 200_000_000 * HEADERS / GIGABIT * 1000;
    assertLess(Math.max(...wholeAt(result)), 1.6 * least);
  }
});

Deno.test("each of eight receivers loses 2 % for itself: parity is counted by the worst of them", () => {
  for (const seed of simSeeds(1, 3)) {
    const plan = { bytes: 50_000_000, receivers: 8, members: members(8, () => ({ lossRate: 0.02 })) };
    const result = run(seed, plan);
    assertEquals(wholeAt(result).length, 8);
    assertLess(result.share, 1.15);
  }
});

Deno.test("a thousand receivers lose 1 % each: they cost the sender little, and it hears little of them", () => {
  const plan = {
    bytes: 64_000_000,
    chunkSize: 1_048_576,
    symbolSize: 8928,
    receivers: 1000,
    members: members(1000, () => ({ lossRate: 0.01 })),
  };
  const result = run(1, plan);
  assertEquals(wholeAt(result).length, 1000);
  assertLess(result.share, 1.3);
  assertLess(result.controlBytes, 0.01 * result.sentBytes);
});

Deno.test("one receiver has a tenth of the rate: it leaves, and the others are no later for it", () => {
  for (const seed of simSeeds(1, 2)) {
    const plan = { bytes: 200_000_000, receivers: 8 };
    const alike = run(seed, { ...plan, members: members(8) });
    const slow = members(8, (i) => i === 0 ? { lineRate: GIGABIT / 10 } : {});
    const mixed = run(seed, { ...plan, members: slow });
    // Before it has noticed that it is too slow, it may be the last.
    assertEquals(mixed.members.map(({ left }) => left !== undefined), [true, ...new Array(7).fill(false)]);
    assertLess(Math.max(...wholeAt(mixed)), 1.1 * Math.max(...wholeAt(alike)));
  }
});

Deno.test("as fast as the slowest: with that policy nobody has to leave", () => {
  const slow = members(4, (i) => i === 0 ? { lineRate: 5_000_000 } : {});
  const plan = { bytes: 20_000_000, receivers: 4, policy: { name: "slowest" }, members: slow } as const;
  const result = run(1, plan);
  assertEquals(wholeAt(result).length, 4);
  assertAlmostEquals(Math.max(...wholeAt(result)) / (20_000_000 * HEADERS / 5_000_000 * 1000), 1.2, 0.2);
});

Deno.test("at a fixed rate it is sent at that rate, and who cannot take it leaves", () => {
  const policy = { name: "fixed", rate: 10_000_000 } as const;
  const plan = { bytes: 30_000_000, receivers: 3, policy };
  const result = run(1, { ...plan, members: members(3, (i) => i === 0 ? { lineRate: 2_000_000 } : {}) });
  assertEquals(result.members[0].left, "slow");
  assertAlmostEquals(Math.max(...wholeAt(result)), 30_000_000 * HEADERS / 10_000, 400);
});

Deno.test("a receiver that the group does not reach leaves within four seconds, and nobody waits", () => {
  const deaf = members(8, (i) => i === 0 ? { isDeaf: true } : {});
  const result = run(1, { bytes: 100_000_000, uplink: 12_500_000, receivers: 8, members: deaf });
  assertEquals(result.members[0].left, "silent");
  assertEquals(wholeAt(result).length, 7);
  assertLess(result.share, 1.08);
});

Deno.test("a receiver that comes late gets what it has missed after the rest, or alone by itself", () => {
  const late = members(8, (i) => i === 0 ? { joinsAt: 1500 } : {});
  const result = run(1, { bytes: 50_000_000, uplink: 12_500_000, members: late });
  const [last, ...others] = result.members;
  assert(last.left === "alone" || last.doneAt !== undefined);
  assertEquals(others.every(({ doneAt }) => doneAt !== undefined), true);
  // The others had it as early as without it.
  const without = run(1, { bytes: 50_000_000, uplink: 12_500_000, members: members(7) });
  assertLess(Math.max(...others.map(({ doneAt }) => doneAt!)), 1.1 * Math.max(...wholeAt(without)));
});

Deno.test("one alone is told so, and leaves: a group of one gains nothing", () => {
  const result = run(1, { bytes: 50_000_000, uplink: 12_500_000, members: members(1) });
  assertEquals(result.members[0].left, "alone");
});

Deno.test("slow lines are filled too: 10 Mbit/s to four receivers, though the start is too fast for them", () => {
  const result = run(1, { bytes: 4_000_000, uplink: 1_250_000, receivers: 4, members: members(4) });
  assertEquals(wholeAt(result).length, 4);
  assertLess(Math.max(...wholeAt(result)), 1.4 * (4_000_000 * HEADERS / 1250));
});

Deno.test("on busy machines, where each stands still now and then, nobody takes that for a line that is full", () => {
  for (const seed of simSeeds(1, 3)) {
    const random = seededRandom(seed, "pauses");
    /** A second between them at most, each of 100 to 500 ms. */
    const pauses = () => {
      const all: Pause[] = [];
      for (let at = 1000 * random.float(); at < 60_000; at += 1000 * random.float()) {
        all.push([at, at += 100 + 400 * random.float()]);
      }
      return all;
    };
    const busy = members(8, () => ({ pauses: pauses() }));
    const result = run(seed, {
      bytes: 200_000_000,
      uplink: 8 * GIGABIT,
      receivers: 8,
      members: busy,
      pauses: pauses(),
    });
    assertEquals(wholeAt(result).length, 8);
    assertLess(result.share, 1.07);
    assertLess(Math.max(...wholeAt(result)), 3000);
  }
});
