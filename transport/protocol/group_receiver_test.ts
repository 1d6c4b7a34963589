import { rateReport } from "../../codec/control.ts";
import { encodeGroupStatus } from "../../codec/group.ts";
import type { BlockSymbols, Group, GroupStatus } from "../../codec/group.ts";
import type { Run } from "../../codec/listing.ts";
import { decodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest } from "../../codec/pull_request.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { DropCounter } from "./drops.ts";
import { GroupReceiver } from "./group_receiver.ts";

const engine = defaultEngine();
const group: Group = {
  address: { host: "239.1.2.3", port: 9000 },
  tag: new Uint8Array(8).fill(1),
  key: new Uint8Array(32).fill(2),
  symbolSize: 1428,
};

/** A receiver that lacks what it is told to. */
class Bench {
  now = 0;
  short: (BlockSymbols & { first: number })[] = [];
  missing: Run[] = [];
  readonly drops = new DropCounter();
  readonly receiver: GroupReceiver;
  #number = 0;

  constructor(seed = 1) {
    const random = seededRandom(seed, "receiver");
    const grant = { token: new Uint8Array(104).fill(3), pullKey: new Uint8Array(32).fill(4) };
    this.receiver = new GroupReceiver(0, {
      engine,
      random: (length) => random.bytes(length),
      grant: () => grant,
      group,
      tag: new Uint8Array(8).fill(5),
      roundTrip: 1,
      needs: { short: () => this.short, missing: () => this.missing },
      drops: this.drops,
    });
  }

  hear(status: Partial<GroupStatus> = {}, key = group.key): void {
    const whole = {
      tag: group.tag,
      number: ++this.#number,
      sequence: 0,
      receivers: 10,
      rate: 1_000_000,
      reportMs: 100,
      spreadMs: 40,
      isGathering: false,
      isOver: false,
      runs: [],
      repairs: [],
      ...status,
    };
    this.receiver.handleStatus(
      this.now,
      encodeGroupStatus(whole, (packet) => packetMac(engine, key, packet)),
    );
  }

  /** Lets time pass; answers with the requests and the number of reports that were sent meanwhile. */
  run(ms: number): { requests: PullRequest[]; reports: number } {
    const requests: PullRequest[] = [];
    let reports = 0;
    for (const end = this.now + ms; this.now <= end; this.now++) {
      if (this.now >= this.receiver.deadline) this.receiver.handleTimeout(this.now);
      for (let packet = this.receiver.nextPacket(); packet; packet = this.receiver.nextPacket()) {
        const request = decodePullRequest(packet);
        if (request) requests.push(request);
        else if (rateReport.decode(packet)) reports++;
      }
    }
    return { requests, reports };
  }
}

Deno.test("a receiver joins at once, again until it is heard of, then reports as often as it is told", () => {
  const bench = new Bench();
  const joining = bench.run(1000).reports;
  assert(joining >= 4 && joining <= 5, `${joining} joins`);
  bench.hear({ reportMs: 200 });
  bench.run(300);
  const reports = bench.run(2000).reports;
  assert(reports >= 7 && reports <= 14, `${reports} reports`);
});

Deno.test("it asks for what is lacking and not promised, once, and of no more than that", () => {
  const bench = new Bench();
  bench.short = [
    { piece: 1, block: 0, first: 0, symbols: 3 },
    { piece: 2, block: 0, first: 0, symbols: 3 },
    { piece: 3, block: 0, first: 0, symbols: 3 },
  ];
  bench.missing = [{ first: 10, count: 20 }];
  bench.hear({
    runs: [{ first: 3, count: 1 }, { first: 12, count: 10 }],
    repairs: [{ piece: 1, block: 0, symbols: 3 }, { piece: 2, block: 0, symbols: 2 }],
  });
  const { requests } = bench.run(100);
  const entries = requests.flatMap(({ sections }) => sections.flat());
  assertEquals(entries.map(({ piece, count, parityCount }) => [piece, count, parityCount]), [[2, 0, 3]]);
  const [bitmap] = requests.flatMap((request) => request.bitmap ?? []);
  // 10, 11, and 22 to 29.
  assertEquals([bitmap.base, ...bitmap.bits], [10, 0b0000_0011, 0b1111_0000, 0b0000_1111]);
  assert(requests.every(({ isToGroup, receipt }) => isToGroup && receipt === 1));
});

Deno.test("what another receiver has asked for while it waits, and is promised now, it does not ask for", () => {
  let asked = 0;
  for (let seed = 0; seed < 20; seed++) {
    const bench = new Bench(seed);
    bench.short = [{ piece: 1, block: 0, first: 0, symbols: 3 }];
    bench.hear({ receivers: 1000, spreadMs: 90 });
    asked += bench.run(5).requests.length;
    bench.hear({ receivers: 1000, repairs: [{ piece: 1, block: 0, symbols: 4 }] });
    assertEquals(bench.run(150).requests, [], `seed ${seed}`);
  }
  // Of twenty few are as early as that.
  assert(asked <= 4, `${asked} asked`);
});

Deno.test("why it leaves: silence, nobody else, the end; a status that is forged or old says nothing", () => {
  const silent = new Bench();
  silent.run(2990);
  assertEquals(silent.receiver.leaving, undefined);
  silent.run(30);
  assertEquals(silent.receiver.leaving, "silent");
  assertEquals(silent.receiver.deadline, Infinity);

  const alone = new Bench();
  for (let i = 0; i < 4; i++) alone.hear({ receivers: 1 });
  assertEquals(alone.receiver.leaving, "alone");
  const waiting = new Bench();
  for (let i = 0; i < 8; i++) waiting.hear({ receivers: 1, isGathering: true });
  assertEquals(waiting.receiver.leaving, undefined);

  const forged = new Bench();
  forged.hear({ isOver: true }, new Uint8Array(32));
  forged.hear({ isOver: true, tag: new Uint8Array(8) });
  forged.hear({ number: 9 });
  forged.hear({ number: 9, isOver: true });
  assertEquals(forged.receiver.leaving, undefined);
  assertEquals(forged.drops.all(), { "wrong mac": 1, "wrong tag": 1, "unexpected": 1 });
  forged.hear({ number: 10, isOver: true });
  assertEquals(forged.receiver.leaving, "over");
});
