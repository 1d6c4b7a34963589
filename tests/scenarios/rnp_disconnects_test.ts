/*
 * A thousand times the connection between two nodes breaks, at any byte. Every message arrives once and in the order of its channel.
 */
import { assert, assertEquals } from "../_assert.ts";
import { Pair } from "../../cluster/protocol/_pair.ts";

const CUTS = 1000;
const CHANNELS = ["main", "other", "third"];

for (const seed of [1, 2, 3]) {
  Deno.test(`exactly once: ${CUTS} disconnects, both ways, in three channels, with slow handlers (seed ${seed})`, () => {
    const pair = new Pair({
      seed,
      delayMs: 3,
      pieceBytesMax: 400,
      pools: { control: 1, peer: 2, data: 1 },
      handlingMs: (random) => random.chance(0.3) ? random.integer(40) : 0,
    });
    const { left, right, random } = pair;
    const sent = new Map<string, number>();
    const ids: string[] = [];
    const send = () => {
      for (const side of [left, right]) {
        const channel = CHANNELS[random.integer(CHANNELS.length)];
        const key = `${side.node.nodeId}/${channel}`;
        const n = sent.get(key) ?? 0;
        sent.set(key, n + 1);
        ids.push(pair.do(side, (machine) => machine.send(pair.now, "app.note", { n }, { channel })));
      }
      if (pair.cuts < CUTS) pair.at(random.integer(12), send);
    };
    const breakUp = () => {
      pair.cut();
      if (pair.cuts < CUTS) pair.at(10 + random.integer(120), breakUp);
    };
    send();
    breakUp();
    pair.run(() => pair.cuts >= CUTS, 1e7);
    pair.run(() => left.settled.size + right.settled.size === ids.length, 60_000);

    assert(pair.cuts >= CUTS && ids.length > 1000, `${pair.cuts} cuts, ${ids.length} messages`);
    for (const [from, to] of [[left, right], [right, left]]) {
      for (const channel of CHANNELS) {
        const expected = Array.from({ length: sent.get(`${from.node.nodeId}/${channel}`)! }, (_, n) => n);
        assertEquals(to.notes(channel), expected, `from ${from.node.nodeId} in ${channel}`);
      }
      assertEquals(from.settled.size, ids.length / 2);
      assertEquals(Array.from(from.settled.values()).filter((fault) => fault), []);
      assertEquals(from.machine.pendingBytes, 0);
      // The breaks were of consequence: without the numbers there would have been messages twice.
      assert(from.machine.counters.duplicates > 0, "no message came twice: the breaks have tested nothing");
    }
  });
}
