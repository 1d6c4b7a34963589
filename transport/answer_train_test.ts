import { assert, assertEquals } from "../tests/_assert.ts";
import { dataPackets } from "../tests/sim/data_packets.ts";
import { exposedOf, simExposure } from "../tests/sim/exposure.ts";
import { blockPlan, blockSymbols } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, stampChunkHeader, writeChunkHeader } from "../codec/packet.ts";
import { AnswerTrain, packetsFor } from "./answer_train.ts";
import type { Serve } from "./answer_train.ts";
import { pagePiece, pieceBytes } from "./exposure/pieces.ts";
import { joined, joinedBytes, segments, splitDatagramsMax } from "./link/link.ts";
import type { Datagrams, Link, SplitDatagrams } from "./link/link.ts";
import { LiveToken } from "./protocol/live_token.ts";

const MEBI = 1_048_576;
// The second chunk is short. In the smallest symbols a whole one has four blocks, not all of one length.
const exposure = await simExposure(3, MEBI + 5000, { chunkSize: MEBI });
const { store } = exposure.sealed;
const exposed = exposedOf(exposure, () => exposure.psk);
const bytes = (length: number) => new Uint8Array(length);
const facts = { address: { host: "127.0.0.1", port: 1 }, token: bytes(104), pullKey: bytes(32) };
const puller = new LiveToken(0, { ...facts, exposed, ticketId: bytes(8), epoch: 0, expiresAt: 1 }, 0);
puller.tag = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** A link that keeps what it is given, apart or put together. */
function keeper(takesApart: boolean) {
  const rows: Datagrams[] = [];
  const keep = (row: Datagrams) => void rows.push({ ...row, bytes: row.bytes.slice() });
  const apart = (split: SplitDatagrams) => {
    for (const row of joined(split, bytes(joinedBytes(split)))) keep(row);
    return undefined;
  };
  const link = {
    send: (row: Datagrams) => Promise.resolve(keep(row)),
    ...(takesApart && { sendSplit: apart }),
  };
  return { rows, link: link as unknown as Link };
}

const packetsOf = (rows: readonly Datagrams[]) =>
  rows.flatMap((row) => [...segments(row)]).map((one) => one.toHex());

/** The same, packet by packet. */
function slowly(serve: Serve): string[] {
  const { piece, symbolSize, first, count, parityOf, request, receipt } = serve;
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  const packets = parityOf === undefined
    ? dataPackets(piece, store.piece(piece)!, symbolSize).subarray(first * stride, (first + count) * stride)
    : parityPackets(serve, parityOf);
  for (let at = 0; at < packets.length; at += stride) {
    stampChunkHeader(packets, at, puller.tag, request, receipt);
  }
  return packetsOf([{ peer: facts.address, bytes: packets, segmentSize: stride }]);
}

function parityPackets({ piece, symbolSize, first, count }: Serve, block: number): Uint8Array {
  const k = blockSymbols(blockPlan(pieceBytes(exposed.manifest, piece)!, symbolSize), block);
  const symbols = store.parity(piece, symbolSize, { block, first, count })!;
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  const packets = bytes(count * stride);
  for (let i = 0; i < count; i++) {
    writeChunkHeader(packets, block, k + first + i, piece, i * stride);
    packets.set(symbols.subarray(i * symbolSize, (i + 1) * symbolSize), i * stride + CHUNK_HEADER_BYTES);
  }
  return packets;
}

function serveOf(answer: Pick<Serve, "piece" | "symbolSize" | "first" | "count" | "parityOf">): Serve {
  return { kind: "serve", puller, receipt: 0xfedc_ba98, request: 77, bytes: 0, ...answer };
}

Deno.test("packets in memory of their own are those of the code, but for their stamps", () => {
  const run = { piece: 0, symbolSize: 1200, first: 200, count: 300 };
  const stride = CHUNK_HEADER_BYTES + run.symbolSize;
  const all = dataPackets(0, store.piece(0)!, run.symbolSize);
  const expected = all.subarray(run.first * stride, (run.first + run.count) * stride);
  assertEquals(packetsFor(store, exposed.manifest, run)!.toHex(), expected.toHex());
  assertEquals(packetsFor(store, exposed.manifest, { ...run, piece: 2 }), undefined);
});

Deno.test("an answer has the packets that its slow twin has: all pieces, blocks and borders, data and parity", async () => {
  for (const symbolSize of [1200, 1428, 8928]) {
    for (const piece of [0, 1, pagePiece(0)]) {
      const plan = blockPlan(pieceBytes(exposed.manifest, piece)!, symbolSize);
      for (const takesApart of [true, false]) {
        const { rows, link } = keeper(takesApart);
        const train = new AnswerTrain();
        const expected: string[] = [];
        for (let first = 0; first < plan.symbols; first += 46) {
          const serve = serveOf({ piece, symbolSize, first, count: Math.min(46, plan.symbols - first) });
          assert(train.takes(serve) && train.add(serve, store));
          expected.push(...slowly(serve));
          await train.send(link);
        }
        for (let block = 0; block < plan.blocks; block++) {
          const count = Math.min(3, blockSymbols(plan, block));
          const serve = serveOf({ piece, symbolSize, first: 0, count, parityOf: block });
          assert(train.add(serve, store));
          expected.push(...slowly(serve));
          await train.send(link);
        }
        assertEquals(packetsOf(rows), expected);
      }
    }
  }
});

Deno.test("a train takes what answers one request, as much as a link takes, and nothing that the store has not", () => {
  const train = new AnswerTrain();
  const serve = serveOf({ piece: 0, symbolSize: 1428, first: 0, count: 40 });
  assert(!train.add({ ...serve, piece: 9 }, store));
  assertEquals(train.send(keeper(true).link), undefined);
  for (let taken = 0; taken + 40 <= splitDatagramsMax; taken += 40) {
    assert(train.takes(serve) && train.add(serve, store));
  }
  assert(!train.takes(serve));
  const { rows, link } = keeper(true);
  train.send(link);
  assertEquals(packetsOf(rows).length, Math.floor(splitDatagramsMax / 40) * 40);
  assert(train.add(serve, store));
  for (const other of [{ request: 78 }, { symbolSize: 1200 }, { receipt: 1 }]) {
    assert(!train.takes({ ...serve, ...other }));
  }
  assert(train.takes({ ...serve, piece: 1, count: 4 }));
});
