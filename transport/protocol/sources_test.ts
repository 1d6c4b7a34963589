import { AskKind } from "../../codec/grant.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { assertEquals } from "../../tests/_assert.ts";
import type { Flow } from "./flow.ts";
import { Sources } from "./sources.ts";

const { bytes: random } = seededRandom(3);

/** An exposer and an edge for it, which has answered handshakes and nothing else. */
function two(): Sources {
  const addresses = [{ host: "192.0.2.1", port: 9000 }];
  return new Sources(0, [{ addresses }, { addresses, isEdge: true }], {
    engine: nativeEngine,
    random,
    staticPrivate: random(32),
    ask: (ticketId) => ({ kind: AskKind.ID, exposureId: new Uint8Array(32), ticketId }),
  });
}

Deno.test("exposers are spared while an edge is heard, or has only not been listened to", () => {
  const cases: readonly [string, { now: number; underWay: number; silentTimeouts: number }, boolean][] = [
    ["just begun", { now: 0, underWay: 0, silentTimeouts: 0 }, true],
    ["not heard for long, and nothing asked for", { now: 5000, underWay: 0, silentTimeouts: 0 }, false],
    ["what it was asked for is not overdue", { now: 5000, underWay: 9, silentTimeouts: 0 }, true],
    ["silent", { now: 5000, underWay: 9, silentTimeouts: 1 }, false],
    ["silent, and heard a moment ago", { now: 1000, underWay: 9, silentTimeouts: 1 }, true],
  ];
  for (const [what, { now, ...state }, expected] of cases) {
    const sources = two();
    const [exposer, edge] = sources.all;
    exposer.flow = { silentTimeouts: 0, underWay: 0 } as unknown as Flow;
    edge.flow = state as unknown as Flow;
    assertEquals(sources.canSpare(now, exposer), expected, what);
  }
});
