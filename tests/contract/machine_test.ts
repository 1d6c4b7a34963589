/*
 * What every machine keeps to, whichever it is: drained it says nothing more, calls that come early do nothing, time and chance come from
 * outside alone, and its end is an end.
 */
import { assert, assertEquals, assertNotEquals } from "../_assert.ts";
import { AskKind } from "../../codec/grant.ts";
import { drain } from "../../core/machine.ts";
import type { Machine } from "../../core/machine.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import { FinderMachine } from "../../transport/protocol/finder.ts";
import { PullerMachine } from "../../transport/protocol/puller.ts";
import {
  expectWhole,
  exposedOf,
  exposerAddress,
  pullerAddress,
  simExposure,
  simTransfer,
} from "../sim/transfer.ts";
import { seededRandom } from "../sim/random.ts";

const exposure = await simExposure(1, 300_000);
const { engine, staticKey, staticPrivate, sealed } = exposure;

function exposer(seed = 1, now = 1000): ExposerMachine {
  const machine = new ExposerMachine(now, {
    engine,
    staticPrivate,
    random: seededRandom(seed, "exposer").bytes,
  });
  machine.add(exposedOf(exposure, () => "open"));
  return machine;
}

function puller(seed = 1, now = 1000): PullerMachine {
  const random = seededRandom(seed, "puller").bytes;
  return new PullerMachine(now, {
    engine,
    random,
    staticPrivate: random(32),
    exposureId: sealed.id,
    exposerKey: staticKey,
    addresses: [exposerAddress],
    burstPacketsMax: 80,
    timeoutMs: 5000,
    handshakeTimeoutMs: 5000,
  });
}

function finder(seed = 1, now = 1000): FinderMachine {
  const random = seededRandom(seed, "finder").bytes;
  return new FinderMachine(now, {
    engine,
    random,
    staticPrivate: random(32),
    ask: { kind: AskKind.NAME, name: "simulated" },
    addresses: [exposerAddress],
    timeoutMs: 5000,
  });
}

/** Those that begin by themselves, and fail when nobody answers. */
const askers = [puller, finder] as const;

function outputs<Output>(machine: Machine<Output>): Output[] {
  const all: Output[] = [];
  drain(machine, (output) => all.push(output));
  return all;
}

Deno.test("machines: drained, there is nothing more; a timeout before its time changes nothing", () => {
  for (const machine of [exposer(), puller(), finder()]) {
    outputs<unknown>(machine);
    for (let i = 0; i < 50 && machine.deadline < Infinity; i++) {
      const { deadline } = machine;
      machine.handleTimeout(Math.max(1000, deadline - 0.001));
      assertEquals(machine.poll(), undefined);
      assertEquals(machine.deadline, deadline);
      machine.handleTimeout(deadline);
      outputs<unknown>(machine);
      assert(!(machine.deadline <= deadline), "a timeout that was handled is not due again");
    }
  }
});

Deno.test("machines: deadlines are reached exactly, at times whose fractions cannot be written exactly", () => {
  for (let i = 0; i < 300; i++) {
    const start = i / 7 + i * i * 0.1;
    for (const make of askers) {
      const machine: Machine<{ readonly kind: string }> = make(1, start);
      outputs(machine);
      let [steps, failed] = [0, false];
      for (; machine.deadline < Infinity; steps++) {
        assert(steps < 100, `it spins from ${start}`);
        machine.handleTimeout(machine.deadline);
        failed = outputs(machine).some((output) => output.kind === "failed");
      }
      assert(failed);
    }
  }
});

Deno.test("machines: the same time and chance give the same, other chance gives other bytes", () => {
  const first = (machine: PullerMachine | FinderMachine) => {
    const output = machine.poll();
    assert(output?.kind === "send");
    return output.bytes;
  };
  for (const make of askers) {
    assertEquals(first(make()), first(make()));
    assertNotEquals(first(make(2)), first(make()));
  }
  const packet = first(puller());
  const answer = (seed: number) => {
    const machine = exposer(seed);
    machine.handleDatagram(1001, pullerAddress, packet);
    const sent = outputs(machine).find((output) => output.kind === "send");
    assert(sent?.kind === "send");
    return sent.bytes;
  };
  assertEquals(answer(1), answer(1));
  assertNotEquals(answer(1), answer(2));
});

Deno.test("machines: a puller that has ended says nothing more, whatever comes", () => {
  const { world, puller: whole, exposer: other } = simTransfer(1, exposure);
  const heard: Uint8Array[] = [];
  other.tap = (_to, bytes) => heard.push(bytes.slice());
  world.run(() => whole.ended, 10_000);
  expectWhole(whole, exposure);
  const failed = puller();
  outputs(failed);
  for (let i = 0; i < 100 && failed.deadline < Infinity; i++) {
    failed.handleTimeout(failed.deadline);
    outputs(failed);
  }
  for (const machine of [whole.machine, failed]) {
    assertEquals(machine.deadline, Infinity);
    for (const bytes of heard) machine.handleDatagram(world.now + 10_000, exposerAddress, bytes);
    machine.handleTimeout(world.now + 1e9);
    machine.handleOpened(world.now + 1e9, 0, false);
    assertEquals(outputs(machine).filter((output) => output.kind !== "pageDone"), []);
    assertEquals(machine.deadline, Infinity);
  }
});

Deno.test("machines: a finder that has ended says nothing more, whatever comes", () => {
  const [found, failed, answers] = [finder(), finder(), exposer()];
  const heard: Uint8Array[] = [];
  // Its questions, the first for a cookie, and what comes of them.
  for (let i = 0; i < 3; i++) {
    for (const output of outputs(found)) {
      assert(output.kind === "send");
      answers.handleDatagram(1001, pullerAddress, output.bytes);
    }
    for (const output of outputs(answers)) {
      if (output.kind !== "send") continue;
      heard.push(output.bytes.slice());
      found.handleDatagram(1002, exposerAddress, output.bytes);
    }
  }
  assertEquals(outputs(found).map(({ kind }) => kind), ["found"]);
  for (let i = 0; i < 100 && failed.deadline < Infinity; i++) {
    failed.handleTimeout(failed.deadline);
    outputs(failed);
  }
  for (const machine of [found, failed]) {
    assertEquals(machine.deadline, Infinity);
    for (const bytes of heard) machine.handleDatagram(9000, exposerAddress, bytes);
    machine.handleTimeout(1e9);
    assertEquals([outputs(machine), machine.deadline], [[], Infinity]);
  }
});
