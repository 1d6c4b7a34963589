import { limits } from "../../core/limits.ts";
import { ManifestAead, ManifestHash, ManifestKind } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { dataPackets } from "../../tests/sim/data_packets.ts";
import type { Assembly } from "../protocol/assembly.ts";
import { ChunkPlan } from "../protocol/chunk_plan.ts";
import { PiecesInHand } from "../protocol/pieces_in_hand.ts";
import { LentChunks, lentWords } from "./lent_chunks.ts";

const place = { memory: 3, start: 64 };
const pair = (chunkBytes: number) => {
  const words = lentWords(chunkBytes);
  return { ours: new LentChunks(words), thread: new LentChunks(words) };
};

Deno.test("a chunk is lent until it is given back, in whatever order", () => {
  const { ours, thread } = pair(65_536);
  for (const chunk of [4, 2, 9]) assert(ours.lend(chunk, { memory: chunk, start: 64 * chunk }));
  assertEquals(thread.take(3), undefined);
  assertEquals(thread.take(2 + thread.slots), undefined);
  assertEquals(thread.take(2), { memory: 2, start: 128 });
  assert(ours.isLent(2), "it was taken, not given back");
  thread.giveBack(2);
  assertEquals([2, 4, 9, 3].map((chunk) => ours.isLent(chunk)), [false, true, true, false]);
  assertEquals(thread.take(2), undefined);
});

Deno.test("so many bytes are lent at once and no more, and no chunk in the place of another", () => {
  for (const chunkBytes of [4096, 65_536, 262_144, 1_048_576]) {
    const { ours, thread } = pair(chunkBytes);
    assertEquals(ours.slots, Math.min(32, limits.lentBytesMax / chunkBytes));
    for (let chunk = 0; chunk < ours.slots; chunk++) assert(ours.lend(chunk, place));
    for (let chunk = 0; chunk < 100; chunk++) assert(!ours.lend(chunk, place), `${chunk} of ${chunkBytes}`);
    thread.giveBack(0);
    assert(!ours.lend(1 + ours.slots, place) && ours.lend(ours.slots, place));
    assert(!ours.isLent(0));
  }
});

Deno.test("what was told of can be read, and the end is the end", () => {
  const { ours, thread } = pair(65_536);
  ours.tell(2);
  assertEquals([thread.wait(0), thread.wait(1)], [2, 2]);
  ours.end();
  assertEquals(thread.wait(0), undefined);
});

Deno.test("the last chunk of the largest exposure can be lent", () => {
  const { ours, thread } = pair(limits.chunkBytesMax);
  const last = limits.chunksMax - 1;
  assert(ours.lend(last, place));
  ours.tell(limits.chunksMax);
  assertEquals([thread.wait(last), thread.take(last)], [limits.chunksMax, place]);
});

/** Chunks of a file, in hand and lent, and one who hashes them as slowly as it is told to. */
class SlowDigest {
  readonly bytes = 4096;
  readonly lent = new LentChunks(lentWords(this.bytes));
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
    isLent: (chunk: number) => this.lent.isLent(chunk),
  };

  /** A chunk has been put together: it is written, and lent where that can be. */
  write(index: number, { buffer, byteOffset: start }: Uint8Array): void {
    const memory = this.memories.findIndex((memory) => memory.buffer === buffer);
    this.written.add(index);
    if (index < this.#front + this.lent.slots) this.lent.lend(index, { memory, start });
    while (this.written.has(this.#front)) this.#front++;
    this.lent.tell(this.#front);
  }

  /** Hashes one chunk, if there is one. */
  step(): void {
    if (this.hashed === this.#front) return;
    const lent = this.lent.take(this.hashed);
    if (lent) {
      const there = this.memories[lent.memory].subarray(lent.start, lent.start + this.bytes);
      assert(there.every((byte) => byte === colourOf(this.hashed)), `chunk ${this.hashed} was written over`);
      this.lent.giveBack(this.hashed);
      this.fromMemory++;
    }
    this.hashed++;
  }
}

const SYMBOL_SIZE = 1428;
const STRIDE = CHUNK_HEADER_BYTES + SYMBOL_SIZE;
const colourOf = (index: number) => index % 251;

/** Who hashes so many chunks for each that is written, how many are in hand at once, and the least share that lies in memory still. */
const DIGESTS = [["very slow", 0.05, 40, 0.03], ["slow", 0.6, 40, 0.03], ["fast", 1, 4, 0.9]] as const;

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
      for (
        let run;
        inHand.length < atOnce && (run = hand.takeRuns(1000, 1, 1, { lossRate: 0, margin: 0 })[0]);
      ) {
        // What comes first may be anything.
        run.assembly.bytes.fill(255);
        inHand.push(run.assembly);
      }
      // They are whole in any order.
      const [assembly] = inHand.splice(random.integer(inHand.length), 1);
      const { piece, bytes } = assembly;
      const packets = dataPackets(piece, new Uint8Array(bytes.length).fill(colourOf(piece)), SYMBOL_SIZE);
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
