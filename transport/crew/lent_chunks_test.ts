import { limits } from "../../core/limits.ts";
import { ManifestAead, ManifestHash, ManifestKind } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { packetise } from "../exposure/packetise.ts";
import type { Assembly } from "../protocol/assembly.ts";
import { ChunkPlan } from "../protocol/chunk_plan.ts";
import { PiecesInHand } from "../protocol/pieces_in_hand.ts";
import { HASHED_BYTES_MAX, LentChunks } from "./lent_chunks.ts";

const CHUNK_BYTES = 65_536;
const chunk = (index: number, bytes = CHUNK_BYTES) => ({ at: index * bytes, memory: 3, start: 64, bytes });

Deno.test("a chunk is lent until it is given back, in whatever order", () => {
  const ours = new LentChunks();
  const thread = new LentChunks(ours.words);
  for (const index of [4, 2, 9]) assert(ours.lend(chunk(index)));
  assertEquals(thread.next(0, 1e9), chunk(2).at);
  assertEquals(thread.next(chunk(3).at, 1e9), chunk(4).at);
  assertEquals(thread.next(chunk(5).at, chunk(7).at), chunk(7).at);
  assertEquals(thread.take(chunk(3).at), undefined);
  assertEquals(thread.take(chunk(2).at + 1), undefined);
  assertEquals(thread.take(chunk(2).at), chunk(2));
  assert(ours.isLent(chunk(2).at), "it was taken, not given back");
  thread.giveBack(chunk(2));
  assertEquals([2, 4, 9, 3].map((index) => ours.isLent(chunk(index).at)), [false, true, true, false]);
  assertEquals(thread.take(chunk(2).at), undefined);
});

Deno.test("so many bytes are lent at once and no more, and no chunk that begins or ends between two units", () => {
  for (const bytes of [4096, 65_536, 262_144, 1_048_576]) {
    const lent = new LentChunks();
    const most = Math.min(32, limits.lentBytesMax / bytes);
    for (let index = 0; index < most; index++) assert(lent.lend(chunk(index, bytes)));
    assert(!lent.lend(chunk(most, bytes)), `${bytes}`);
    lent.giveBack(chunk(0, bytes));
    assert(lent.lend(chunk(most, bytes)));
    assert(!lent.lend(chunk(most + 1, bytes)));
  }
  const lent = new LentChunks();
  assert(!lent.lend({ ...chunk(0), bytes: limits.lentBytesMax + 4096 }));
  assert(!lent.lend({ ...chunk(0), bytes: 100 }));
  assert(!lent.lend({ ...chunk(0), at: 100 }));
});

Deno.test("what was told of can be read, and the end is the end", () => {
  const ours = new LentChunks();
  const thread = new LentChunks(ours.words);
  ours.tell(8192, false);
  assertEquals([thread.wait(0), thread.wait(8191)], [8192, 8192]);
  ours.tell(8193, true);
  assertEquals(thread.wait(8192), 12_288);
  ours.end();
  assertEquals(thread.wait(0), -1);
});

Deno.test("the last place of the longest file has room", () => {
  const lent = new LentChunks();
  const last = { ...chunk(0), at: HASHED_BYTES_MAX - CHUNK_BYTES };
  assert(lent.lend(last));
  assertEquals(lent.take(last.at), last);
  lent.tell(HASHED_BYTES_MAX, true);
  assertEquals(lent.wait(last.at), HASHED_BYTES_MAX);
});

/** Chunks of a file, in hand and lent, and one who hashes them as slowly as it is told to. */
class SlowDigest {
  readonly bytes = 4096;
  readonly lent = new LentChunks();
  readonly memories: Uint8Array<SharedArrayBuffer>[] = [];
  readonly written = new Set<number>();
  hashed = 0;
  fromMemory = 0;
  #front = 0;

  readonly memory = {
    allocate: (bytes: number) => {
      this.memories.push(new Uint8Array(new SharedArrayBuffer(bytes)));
      return this.memories.at(-1)!;
    },
    isLent: (chunk: number) => this.lent.isLent(chunk * this.bytes),
  };

  /** A chunk has been put together: it is written, and lent where that can be. */
  write(index: number, { buffer, byteOffset: start }: Uint8Array): void {
    const memory = this.memories.findIndex((memory) => memory.buffer === buffer);
    this.written.add(index);
    const { bytes } = this;
    if (index < this.#front + 32) this.lent.lend({ at: index * bytes, memory, start, bytes });
    while (this.written.has(this.#front)) this.#front++;
    this.lent.tell(this.#front * bytes, false);
  }

  /** Hashes one chunk, if there is one. */
  step(): void {
    if (this.hashed === this.#front) return;
    const lent = this.lent.take(this.hashed * this.bytes);
    if (lent) {
      const there = this.memories[lent.memory].subarray(lent.start, lent.start + lent.bytes);
      assert(there.every((byte) => byte === colourOf(this.hashed)), `chunk ${this.hashed} was written over`);
      this.lent.giveBack(lent);
      this.fromMemory++;
    }
    this.hashed++;
  }
}

const SYMBOL_SIZE = 1428;
const STRIDE = CHUNK_HEADER_BYTES + SYMBOL_SIZE;
const colourOf = (index: number) => index % 251;

/** Who hashes so many chunks for each that is written, how many are in hand at once, and the least share that lies in memory still. */
const DIGESTS = [["very slow", 0.05, 40, 0.03], ["slow", 0.6, 40, 0.05], ["fast", 1, 4, 0.9]] as const;

for (const [name, speed, atOnce, share] of DIGESTS) {
  Deno.test(`whoever is ${name} to hash finds each chunk as it was lent, and holds nothing up`, () => {
    const random = seededRandom(11, name);
    const digest = new SlowDigest();
    const chunks = 2000;
    const none = new Uint8Array(32);
    const manifest = {
      version: 2,
      kind: ManifestKind.BLOB,
      aead: ManifestAead.CHACHA20_POLY1305,
      hash: ManifestHash.SHA_256,
      chunkSize: digest.bytes,
      totalSize: chunks * digest.bytes,
      indexSize: 0,
      reserved: 0,
      keyCheck: none,
      root: none,
    };
    const plan = new ChunkPlan({ chunks, hasLeaves: () => true, candidates: () => undefined });
    const hand = new PiecesInHand(manifest, plan, SYMBOL_SIZE, digest.memory);
    const inHand: Assembly[] = [];
    while (digest.written.size < chunks) {
      for (let run; inHand.length < atOnce && (run = hand.takeRun(1000, 1, { lossRate: 0, margin: 0 }));) {
        // What comes first may be anything.
        run.assembly.bytes.fill(255);
        inHand.push(run.assembly);
      }
      // They are whole in any order.
      const [assembly] = inHand.splice(random.integer(inHand.length), 1);
      const { piece, bytes } = assembly;
      const packets = packetise(piece, new Uint8Array(bytes.length).fill(colourOf(piece)), SYMBOL_SIZE);
      for (let at = 0; at < packets.length; at += STRIDE) assembly.accept(packets.subarray(at, at + STRIDE));
      hand.complete(assembly);
      digest.write(piece, bytes.subarray(0, digest.bytes));
      plan.settleChunk(piece, true);
      hand.settle(piece);
      if (random.chance(speed)) digest.step();
    }
    while (digest.hashed < chunks) digest.step();
    assertLessOrEqual(digest.memories.length, atOnce + 32);
    assertGreater(digest.fromMemory, share * chunks);
  });
}
