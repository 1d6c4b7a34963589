/*
 * The finder's machine under packets that are noise, or an exposer's real ones damaged, doubled and out of their time: it never throws, never
 * spins, ends, and says `found` only of what the exposer has, under the exposer's key.
 */
import { assert, assertEquals, assertLessOrEqual } from "../_assert.ts";
import { AskKind } from "../../codec/grant.ts";
import { drain } from "../../core/machine.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import { FinderMachine } from "../../transport/protocol/finder.ts";
import type { FinderOutput } from "../../transport/protocol/finder.ts";
import { exposedOf, exposerAddress, pullerAddress, simExposure } from "../sim/transfer.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";

const SEEDS = 400;
const STEPS_MAX = 2000;
const TIMEOUT_MS = 5000;
/** Outputs of one drain, and packets of one question: a forger must not make it send as often as he does. */
const OUTPUTS_MAX = 20;
const PACKETS_MAX = 200;

const exposure = await simExposure(1, 5000);
const { engine, staticKey, staticPrivate } = exposure;

type Ended = Exclude<FinderOutput, { kind: "send" | "stalled" }>;

/** One question on a bad wire, to its end. */
function ask(seed: number): Ended {
  const chance = seededRandom(seed, "finder chaos");
  const { bytes: random, integer } = chance;
  const exposer = new ExposerMachine(0, { engine, staticPrivate, random });
  exposer.add(exposedOf(exposure, () => integer(4) === 0 ? "denied" : "open"));
  const finder = new FinderMachine(0, {
    engine,
    random,
    staticPrivate: random(32),
    ...(chance.chance(0.5) && { exposerKey: staticKey }),
    ask: { kind: AskKind.NAME, name: "simulated" },
    addresses: [exposerAddress, { ...exposerAddress, port: 9001 }].slice(integer(2)),
    timeoutMs: TIMEOUT_MS,
  });
  const wire: { readonly towards: "exposer" | "finder"; readonly bytes: Uint8Array }[] = [];
  const kept: Uint8Array[] = [];
  let ended: Ended | undefined;
  let sent = 0;
  const settle = () => {
    let outputs = 0;
    drain(finder, (output) => {
      assertLessOrEqual(++outputs, OUTPUTS_MAX, "the finder spins");
      if (output.kind === "send") {
        wire.push({ towards: "exposer", bytes: output.bytes });
        assertLessOrEqual(++sent, PACKETS_MAX, "it is made to send");
      } else if (output.kind !== "stalled") {
        assertEquals(ended, undefined, "it ends once");
        ended = output;
      }
    });
    drain(exposer, (output) => {
      if (output.kind === "send") wire.push({ towards: "finder", bytes: output.bytes });
    });
  };
  settle();
  let now = 0;
  for (let step = 0; step < STEPS_MAX && finder.deadline < Infinity; step++) {
    if (wire.length > 0 && integer(3) > 0) {
      const [{ towards, bytes }] = wire.splice(integer(wire.length), 1);
      kept.push(bytes);
      const packet = chance.chance(0.2) ? damaged(bytes, chance) : bytes;
      if (towards === "exposer") exposer.handleDatagram(now, pullerAddress, packet);
      else finder.handleDatagram(now, exposerAddress, packet);
    } else if (integer(3) === 0) {
      now = Math.max(now, Math.min(finder.deadline, now + integer(400)));
      finder.handleTimeout(now);
    } else {
      const old = kept[integer(Math.max(1, kept.length))];
      const noise = random(integer(1400));
      if (noise.length > 0) noise[0] = 0x20 | integer(16);
      finder.handleDatagram(now, exposerAddress, old && integer(2) ? damaged(old, chance) : noise);
    }
    settle();
    assert(!Number.isNaN(finder.deadline));
  }
  assert(ended, "it neither finds nor fails");
  return ended;
}

function damaged(bytes: Uint8Array, { integer, chance }: SeededRandom): Uint8Array {
  if (chance(0.2)) return bytes.slice(0, integer(bytes.length + 1));
  const copy = bytes.slice();
  for (let times = integer(4); times > 0; times--) copy[integer(copy.length)] = integer(256);
  return copy;
}

Deno.test("fuzz: the finder under damaged, doubled and forged packets never throws, never spins, and ends rightly", () => {
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      const ended = ask(seed);
      if (ended.kind === "found") {
        assertEquals([ended.exposerKey, ended.grant.manifest], [staticKey, exposure.sealed.manifest]);
      } else assert(["silence", "denied", "wrong key", "version"].includes(ended.why), ended.why);
      const what = ended.kind === "found" ? "found" : ended.why;
      ends.set(what, (ends.get(what) ?? 0) + 1);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  // Otherwise the rest tests little.
  assert((ends.get("found") ?? 0) > SEEDS / 5, `found in ${ends.get("found")} of ${SEEDS}`);
  assert((ends.get("denied") ?? 0) > SEEDS / 20, `denied in ${ends.get("denied")} of ${SEEDS}`);
});
