import { assertEquals } from "../../tests/_assert.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../codec/packet.ts";
import { makeParity } from "../../fec/mod.ts";
import { blockPlan } from "../../codec/geometry.ts";
import { blockData } from "../../fec/mod.ts";
import { Assembly } from "./assembly.ts";
import { Blame } from "./blame.ts";

const SYMBOL = 1200;
const SYMBOLS = 4;
const right = Uint8Array.from({ length: SYMBOLS * SYMBOL - 100 }, (_, i) => i * 7 + (i >> 8));

/** A CHUNK_DATA packet with one symbol of piece 3; parity from index 4 on; a lie has another first byte. */
function symbol(index: number, isLie: boolean): Uint8Array {
  const bytes = index < SYMBOLS ? right.slice(index * SYMBOL, (index + 1) * SYMBOL) : new Uint8Array(SYMBOL);
  if (index >= SYMBOLS) {
    makeParity(blockData(right, blockPlan(right.length, SYMBOL), 0, SYMBOL), index, [bytes]);
  }
  if (isLie) bytes[0] ^= 1;
  const packet = new Uint8Array(CHUNK_HEADER_BYTES + bytes.length);
  writeChunkHeader(packet.subarray(0, CHUNK_HEADER_BYTES), 0, index, 3);
  packet.set(bytes, CHUNK_HEADER_BYTES);
  return packet;
}

/** A whole piece of which each sender has sent these symbols; negative ones are lies of the symbol `-1 - n`. */
function whole(...sent: readonly (readonly number[])[]): Assembly {
  const assembly = new Assembly(3, new Uint8Array(right.length), SYMBOL);
  sent.forEach((indexes, sender) => {
    for (const index of indexes) assembly.accept(symbol(index < 0 ? -1 - index : index, index < 0), sender);
  });
  return assembly;
}

Deno.test("blame: what one has sent alone is its lie, at once", () => {
  const blame = new Blame();
  const copy = whole([], [0, 1, -3, 3]);
  blame.note(copy);
  assertEquals(blame.accuse(3, copy), { times: 1, liars: [1], isMixed: false });
  assertEquals(blame.wrongPieces, 1);
  blame.note(whole([0, 1, 2, 3]));
  assertEquals(blame.acquit(3), []);
  assertEquals(blame.wrongPieces, 0);
});

for (
  const [name, sent, liars] of [
    ["a data symbol", [[0, -2], [2, 3]], [0]],
    ["a parity symbol", [[0, 1], [2, -5]], [1]],
    ["both", [[0, -2], [2, -5]], [0, 1]],
    ["a third one's", [[0, 1], [2], [-4]], [2]],
  ] as const
) {
  Deno.test(`blame: of several senders the right copy shows who lied: ${name}`, () => {
    const blame = new Blame();
    const mixed = whole(...sent);
    blame.note(mixed);
    assertEquals(blame.accuse(3, mixed), { times: 1, liars: [], isMixed: true });
    // One alone, and wrong again: that one is to blame, and the first copy waits for a right one.
    const alone = whole([-1, 1, 2, 3]);
    blame.note(alone);
    assertEquals(blame.accuse(3, alone), { times: 2, liars: [0], isMixed: false });
    blame.note(whole([], [0, 1, 2, 3]));
    assertEquals(blame.acquit(3).toSorted(), [...liars]);
    assertEquals(blame.wrongPieces, 0);
  });
}
