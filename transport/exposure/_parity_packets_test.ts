/*
 * Parity as the stores give it: the bytes are those of the code, each symbol is made once, memory is bounded, and what a store does not
 * have any more it gives no parity of either.
 */
import { blockPlan, blockStart, blockSymbols, symbolSizes } from "../../codec/geometry.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES, stampChunkHeader, writeChunkHeader } from "../../codec/packet.ts";
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
import { ParityPackets } from "./_parity_packets.ts";
import { depacketise, PACKET_STRIDE, packetise } from "./packetise.ts";
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

/** What a run of parity must look like when it goes out, made in another way. */
function expected(piece: number, symbolSize: number, { block, first, count }: ParityRun): Uint8Array {
  const bytes = pieceBytes(manifest, piece)!;
  const sealed = depacketise(whole.store.packets(piece, 1428)!, 1428, bytes);
  const plan = blockPlan(bytes, symbolSize);
  const k = blockSymbols(plan, block);
  const stride = PACKET_STRIDE(symbolSize);
  const out = new Uint8Array(count * stride);
  const symbols = Array.from({ length: count }, (_, i) => {
    const packet = out.subarray(i * stride, (i + 1) * stride);
    writeChunkHeader(packet, block, k + first + i, piece);
    return packet.subarray(CHUNK_HEADER_BYTES);
  });
  makeParity(blockData(sealed, plan, block, symbolSize), k + first, symbols);
  return stamped(out, symbolSize)!;
}

/** As it goes out: what was stamped into it before is written over. */
function stamped(packets: Uint8Array | undefined, symbolSize: number): Uint8Array | undefined {
  const copy = packets?.slice();
  for (let at = 0; copy && at < copy.length; at += PACKET_STRIDE(symbolSize)) {
    stampChunkHeader(copy, at, new Uint8Array(8).fill(3), 1, 2);
  }
  return copy;
}

function assertRun(store: ChunkStore, piece: number, symbolSize: number, run: ParityRun): void {
  const packets = store.parityPackets(piece, symbolSize, run);
  assertEquals(stamped(packets, symbolSize)!.toHex(), expected(piece, symbolSize, run).toHex());
  // An exposer stamps where it lies; that must spoil nothing.
  stampChunkHeader(packets!, 0, new Uint8Array(8).fill(250), 2 ** 32 - 1, 2 ** 32 - 1);
}

for (const [name, make] of Object.entries(makers)) {
  Deno.test(`parity packets: a ${name} store gives those of the code, in any order, of any block and symbol size`, async () => {
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

  Deno.test(`parity packets: a ${name} store has none of what is not there, of no block that is not there, and none once it is closed`, async () => {
    const [{ store }, done] = await make();
    try {
      const run = { block: 0, first: 0, count: 1 };
      for (const piece of [CHUNKS, -1, 0.5, NaN, pagePiece(1), 2 ** 32]) {
        assertEquals(store.parityPackets(piece, 1428, run), undefined);
      }
      for (const size of [0, 1, 1427, NaN]) assertEquals(store.parityPackets(0, size, run), undefined);
      const plan = blockPlan(pieceBytes(manifest, 0)!, 1428);
      const k = blockSymbols(plan, 0);
      for (
        const wrong of [{ block: plan.blocks }, { first: BLOCK_INDEXES - k }, {
          count: BLOCK_INDEXES - k + 1,
        }]
      ) {
        assertThrows(() => store.parityPackets(0, 1428, { ...run, ...wrong }), RangeError);
      }
      assertRun(store, 0, 1428, run);
      store.close();
      assertEquals(store.parityPackets(0, 1428, run), undefined);
      assertEquals(store.memoryBytes, 0);
    } finally {
      store.close();
      done();
    }
  });
}

Deno.test("parity packets: what was made once is there: no sealing, no packing, the same memory; more of it is added to that", async () => {
  const { store } = await sealSource(bytesSource(content), { ...options, memoryBytesMax: 1 });
  const first = store.parityPackets(11, 1428, { block: 0, first: 0, count: 2 })!;
  // Others take the place of the chunk.
  for (let chunk = 0; chunk < 8; chunk++) store.packets(chunk, 1428);
  assert(store.coldBytes(11, 1428) > 0);
  const { seals, packings } = store.counters;
  const again = store.parityPackets(11, 1428, { block: 0, first: 1, count: 1 })!;
  assertStrictEquals(again.buffer, first.buffer);
  assertEquals([store.counters.seals, store.counters.packings], [seals, packings]);
  assertRun(store, 11, 1428, { block: 0, first: 0, count: 4 });
  assertEquals(store.counters.seals, seals + 1);
  store.close();
});

Deno.test("parity packets: memory is bounded, however much parity is asked for, and counted", async () => {
  const { store } = await sealSource(bytesSource(content), options);
  const base = store.memoryBytes;
  const stride = PACKET_STRIDE(1428);
  store.parityPackets(0, 1428, { block: 0, first: 0, count: 10 });
  assertEquals(store.memoryBytes, base + 10 * stride);
  for (let chunk = 0; chunk < CHUNKS - 1; chunk++) {
    const plan = blockPlan(pieceBytes(manifest, chunk)!, 1428);
    for (let block = 0; block < plan.blocks; block++) {
      const first = BLOCK_INDEXES - blockSymbols(plan, block) - 1;
      store.parityPackets(chunk, 1428, { block, first, count: 1 });
    }
    assertLessOrEqual(store.memoryBytes, base + 16_777_216);
  }
  assertLess(base, store.memoryBytes);
  store.close();
  assertEquals(store.memoryBytes, 0);
});

Deno.test("parity packets: the bound, against many times as much", () => {
  const parity = new ParityPackets();
  const piece = seededRandom(3).bytes(8928 * 100);
  const packets = packetise(0, piece, 8928);
  for (let number = 0; number < 30; number++) {
    assert(parity.packets(number, piece.length, 8928, { block: 0, first: 0, count: 100 }, () => packets));
    assertLessOrEqual(parity.bytes, 16_777_216);
  }
  assert(parity.bytes > 8_000_000);
  const nothing = () => undefined;
  assert(
    parity.packets(29, piece.length, 8928, { block: 0, first: 50, count: 50 }, nothing),
    "the latest is there",
  );
  assertEquals(parity.packets(0, piece.length, 8928, { block: 0, first: 0, count: 1 }, nothing), undefined);
  parity.clear();
  assertEquals(parity.bytes, 0);
  assertEquals(parity.packets(29, piece.length, 8928, { block: 0, first: 0, count: 1 }, nothing), undefined);
});

Deno.test("parity packets: a source that has changed gives no parity, also none that was made before", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, content);
  const { store } = await sealSource(openFileSource(path), { ...options, memoryBytesMax: 1 });
  try {
    const run = { block: 0, first: 0, count: 1 };
    assert(store.parityPackets(9, 1428, run));
    {
      using file = Deno.openSync(path, { write: true });
      file.seekSync(10 * CHUNK + 7, Deno.SeekMode.Start);
      file.writeSync(Uint8Array.of(content[10 * CHUNK + 7] ^ 1));
    }
    assertEquals(store.parityPackets(10, 1428, run), undefined);
    assertEquals(store.parityPackets(9, 1428, run), undefined);
    assertEquals(store.parityPackets(pagePiece(0), 1428, run), undefined);
    assertEquals(store.memoryBytes, 0);
  } finally {
    store.close();
    await Deno.remove(path);
  }
});

Deno.test("parity packets: any k of data and parity of a store give the chunk back", async () => {
  const [{ store }, done] = await makers.lazy();
  const bytes = pieceBytes(manifest, 3)!;
  const plan = blockPlan(bytes, 1428);
  const sealed = depacketise(store.packets(3, 1428)!, 1428, bytes);
  for (let block = 0; block < plan.blocks; block++) {
    const [start, k] = [blockStart(plan, block), blockSymbols(plan, block)];
    const run = store.parityPackets(3, 1428, { block, first: 0, count: k })!;
    // Nothing but parity.
    const damaged = sealed.slice();
    damaged.fill(0, start * 1428, (start + k) * 1428);
    const data = blockData(damaged, plan, block, 1428);
    const parity = new Map(
      Array.from(
        { length: k },
        (_, i) => [k + i, run.subarray(i * 1452 + CHUNK_HEADER_BYTES, (i + 1) * 1452)],
      ),
    );
    repair(data, Array.from({ length: k }, (_, i) => i), parity);
    assertEquals(damaged, sealed);
  }
  store.close();
  done();
});
