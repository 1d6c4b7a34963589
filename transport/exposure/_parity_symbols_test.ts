/*
 * Parity as the stores give it: the bytes are those of the code, each symbol is made once, memory is bounded, and what a store does not
 * have any more it gives no parity of either.
 */
import { blockPlan, blockStart, blockSymbols, symbolSizes } from "../../codec/geometry.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { BLOCK_INDEXES, blockData, makeParity, repair } from "../../fec/mod.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertStrictEquals,
  assertThrows,
} from "../../tests/_assert.ts";
import { ParitySymbols } from "./_parity_symbols.ts";
import { pagePiece, pieceBytes } from "./pieces.ts";
import { sealSource } from "./seal.ts";
import type { SealedExposure, SealOptions } from "./seal.ts";
import { bytesSource, openFileSource } from "./source.ts";
import type { ChunkStore, ParityRun } from "./store.ts";

const CHUNK = 262_144;
const CHUNKS = 12;
const content = seededRandom(1).bytes((CHUNKS - 1) * CHUNK + 5000);
const options = {
  engine: nativeEngine,
  secret: new Uint8Array(32).fill(1),
  salt: new Uint8Array(32).fill(2),
  chunkSize: CHUNK,
} satisfies SealOptions;

/** Sealed, and whatever there is to do when that is not needed any more. */
type Made = [sealed: SealedExposure, done: () => void];

const makers: Readonly<Record<string, () => Promise<Made>>> = {
  memory: async () => [await sealSource(bytesSource(content), options), () => {}],
  lazy: async () => [await sealSource(bytesSource(content), { ...options, memoryBytesMax: 1 }), () => {}],
  spill: async () => {
    const spillFolder = await Deno.makeTempDir();
    const sealed = await sealSource(bytesSource(content.slice()), {
      ...options,
      memoryBytesMax: 1,
      spillFolder,
    });
    return [sealed, () => Deno.removeSync(spillFolder, { recursive: true })];
  },
};

const whole = await sealSource(bytesSource(content), options);
const manifest = decodeManifest(whole.manifest);

/** What a run of parity must be, made in another way. */
function expected(piece: number, symbolSize: number, { block, first, count }: ParityRun): Uint8Array {
  const sealed = whole.store.piece(piece)!;
  const plan = blockPlan(sealed.length, symbolSize);
  const out = new Uint8Array(count * symbolSize);
  const symbols = Array.from(
    { length: count },
    (_, i) => out.subarray(i * symbolSize, (i + 1) * symbolSize),
  );
  makeParity(blockData(sealed, plan, block, symbolSize), blockSymbols(plan, block) + first, symbols);
  return out;
}

function assertRun(store: ChunkStore, piece: number, symbolSize: number, run: ParityRun): void {
  assertEquals(store.parity(piece, symbolSize, run)!.toHex(), expected(piece, symbolSize, run).toHex());
}

for (const [name, make] of Object.entries(makers)) {
  Deno.test(`parity symbols: a ${name} store gives those of the code, in any order, of any block and symbol size`, async () => {
    const [{ store, id }, done] = await make();
    try {
      assertEquals(id, whole.id);
      const { integer } = seededRandom(2, name);
      for (const symbolSize of symbolSizes) {
        for (const piece of [0, 7, CHUNKS - 1, pagePiece(0)]) {
          const plan = blockPlan(pieceBytes(manifest, piece)!, symbolSize);
          for (let i = 0; i < 6; i++) {
            const block = integer(plan.blocks);
            const most = BLOCK_INDEXES - blockSymbols(plan, block);
            const first = integer(Math.min(most, 60));
            const count = 1 + integer(Math.min(most - first, 20));
            assertRun(store, piece, symbolSize, { block, first, count });
          }
          const last = plan.blocks - 1;
          const first = BLOCK_INDEXES - blockSymbols(plan, last) - 1;
          assertRun(store, piece, symbolSize, { block: last, first, count: 1 });
        }
      }
    } finally {
      store.close();
      done();
    }
  });

  Deno.test(`parity symbols: a ${name} store has none of what is not there, of no block that is not there, and none once it is closed`, async () => {
    const [{ store }, done] = await make();
    try {
      const run = { block: 0, first: 0, count: 1 };
      for (const piece of [CHUNKS, -1, 0.5, NaN, pagePiece(1), 2 ** 32]) {
        assertEquals(store.parity(piece, 1428, run), undefined);
      }
      for (const size of [0, 1, 1427, NaN]) assertEquals(store.parity(0, size, run), undefined);
      const plan = blockPlan(pieceBytes(manifest, 0)!, 1428);
      const k = blockSymbols(plan, 0);
      for (
        const wrong of [{ block: plan.blocks }, { first: BLOCK_INDEXES - k }, {
          count: BLOCK_INDEXES - k + 1,
        }]
      ) {
        assertThrows(() => store.parity(0, 1428, { ...run, ...wrong }), RangeError);
      }
      assertRun(store, 0, 1428, run);
      store.close();
      assertEquals(store.parity(0, 1428, run), undefined);
      assertEquals(store.memoryBytes, 0);
    } finally {
      store.close();
      done();
    }
  });
}

Deno.test("parity symbols: what was made once is there: no sealing, the same memory; more of it is added to that", async () => {
  const { store } = await sealSource(bytesSource(content), { ...options, memoryBytesMax: 1 });
  const first = store.parity(11, 1428, { block: 0, first: 0, count: 2 })!;
  // Others take the place of the chunk.
  for (let chunk = 0; chunk < 8; chunk++) store.piece(chunk);
  assert(store.coldBytes(11) > 0);
  const { seals } = store.counters;
  const again = store.parity(11, 1428, { block: 0, first: 1, count: 1 })!;
  assertStrictEquals(again.buffer, first.buffer);
  assertEquals(store.counters.seals, seals);
  assertRun(store, 11, 1428, { block: 0, first: 0, count: 4 });
  assertEquals(store.counters.seals, seals + 1);
  store.close();
});

Deno.test("parity symbols: memory is bounded, however much parity is asked for, and counted", async () => {
  const { store } = await sealSource(bytesSource(content), options);
  const base = store.memoryBytes;
  store.parity(0, 1428, { block: 0, first: 0, count: 10 });
  assertEquals(store.memoryBytes, base + 10 * 1428);
  for (let chunk = 0; chunk < CHUNKS - 1; chunk++) {
    const plan = blockPlan(pieceBytes(manifest, chunk)!, 1428);
    for (let block = 0; block < plan.blocks; block++) {
      const first = BLOCK_INDEXES - blockSymbols(plan, block) - 1;
      store.parity(chunk, 1428, { block, first, count: 1 });
    }
    assertLessOrEqual(store.memoryBytes, base + 16_777_216);
  }
  assertLess(base, store.memoryBytes);
  store.close();
  assertEquals(store.memoryBytes, 0);
});

Deno.test("parity symbols: the bound, against many times as much", () => {
  const parity = new ParitySymbols();
  const piece = seededRandom(3).bytes(8928 * 100);
  for (let number = 0; number < 30; number++) {
    assert(parity.symbols(number, piece.length, 8928, { block: 0, first: 0, count: 100 }, () => piece));
    assertLessOrEqual(parity.bytes, 16_777_216);
  }
  assert(parity.bytes > 8_000_000);
  const nothing = () => undefined;
  assert(
    parity.symbols(29, piece.length, 8928, { block: 0, first: 50, count: 50 }, nothing),
    "the latest is there",
  );
  assertEquals(parity.symbols(0, piece.length, 8928, { block: 0, first: 0, count: 1 }, nothing), undefined);
  parity.clear();
  assertEquals(parity.bytes, 0);
  assertEquals(parity.symbols(29, piece.length, 8928, { block: 0, first: 0, count: 1 }, nothing), undefined);
});

Deno.test("parity symbols: a source that has changed gives no parity, also none that was made before", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, content);
  const { store } = await sealSource(openFileSource(path), { ...options, memoryBytesMax: 1 });
  try {
    const run = { block: 0, first: 0, count: 1 };
    assert(store.parity(9, 1428, run));
    {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(10 * CHUNK + 7, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(content[10 * CHUNK + 7] ^ 1));
    }
    assertEquals(store.parity(10, 1428, run), undefined);
    assertEquals(store.parity(9, 1428, run), undefined);
    assertEquals(store.parity(pagePiece(0), 1428, run), undefined);
    assertEquals(store.memoryBytes, 0);
  } finally {
    store.close();
    await Deno.remove(path);
  }
});

Deno.test("parity symbols: any k of data and parity of a store give the chunk back", async () => {
  const [{ store }, done] = await makers.lazy();
  const sealed = store.piece(3)!.slice();
  const plan = blockPlan(sealed.length, 1428);
  for (let block = 0; block < plan.blocks; block++) {
    const [start, k] = [blockStart(plan, block), blockSymbols(plan, block)];
    const run = store.parity(3, 1428, { block, first: 0, count: k })!;
    // Nothing but parity.
    const damaged = sealed.slice();
    damaged.fill(0, start * 1428, (start + k) * 1428);
    const data = blockData(damaged, plan, block, 1428);
    const parity = new Map(
      Array.from(
        { length: k },
        (_, i) => [k + i, run.subarray(i * 1428, (i + 1) * 1428)],
      ),
    );
    repair(data, Array.from({ length: k }, (_, i) => i), parity);
    assertEquals(damaged, sealed);
  }
  store.close();
  done();
});
