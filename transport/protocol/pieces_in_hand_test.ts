import { assert, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { ManifestAead, ManifestHash, ManifestKind } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { blockPlan } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT, writeChunkHeader } from "../../codec/packet.ts";
import { PAGE_LEAVES } from "../../crypto/leaf_pages.ts";
import { dataPackets } from "../../tests/sim/data_packets.ts";
import { pieceBytes } from "../exposure/pieces.ts";
import { blockData, makeParity } from "../../fec/mod.ts";
import { ChunkPlan } from "./chunk_plan.ts";
import { PiecesInHand } from "./pieces_in_hand.ts";

function manifestOf(chunkSize: number, totalSize: number): Manifest {
  const none = new Uint8Array(32);
  return {
    version: 2,
    kind: ManifestKind.BLOB,
    aead: ManifestAead.CHACHA20_POLY1305,
    hash: ManifestHash.SHA_256,
    chunkSize,
    totalSize,
    indexSize: 0,
    reserved: 0,
    keyCheck: none,
    root: none,
  };
}

function handOf(chunkSize: number, chunks: number, hasLeaves = false, candidates = 0) {
  const manifest = manifestOf(chunkSize, chunkSize * chunks);
  const plan = new ChunkPlan({
    chunks,
    hasLeaves: () => hasLeaves,
    candidates: () => new Uint8Array(PAGE_LEAVES).fill(1, 0, candidates),
  });
  return { manifest, plan, hand: new PiecesInHand(manifest, plan, 1428) };
}

const CALM = { lossRate: 0, margin: 0.5 };

/** Takes all that there is to take, as one request. */
function takeAll(hand: PiecesInHand, request = 1): Set<number> {
  const pieces = new Set<number>();
  for (
    let run = hand.takeRuns(1000, 1, request, CALM)[0];
    run;
    run = hand.takeRuns(1000, 1, request, CALM)[0]
  ) {
    pieces.add(run.assembly.piece);
  }
  return pieces;
}

/** All symbols of a piece arrive. */
function fill(manifest: Manifest, hand: PiecesInHand, piece: number): void {
  const packets = dataPackets(piece, new Uint8Array(pieceBytes(manifest, piece)!), hand.symbolSize);
  const stride = CHUNK_HEADER_BYTES + hand.symbolSize;
  const assembly = hand.assembly(piece)!;
  for (let at = 0; at < packets.length; at += stride) assembly.accept(packets.subarray(at, at + stride));
  assert(assembly.whole);
  hand.complete(assembly);
}

Deno.test("pieces in hand: 32 MiB at most, but at least 8 pieces and at most 512, and one page on top", () => {
  for (const [chunkSize, most] of [[1_048_576, 32], [262_144, 128], [65_536, 512], [4096, 512]]) {
    const { hand } = handOf(chunkSize, 3000);
    const pieces = takeAll(hand);
    assertLessOrEqual(pieces.size, most + 1);
    assert(pieces.size >= most);
    assert(hand.full);
    assertEquals(hand.pieces, pieces.size);
  }
});

Deno.test("pieces in hand: leaf pages go with the first chunk that needs them, and are not asked for when they are here", () => {
  const { hand } = handOf(65_536, 100);
  assertEquals(hand.takeRuns(5, 1, 1, CALM)[0].assembly.piece, PAGE_BIT);
  assertEquals(hand.pieces, 2);
  assert(takeAll(hand).has(0));
  assert(!takeAll(handOf(65_536, 100, true).hand).has(PAGE_BIT));
});

Deno.test("pieces in hand: a hand full of chunks that wait for their leaves still begins the page that failed", () => {
  const { manifest, plan, hand } = handOf(4096, 600);
  const pieces = takeAll(hand);
  for (const piece of pieces) fill(manifest, hand, piece);
  assert(hand.full);
  assertEquals(hand.takeRuns(10, 1, 2, CALM)[0], undefined);
  hand.settle(PAGE_BIT);
  plan.settlePage(0, false);
  assertEquals([...takeAll(hand, 2)].filter((piece) => piece >= PAGE_BIT), [PAGE_BIT]);
  fill(manifest, hand, PAGE_BIT);
  hand.settle(PAGE_BIT);
  plan.settlePage(0, true);
  assertLessOrEqual(hand.pieces, 513);
});

Deno.test("pieces in hand: what is thrown away for smaller symbols is begun again, all of it", () => {
  const { plan, hand } = handOf(65_536, 20);
  const before = takeAll(hand);
  hand.restart(1200);
  assertEquals([hand.pieces, hand.symbolSize], [0, 1200]);
  assertEquals(takeAll(hand, 2), before);
  assertEquals(plan.finished, false);
});

Deno.test("pieces in hand: what was lost goes before what is new, and it is the tail when nothing new is left", () => {
  const { manifest, plan, hand } = handOf(65_536, 3, true);
  const first = hand.takeRuns(20, 1, 1, CALM)[0];
  assertEquals([first.assembly.piece, first.first, first.count], [0, 0, 20]);
  assert(!hand.isTail);
  const rest = takeAll(hand, 2);
  assertEquals(rest, new Set([0, 1, 2]));
  assert(hand.isTail);
  assertEquals(first.assembly.release(first, 1), 20);
  const again = hand.takeRuns(1000, 1, 3, CALM)[0];
  assertEquals([again.assembly.piece, again.first, again.count], [0, 0, 20]);
  for (const piece of rest) {
    fill(manifest, hand, piece);
    hand.settle(piece);
    plan.settleChunk(piece, true);
  }
  assert(plan.finished);
  assertEquals(hand.takeRuns(1000, 1, 4, CALM)[0], undefined);
});

Deno.test("pieces in hand: a hand that is full is no tail: more comes when the shell has stored some", () => {
  const { hand } = handOf(1_048_576, 100, true);
  takeAll(hand);
  assert(hand.full && !hand.isTail);
});

Deno.test("pieces in hand: in bad weather each chunk is asked for with parity, and completed from it", () => {
  const { manifest, hand } = handOf(65_536, 2, true);
  const bytes = seededRandom(6).bytes(pieceBytes(manifest, 0)!);
  const run = hand.takeRuns(1000, 1, 1, { lossRate: 0.2, margin: 0.5 })[0];
  const k = run.count;
  assert(run.parityCount > 0);
  const plan = blockPlan(bytes.length, hand.symbolSize);
  const stride = CHUNK_HEADER_BYTES + hand.symbolSize;
  const parity = new Uint8Array(stride);
  writeChunkHeader(parity, 0, k, 0);
  makeParity(blockData(bytes, plan, 0, hand.symbolSize), k, [parity.subarray(CHUNK_HEADER_BYTES)]);
  const packets = dataPackets(0, bytes, hand.symbolSize);
  for (let i = 1; i < k; i++) run.assembly.accept(packets.subarray(i * stride, (i + 1) * stride));
  assert(!run.assembly.whole);
  run.assembly.accept(parity);
  assert(run.assembly.whole);
  assertEquals(hand.complete(run.assembly), bytes);
});

Deno.test("pieces in hand: 32 checks at a time, and one must be settled before the next", () => {
  const { plan, hand } = handOf(4096, 50, true, 50);
  assert(!plan.finished);
  const first = Array.from({ length: 33 }, () => hand.takeCheck());
  assertEquals(first, [...Array.from({ length: 32 }, (_, chunk) => chunk), undefined]);
  assertEquals(hand.opening, 32);
  hand.settleCheck();
  plan.settleChunk(0, true);
  assertEquals([hand.takeCheck(), hand.takeCheck()], [32, undefined]);
});

Deno.test("pieces in hand: buffers are used again, never two pieces in one", () => {
  const { integer } = seededRandom(5);
  const { manifest, plan, hand } = handOf(65_536, 500, true);
  const opening = new Map<number, Uint8Array>();
  let [request, done] = [1, 0];
  while (!plan.finished) {
    const run = hand.takeRuns(1000, 1, request++, CALM)[0];
    if (run && opening.size < 5) {
      const { piece, bytes } = run.assembly;
      for (const other of opening.values()) assert(other !== bytes);
      fill(manifest, hand, piece);
      opening.set(piece, bytes);
      continue;
    }
    const piece = [...opening.keys()][integer(opening.size)];
    opening.delete(piece);
    hand.settle(piece);
    plan.settleChunk(piece, true);
    done++;
    if (run) fill(manifest, hand, run.assembly.piece), opening.set(run.assembly.piece, run.assembly.bytes);
  }
  assertEquals(done, 500);
});

Deno.test("the memory of a chunk is used again, but not while it is lent", () => {
  const lent = new Set<number>();
  let memories = 0;
  const manifest = manifestOf(4096, 4096 * 3000);
  const plan = new ChunkPlan({ chunks: 3000, hasLeaves: () => true, candidates: () => undefined });
  const hand = new PiecesInHand(manifest, plan, 1428, {
    allocate: (bytes) => (memories++, new Uint8Array(bytes)),
    isLent: (chunk) => lent.has(chunk),
  });
  /** Pulls the next chunk, and says where it was put together. */
  const pullOne = (isLent: boolean): Uint8Array => {
    const { assembly } = hand.takeRuns(1000, 1, 1, CALM)[0];
    const { piece, bytes } = assembly;
    fill(manifest, hand, piece);
    if (isLent) lent.add(piece);
    plan.settleChunk(piece, true);
    hand.settle(piece);
    return bytes;
  };
  const first = pullOne(true);
  const second = pullOne(true);
  assert(second !== first);
  const third = pullOne(false);
  for (let i = 0; i < 5; i++) assert(pullOne(false) === third);
  assertEquals(memories, 3);
  // Symbols of another size: what is lent stays so.
  hand.restart(1200);
  assertEquals(new Set([pullOne(true), pullOne(true)].map(({ buffer }) => buffer)).has(first.buffer), false);
  assertEquals(memories, 4);
  lent.delete(1);
  assert(pullOne(true).buffer === second.buffer);
  lent.clear();
  const again = new Set([pullOne(true), pullOne(true), pullOne(true), pullOne(true)]);
  assertEquals([again.size, again.has(first), again.has(second), memories], [4, true, true, 4]);
});
