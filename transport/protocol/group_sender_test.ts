import { decodeGroupStatus } from "../../codec/group.ts";
import type { Group, GroupStatus } from "../../codec/group.ts";
import { PAGE_BIT } from "../../codec/packet.ts";
import type { PullRequest } from "../../codec/pull_request.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { packetMacIsRight } from "../../crypto/tokens.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { GATHER_MS, GroupSender } from "./group_sender.ts";
import type { Cast, GroupSenderOptions } from "./group_sender.ts";

const engine = defaultEngine();
const group: Group = {
  address: { host: "239.1.2.3", port: 9000 },
  tag: new Uint8Array(8).fill(1),
  key: new Uint8Array(32).fill(2),
  symbolSize: 1428,
};
/** Four chunks of 46 symbols (a chunk and its tag), and one leaf page. */
const facts = { chunkSize: 65_536, totalSize: 4 * 65_536 };
const SYMBOLS = 46;
const RATE = 100_000_000;

/** A sender, and what it has said in the order of the packets. */
class Bench {
  readonly sender: GroupSender;
  now = 0;
  readonly casts: Cast[] = [];
  readonly statuses: GroupStatus[] = [];

  constructor(options: Partial<GroupSenderOptions> = {}) {
    const policy = { name: "fixed", rate: RATE } as const;
    this.sender = new GroupSender({ engine, group, facts, policy, ...options });
  }

  join(member: unknown): void {
    this.sender.handleReport(this.now, member, { wantedRate: RATE });
  }

  ask(what: Partial<PullRequest>): boolean {
    return this.sender.handleRequest(this.now, {
      tag: new Uint8Array(8),
      number: 0,
      receipt: this.statuses.at(-1)?.number ?? 0,
      received: 0,
      token: new Uint8Array(104),
      symbolSize: 1428,
      sections: [],
      ...what,
    });
  }

  /** Asks for more symbols of a chunk. */
  askMore(piece: number, symbols: number, heard?: number): boolean {
    const entry = { piece, first: 0, count: 0, parityFirst: 0, parityCount: symbols };
    return this.ask({ sections: [[entry]], ...(heard !== undefined && { receipt: heard }) });
  }

  /** Lets time pass, and takes what is due. */
  run(ms: number): void {
    for (const end = this.now + ms; this.now <= end; this.now++) {
      for (let output = this.sender.next(this.now); output; output = this.sender.next(this.now)) {
        if (output.kind === "cast") this.casts.push(output.cast);
        else {
          assert(packetMacIsRight(engine, group.key, output.bytes));
          this.statuses.push(decodeGroupStatus(output.bytes)!);
        }
      }
    }
  }

  /** Symbols that were sent of a chunk: of its data, and of its parity. */
  sent(piece: number): { data: number; parity: number } {
    const all = this.casts.filter((cast) => cast.piece === piece);
    const sum = (isParity: boolean) =>
      all.filter(({ parityOf }) => (parityOf !== undefined) === isParity).reduce(
        (sum, { count }) => sum + count,
        0,
      );
    return { data: sum(false), parity: sum(true) };
  }

  take(): Cast[] {
    return this.casts.splice(0);
  }
}

const all = { bitmap: { base: 0, bits: Uint8Array.of(15) } };

Deno.test("a group begins a moment after the first receiver, or when as many are there as were named", () => {
  const soon = new Bench();
  soon.join("a");
  soon.ask(all);
  soon.run(GATHER_MS - 2);
  assertEquals(soon.casts.length, 0);
  assertEquals(soon.statuses.at(-1)?.isGathering, true);
  soon.run(50);
  assert(soon.casts.length > 0);
  const named = new Bench({ receivers: 2 });
  named.join("a");
  named.ask(all);
  named.run(1000);
  assertEquals(named.casts.length, 0);
  named.join("b");
  named.run(50);
  assert(named.casts.length > 0);
});

Deno.test("what many ask for goes out once, in order, with numbers that count up", () => {
  const bench = new Bench({ receivers: 3 });
  for (const member of ["a", "b", "c"]) bench.join(member);
  for (let i = 0; i < 3; i++) {
    bench.ask(all);
    bench.ask({ sections: [[{ piece: PAGE_BIT, first: 0, count: 1, parityFirst: 0, parityCount: 0 }]] });
  }
  bench.run(100);
  assertEquals(bench.casts.map(({ piece }) => piece), [PAGE_BIT, 0, 1, 2, 3]);
  for (let chunk = 0; chunk < 4; chunk++) assertEquals(bench.sent(chunk), { data: SYMBOLS, parity: 0 });
  let next = 0;
  for (const { sequence, count } of bench.casts) {
    assertEquals(sequence, next);
    next += count;
  }
  assertEquals(bench.statuses.at(-1)?.sequence, next);
});

Deno.test("what some ms have room for goes out together, and the rate is that of all the time", () => {
  const rate = 50_000_000;
  const many = { chunkSize: 65_536, totalSize: 400 * 65_536 };
  const bench = new Bench({ receivers: 1, facts: many, policy: { name: "fixed", rate } });
  bench.join("a");
  bench.ask({ bitmap: { base: 0, bits: new Uint8Array(50).fill(255) } });
  const times: number[] = [];
  let bytes = 0;
  for (const start = bench.now; bench.now < start + 200; bench.now += 0.25) {
    const before = bench.casts.length;
    bench.run(0);
    bench.now--;
    const sent = bench.casts.slice(before).reduce((sum, cast) => sum + cast.bytes, 0);
    if (sent === 0) continue;
    bytes += sent;
    times.push(bench.now);
    // A train more than four ms have room for, at most.
    assert(sent <= rate * 4 / 1000 + 70_000, `${sent} bytes at ${bench.now}`);
    assert(bytes <= rate * (bench.now - start + 6) / 1000, `${bytes} bytes after ${bench.now - start} ms`);
  }
  assert(bytes >= 0.97 * rate * 200 / 1000, `${bytes} bytes`);
  assert(times.length <= 200 / 4 + 1, `woken ${times.length} times`);
});

Deno.test("repair is as much as the worst receiver lacks, of parity that was not sent yet", () => {
  const bench = new Bench({ receivers: 3 });
  for (const member of ["a", "b", "c"]) bench.join(member);
  bench.ask(all);
  bench.run(100);
  bench.take();
  for (const symbols of [2, 5, 3]) bench.askMore(1, symbols);
  bench.run(100);
  assertEquals(bench.sent(1), { data: 0, parity: 5 });
  const [first] = bench.take();
  bench.askMore(1, 2);
  bench.run(100);
  const [second] = bench.take();
  assertEquals([first.first, second.first, second.count], [0, 5, 2]);
});

Deno.test("a request that crossed its answer on the way costs nothing; one that is out of date is refused", () => {
  const bench = new Bench({ receivers: 1 });
  bench.join("a");
  bench.ask(all);
  bench.run(100);
  bench.take();
  const heard = bench.statuses.at(-1)!.number;
  bench.askMore(2, 4, heard);
  bench.run(60);
  assertEquals(bench.sent(2).parity, 4);
  bench.take();
  // It was made before its sender could have heard of the four.
  bench.askMore(2, 4, heard);
  bench.run(60);
  assertEquals(bench.casts, []);
  assertEquals(bench.askMore(2, 4, heard + 1000), false);
});

Deno.test("what is promised stands in the status: pieces as a whole, and repairs", () => {
  const slow = { name: "fixed", rate: 1_000_000 } as const;
  const bench = new Bench({ receivers: 1, policy: slow });
  bench.join("a");
  bench.ask(all);
  bench.run(10);
  assertEquals(bench.statuses.at(-1)?.runs, [{ first: 0, count: 4 }]);
  bench.run(120);
  bench.askMore(0, 3);
  bench.run(8);
  const status = bench.statuses.at(-1)!;
  assertEquals(status.repairs, [{ piece: 0, block: 0, symbols: 3 }]);
  assertEquals(status.runs.at(-1)!.first + status.runs.at(-1)!.count, 4);
});

Deno.test("what is not there, and more symbols than a block has, is bounded", () => {
  const bench = new Bench({ receivers: 1 });
  bench.join("a");
  bench.ask({ bitmap: { base: 4, bits: new Uint8Array(1000).fill(255) } });
  bench.ask({ sections: [[{ piece: PAGE_BIT + 7, first: 0, count: 1, parityFirst: 0, parityCount: 0 }]] });
  bench.run(100);
  assertEquals(bench.casts, []);
  bench.askMore(3, 255);
  bench.askMore(99, 255);
  bench.run(100);
  assertEquals(bench.sent(3), { data: 0, parity: SYMBOLS });
});

Deno.test("when the last receiver has gone nothing more is sent; at its end the group is told", () => {
  const bench = new Bench({ receivers: 1, policy: { name: "fixed", rate: 1_000_000 } });
  bench.join("a");
  bench.ask(all);
  bench.run(50);
  bench.sender.leave(bench.now, "a");
  bench.take();
  bench.run(1000);
  assertEquals(bench.casts, []);
  assertEquals(bench.sender.receivers, 0);
  bench.join("b");
  bench.sender.end(bench.now);
  bench.run(1000);
  assertEquals(bench.statuses.at(-1)?.isOver, true);
  assertEquals(bench.sender.deadline, Infinity);
  assertEquals(bench.ask(all), false);
});

Deno.test("a receiver that is not heard of for seconds has no vote any more", () => {
  const bench = new Bench({ receivers: 1, policy: { name: "slowest" } });
  bench.sender.handleReport(0, "silent", { wantedRate: 100_000 });
  bench.join("a");
  assertEquals(bench.sender.rate, 100_000);
  for (let i = 0; i < 100; i++) {
    bench.run(100);
    bench.join("a");
  }
  assertEquals(bench.sender.receivers, 1);
  assert(bench.sender.rate > 1_000_000);
});
