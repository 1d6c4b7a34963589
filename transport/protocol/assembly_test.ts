import { assert, assertEquals } from "../../tests/_assert.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { blockPlan } from "../../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../../codec/packet.ts";
import { packetise } from "../exposure/packetise.ts";
import { Assembly } from "./assembly.ts";

const SIZE = 1200;

/** The packets of a piece, each alone. */
function packetsOf(piece: Uint8Array, symbolSize: number): Uint8Array[] {
  const all = packetise(7, piece, symbolSize);
  const stride = CHUNK_HEADER_BYTES + symbolSize;
  return Array.from(
    { length: Math.ceil(all.length / stride) },
    (_, i) => all.slice(i * stride, (i + 1) * stride),
  );
}

/** All orders of the numbers below `n`. */
function* orders(n: number, chosen: number[] = []): Generator<number[]> {
  if (chosen.length === n) yield chosen;
  for (let i = 0; i < n; i++) if (!chosen.includes(i)) yield* orders(n, [...chosen, i]);
}

Deno.test("assembly: every order of arrival, each symbol twice, gives the piece", () => {
  const { bytes } = seededRandom(1);
  for (const length of [1, SIZE - 1, SIZE, SIZE + 1, 3 * SIZE, 4 * SIZE + 5]) {
    const piece = bytes(length);
    const packets = packetsOf(piece, SIZE);
    for (const order of orders(packets.length)) {
      const assembly = new Assembly(7, new Uint8Array(length).fill(0xee), SIZE);
      for (const [n, i] of order.entries()) {
        assert(!assembly.whole);
        assertEquals(assembly.accept(packets[i]), { kind: "new", owner: 0 });
        assertEquals(assembly.accept(packets[i]), { kind: "duplicate" });
        assertEquals(assembly.needed, packets.length - n - 1);
      }
      assert(assembly.whole);
      assertEquals(assembly.bytes, piece);
    }
  }
});

Deno.test("assembly: a piece of several blocks", () => {
  const { bytes, integer } = seededRandom(2);
  const piece = bytes(300 * SIZE + 17);
  const packets = packetsOf(piece, SIZE);
  const assembly = new Assembly(7, new Uint8Array(piece.length), SIZE);
  for (const left = packets.keys().toArray(); left.length > 0;) {
    assembly.accept(packets[left.splice(integer(left.length), 1)[0]]);
  }
  assert(assembly.whole);
  assertEquals(assembly.bytes, piece);
});

Deno.test("assembly: symbols that are too long, too short or nowhere in the piece change nothing", () => {
  const { bytes } = seededRandom(3);
  const piece = bytes(2 * SIZE + 100);
  const packets = packetsOf(piece, SIZE);
  const assembly = new Assembly(7, new Uint8Array(piece.length), SIZE);
  const wrong = [
    packets[0].slice(0, -1),
    Uint8Array.of(...packets[0], 0),
    packets[2].slice(0, -1),
    Uint8Array.of(...packets[2], 0),
    packets[0].with(3, 2),
    packets[2].with(3, 0),
    packets[0].with(3, 3),
    packets[0].with(3, 255),
    packets[0].with(2, 1),
    packets[0].slice(0, CHUNK_HEADER_BYTES),
  ];
  for (const packet of wrong) assertEquals(assembly.accept(packet), { kind: "malformed" });
  assertEquals(assembly.needed, 3);
  for (const packet of packets) assembly.accept(packet);
  assertEquals(assembly.bytes, piece);
});

Deno.test("assembly: who owns which symbol, against a model, over random takes, losses and arrivals", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const { bytes, integer, chance } = seededRandom(seed);
    const piece = bytes(1 + integer(30 * SIZE));
    const packets = packetsOf(piece, SIZE);
    const { symbols } = blockPlan(piece.length, SIZE);
    const assembly = new Assembly(7, new Uint8Array(piece.length), SIZE);
    /** 0 = needed, -1 = here, else the request. */
    const model = new Array<number>(symbols).fill(0);
    const taken: { first: number; count: number; request: number }[] = [];
    for (let request = 1; !assembly.whole; request++) {
      assert(request < 20_000);
      if (chance(0.4)) {
        const max = integer(8);
        const run = assembly.take(max, request);
        const needed = model.filter((owner) => owner === 0).length;
        assertEquals(run === undefined, needed === 0 || max === 0);
        if (!run) continue;
        assert(run.count >= 1 && run.count <= max);
        // The first that is needed, and as many after it as are.
        assertEquals(run.first, model.indexOf(0));
        for (let i = run.first; i < run.first + run.count; i++) {
          assertEquals(model[i], 0);
          model[i] = request;
        }
        assert(run.count === max || model[run.first + run.count] !== 0);
        taken.push({ ...run, request });
      } else if (chance(0.3) && taken.length > 0) {
        const { first, count, request: owner } = taken.splice(integer(taken.length), 1)[0];
        let released = 0;
        for (let i = first; i < first + count; i++) {
          if (model[i] !== owner) continue;
          model[i] = 0;
          released++;
        }
        assertEquals(assembly.release(first, count, owner), released);
      } else {
        const symbol = integer(symbols);
        const owner = model[symbol];
        const fate = assembly.accept(packets[symbol]);
        assertEquals(fate, owner === -1 ? { kind: "duplicate" } : { kind: "new", owner });
        model[symbol] = -1;
      }
      assertEquals(assembly.needed, model.filter((one) => one === 0).length);
      assertEquals(assembly.whole, model.every((one) => one === -1));
    }
    assertEquals(assembly.bytes, piece);
  }
});
