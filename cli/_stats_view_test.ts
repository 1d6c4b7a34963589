import { expose } from "../transport/expose.ts";
import type { ServingStats } from "../transport/expose.ts";
import type { PullerStatus } from "../transport/protocol/exposer_types.ts";
import { pull } from "../transport/pull.ts";
import { assert, assertEquals, assertGreater } from "../tests/_assert.ts";
import { StatsView } from "./_stats_view.ts";
import type { Looked } from "./_stats_view.ts";
import { StatusLine } from "./_terminal.ts";

const [ONE, OTHER] = ["01".repeat(32), "02".repeat(32)];

function puller(host: string, more: Partial<PullerStatus> = {}): PullerStatus {
  return {
    address: { host, port: 7 },
    exposureId: Uint8Array.fromHex(ONE),
    ticketId: new Uint8Array(8),
    bytesSent: 3_000_000,
    rate: 1_000_000,
    forMs: 3000,
    ...more,
  };
}

function port(pullers: readonly PullerStatus[], names: Record<string, string> = { [ONE]: "film" }): Looked {
  const stats: ServingStats = {
    bytesSent: 5_000_000,
    pullers,
    completed: 2,
    left: 1,
    handshakes: { granted: 4, answered: 1, denied: 3, dropped: 0 },
    drops: { "bad token": 1, malformed: 20 },
    memory: { liveTokens: 0, answers: 0, answerBytes: 0, handshakes: 0, fragmented: 0, refusals: 0 },
    link: {
      packetsSent: 0,
      bytesSent: 0,
      packetsReceived: 0,
      bytesReceived: 0,
      sendErrors: 0,
      receiveErrors: 0,
      receiveDrops: 0,
      lastSendError: undefined,
      lastReceiveError: undefined,
    },
  };
  return { names: new Map(Object.entries(names)), stats };
}

/** A terminal of so many lines, and what stands on it. */
function terminal(rows: number): { view: StatsView; shown(): string[]; later(): void } {
  const said: string[] = [];
  let now = 0;
  const io = {
    out: () => {},
    err: (text: string) => void said.push(text),
    errIsTerminal: true,
    columns: () => 200,
    rows: () => rows,
    readLine: () => Promise.resolve(""),
  };
  const clock = () => now;
  const view = new StatsView(io, new StatusLine(io, clock), clock);
  // deno-lint-ignore no-control-regex -- what moves the cursor
  const shown = () => said.at(-1)!.replace(/\x1b\[\d*[AKJ]|\r/g, "").split("\n");
  return { view, shown, later: () => now += 1000 };
}

Deno.test("stats: a table of who pulls, the longest first, and the sum with what was dropped", () => {
  const { view, shown } = terminal(24);
  view.look([port([puller("192.0.2.1", { loss: 0.0123 }), puller("192.0.2.2", { forMs: 90_000 })])]);
  assertEquals(shown(), [
    "PULLER       RATE       LOSS   SENT     FOR",
    "192.0.2.2:7  1.00 MB/s         3.00 MB  1:30 min",
    "192.0.2.1:7  1.00 MB/s  1.2 %  3.00 MB  3 s",
    "2 pullers, 0 B/s; 5.00 MB served; 2 complete; 3 denied; dropped: 20 malformed, 1 bad token",
  ]);
});

Deno.test("stats: what is pulled and with which ticket stands there where it tells somebody apart; hostile names are escaped", () => {
  const { view, shown, later } = terminal(24);
  const names = { [ONE]: "film\x1b[2J\nroot:7  9 GB/s", [OTHER]: "\u202egnp.exe" };
  view.look([port([
    puller("192.0.2.1", { ticket: "for \x07Bob" }),
    puller("192.0.2.2", { exposureId: Uint8Array.fromHex(OTHER) }),
  ], names)]);
  const [titles, ...rows] = shown();
  assertEquals(titles.split(/ {2,}/), ["PULLER", "WHAT", "TICKET", "RATE", "LOSS", "SENT", "FOR"]);
  assertEquals(rows.length, 3);
  assert(rows[0].includes("film\\u{1b}[2J\\u{a}root:7") && rows[0].includes("for \\u{7}Bob"));
  assert(rows[1].includes("\\u{202e}gnp.exe"));
  later();
  view.look([port([])]);
  assertEquals(shown(), [
    "nobody pulls; 5.00 MB served; 2 complete; 3 denied; dropped: 20 malformed, 1 bad token",
  ]);
});

Deno.test("stats: what goes by shared memory and to a group is summed up, since no puller's token tells of it", () => {
  const { view, shown } = terminal(24);
  const { names, stats } = port([]);
  const shared = { bytesGiven: 7_000_000, bytesRead: 0, memoryBytes: 0, drops: {} };
  view.look([{
    names,
    stats: { ...stats, shared, multicast: { receivers: 3, rate: 2_000_000 }, drops: {} },
  }]);
  assertEquals(shown(), [
    "nobody pulls; 5.00 MB served; 7.00 MB shared as memory; a group of 3 receivers at 2.00 MB/s; 2 complete; 3 denied",
  ]);
});

Deno.test("stats: more pullers than the terminal has lines are counted", () => {
  const { view, shown } = terminal(7);
  view.look([port(Array.from({ length: 9 }, (_, i) => puller(`192.0.2.${i}`)))]);
  assertEquals(shown().length, 6);
  assertEquals(shown().at(-2), "and 6 more");
});

Deno.test("stats: for programs a line each second, and each port is added once", () => {
  const lines: string[] = [];
  let now = 0;
  const io = {
    out: (line: string) => void lines.push(line),
    err: () => {},
    errIsTerminal: false,
    columns: () => 80,
    readLine: () => Promise.resolve(""),
  };
  const view = new StatsView(io, undefined, () => now);
  for (; now < 2000; now += 250) view.look([port([puller("192.0.2.1", { loss: 0.5 })]), port([])]);
  assertEquals(lines.length, 2);
  assertEquals(JSON.parse(lines[1]), {
    event: "stats",
    bytes: 10_000_000,
    rate: 0,
    completed: 4,
    left: 2,
    handshakes: { granted: 8, answered: 2, denied: 6, dropped: 0 },
    drops: { "bad token": 2, malformed: 40 },
    pullers: [{
      address: "192.0.2.1:7",
      name: "film",
      rate: 1_000_000,
      loss: 0.5,
      bytes: 3_000_000,
      seconds: 3,
    }],
  });
});

Deno.test("stats: of a pull that runs the exposer knows rate, ticket and time, and no loss on loopback", async () => {
  await using exposure = await expose(new Uint8Array(12_000_000), {
    host: "127.0.0.1",
    port: 0,
    limitRate: 1_500_000,
  });
  const ticket = exposure.newTicket({ label: "for Bob" });
  const task = pull(ticket);
  const whole = task.bytes().catch(() => {});
  const look = () => exposure.stats().pullers[0];
  for (let i = 0; i < 400 && look()?.loss === undefined; i++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const { ticket: label, loss, rate, forMs, bytesSent } = look();
  task.close();
  await whole;
  assertEquals(label, "for Bob");
  // What is under way may look like loss for a moment.
  assert(loss! < 0.3, `${loss}`);
  for (const figure of [rate, forMs, bytesSent]) assertGreater(figure, 0);
});
