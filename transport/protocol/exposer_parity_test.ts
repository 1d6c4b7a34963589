import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { ExposerBench, exposure, integer, request, us } from "../../tests/sim/exposer_bench.ts";
import { exposedOf } from "../../tests/sim/exposure.ts";
import type { RequestEntry } from "../../codec/pull_request.ts";
import { limits } from "../../core/limits.ts";

const { sealed, psk } = exposure;

/** Chunks with their data and parity, or parity alone. */
function parityOf(chunks: number[], parityFirst: number, parityCount: number, count = 0): RequestEntry[] {
  return chunks.map((piece) => ({ piece, first: 0, count, parityFirst, parityCount }));
}

Deno.test("exposer: parity is served once, with the data that was asked for beside it, whatever is repeated or replayed", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const numbers = Array.from({ length: 40 }, (_, i) => i + 1);
  const entries = (n: number) => n < 1 ? [] : parityOf([n], n % 3, 1, n % 2 === 0 ? 3 : 0);
  const packets = numbers.map((n) => request(grant, n, { sections: [n, n - 1, n - 2].map(entries) }));
  const served: string[] = [];
  for (
    const i of [...numbers, ...numbers, ...numbers].map(() => integer(40)).concat(numbers.map((n) => n - 1))
  ) {
    bench.hear(us, packets[i]);
    for (let serve = bench.serving.shift(); serve; serve = bench.serving.shift()) {
      const { piece, first, count, bytes, parityOf, request } = serve;
      assertEquals(request, piece);
      if (parityOf !== undefined) assertEquals(bytes, count * (24 + 1428), "parity symbols are never short");
      served.push(`${piece} ${parityOf === undefined ? "data" : "parity"} ${first} ${count}`);
      bench.end(serve);
    }
  }
  const expected = numbers.flatMap((n) => [
    ...(n % 2 === 0 ? [`${n} data 0 3`] : []),
    `${n} parity ${n % 3} 1`,
  ]);
  assertEquals(served.toSorted(), expected.toSorted());
  assertEquals(bench.machine.bytesSent, bench.served);
  assertGreater(bench.machine.drops.of("replayed request"), 40);
});

Deno.test("exposer: parity counts in every ceiling as data does", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const chunks = Array.from({ length: 60 }, (_, i) => i);
  // 60 chunks of 4 KiB and their parity: either alone is less than 256 KiB, and that is what one request may ask for without a receipt.
  const cost = 3 * (24 + 1428);
  bench.hear(us, request(grant, 1, { sections: [parityOf(chunks, 0, 3, 3)], receipt: 1 }));
  assertEquals([bench.machine.drops.of("request too large"), bench.machine.memory.answers], [1, 0]);
  bench.hear(us, request(grant, 2, { sections: [parityOf(chunks, 0, 3)] }));
  assertEquals(
    bench.machine.memory.answerBytes,
    60 * cost - bench.serving.reduce((sum, one) => sum + one.bytes, 0),
  );
  for (let number = 3; number < 64; number++) {
    bench.hear(us, request(grant, number, { sections: [parityOf(chunks, 0, 3)] }));
  }
  const { answerBytes } = bench.machine.memory;
  assertLessOrEqual(answerBytes, limits.tokenQueueBytesMax);
  assertGreater(answerBytes, limits.tokenQueueBytesMax - 60 * cost);
  assertGreater(bench.machine.drops.of("over the limit"), 40);
  bench.serveAll();
  assertEquals([bench.machine.memory.answerBytes, bench.machine.bytesSent], [0, bench.served]);

  const slow = new ExposerBench({ pullRateMax: 50_000 });
  const slowGrant = slow.grant();
  const start = slow.now;
  for (let number = 1; slow.now < start + 10_000; number++) {
    slow.hear(us, request(slowGrant, number, { sections: [parityOf([number % 900], 0, 3)] }));
    slow.serveAll();
    slow.tick(10);
  }
  assertLessOrEqual(slow.served, 10 * 50_000 + limits.requestBytesMax + cost);
  assertGreater(slow.served, 0.9 * 10 * 50_000);
});

Deno.test("exposer: parity that is not there, or asked for twice, is dropped with its whole request", () => {
  const bench = new ExposerBench();
  const grant = bench.grant();
  const page = 0x80000000;
  const pageEntry = { piece: page, first: 0, count: 1, parityFirst: 0, parityCount: 0 };
  const wrong: RequestEntry[][] = [
    parityOf([5], 0, 4),
    parityOf([5], 252, 1),
    parityOf([5], 250, 3),
    parityOf([5], 255, 255),
    parityOf([sealed.chunkCount], 0, 1),
    [{ ...parityOf([5], 0, 1)[0], first: 3 }],
    [{ ...parityOf([5], 0, 2, 1)[0] }, { ...parityOf([5], 1, 1, 1)[0], first: 1 }],
    [pageEntry, { ...pageEntry, piece: page + 1, count: 0, parityCount: 1 }],
  ];
  for (const [i, entries] of wrong.entries()) {
    bench.hear(us, request(grant, i + 1, { sections: [[...parityOf([1], 0, 1, 3), ...entries]] }));
    assertEquals(bench.machine.drops.of("piece out of bounds"), i + 1, JSON.stringify(entries));
  }
  assertEquals([bench.serving.length, bench.machine.memory.answers], [0, 0]);
  bench.hear(us, request(grant, 50, { sections: [parityOf([5], 249, 3)] }));
  assertEquals(bench.serving.map(({ first, count, parityOf }) => [first, count, parityOf]), [[249, 3, 0]]);
});

Deno.test("exposer: parity of what must be sealed first costs what the data does, once for both", () => {
  const bench = new ExposerBench();
  const cold = { ...exposedOf(exposure, () => psk), coldBytes: () => 1_048_576 };
  bench.machine.add(cold);
  const grant = bench.grant();
  let number = 1;
  const askFor = (...entries: RequestEntry[]) => {
    const before = bench.machine.drops.of("over the limit");
    bench.hear(us, request(grant, number++, { sections: [entries] }));
    bench.serveAll();
    return bench.machine.drops.of("over the limit") === before;
  };
  const most = limits.coldBurstBytesMax / 1_048_576;
  let paid = 0;
  while (askFor(...parityOf([paid], 0, 1)) && paid < 100) paid++;
  assert(paid >= most && paid <= most + 1, `${paid}`);
  assert(!askFor(...parityOf([99], 0, 1)));
  assert(askFor(...parityOf([0], 1, 1, 3)), "what was paid for once");
});
