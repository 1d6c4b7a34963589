import type { Address } from "../../codec/address.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../_assert.ts";
import { type SimHost, simSeeds, World } from "./world.ts";

const a = { host: "192.0.2.1", port: 1000 };
const b = { host: "192.0.2.2", port: 2000 };

/** Keeps what arrives, and lets a test say what it does. */
class Recorder implements SimHost {
  readonly address: Address;
  readonly log: [number, number][] = [];
  due = Infinity;
  onTimeout: (now: number) => void = () => this.due = Infinity;

  constructor(address: Address) {
    this.address = address;
  }

  deliver(now: number, _from: Address, bytes: Uint8Array): void {
    this.log.push([now, bytes[0]]);
  }

  deadline(): number {
    return this.due;
  }

  timeout(now: number): void {
    this.onTimeout(now);
  }
}

/** A client that repeats its question until it is answered: the smallest protocol that survives loss. */
class Asker extends Recorder {
  readonly #world: World;
  asked = 0;

  constructor(world: World) {
    super(a);
    this.#world = world;
    this.due = 0;
    this.onTimeout = (now) => {
      this.asked++;
      this.#world.send(a, b, Uint8Array.of(this.asked));
      this.due = now + 200;
    };
  }

  override deliver(now: number, from: Address, bytes: Uint8Array): void {
    super.deliver(now, from, bytes);
    this.due = Infinity;
  }
}

Deno.test("world: a question that is repeated gets through 30 % loss, in the time that it must take", () => {
  for (const seed of simSeeds(1, 2, 3, 4, 5, 6, 7, 8)) {
    const world = new World({ seed, path: { delayMs: 20, lossRate: 0.3 } });
    const asker = new Asker(world);
    const server = new Recorder(b);
    const record = server.deliver.bind(server);
    server.deliver = (now, from, bytes) => {
      record(now, from, bytes);
      world.send(b, from, bytes);
    };
    world.add(asker);
    world.add(server);
    const time = world.run(() => asker.log.length > 0, 20_000);
    assertEquals(time, 200 * (asker.log[0][1] - 1) + 40);
  }
});

Deno.test("world: events of one time happen in the order of their making, before timeouts", () => {
  const world = new World({ seed: 1 });
  const order: string[] = [];
  const host = new Recorder(b);
  host.due = 5;
  host.onTimeout = () => {
    order.push("timeout");
    host.due = Infinity;
  };
  host.deliver = (_now, _from, bytes) => order.push(`packet ${bytes[0]}`);
  world.add(host);
  for (const time of [7, 5, 6, 5]) world.at(time, () => order.push(`action ${time}`));
  world.at(5, () => world.send(a, b, Uint8Array.of(1)));
  world.run(() => order.length === 6, 100);
  assertEquals(order, ["action 5", "action 5", "packet 1", "timeout", "action 6", "action 7"]);
});

Deno.test("world: the heap gives 2000 times back in order", () => {
  const world = new World({ seed: 1 });
  const seen: number[] = [];
  for (let i = 0; i < 2000; i++) world.at((i * 7919) % 2003, () => seen.push(world.now));
  world.run(() => seen.length === 2000, 3000);
  assertEquals(seen, seen.toSorted((x, y) => x - y));
});

Deno.test("world: a host that crashed gets nothing, its address can be taken again", () => {
  const world = new World({ seed: 1, path: { delayMs: 10 } });
  const [before, after] = [new Recorder(b), new Recorder(b)];
  world.add(before);
  assertThrows(() => world.add(after), TypeError, "192.0.2.2:2000");
  for (const time of [0, 20, 40]) world.at(time, () => world.send(a, b, Uint8Array.of(time)));
  world.at(15, () => world.remove(b));
  world.at(35, () => world.add(after));
  world.run(() => after.log.length > 0, 1000);
  assertEquals([before.log, after.log], [[[10, 0]], [[50, 40]]]);
});

Deno.test("world: failures carry the seed, the time and the cause", () => {
  const cause = new Error("three packets at once");
  const failing = () => {
    const world = new World({ seed: 42 });
    world.at(12.5, () => {});
    world.check(() => {
      if (world.now > 10) throw cause;
    });
    world.run(() => false, 100);
  };
  const error = assertThrows(failing, Error, "seed 42 failed at 12.500 ms, step 1: three packets at once");
  assert(error.cause === cause);
  assertStringIncludes(error.message, "SIM_SEED=42");
});

Deno.test("world: a run that cannot end says why", () => {
  const idle = new World({ seed: 1 });
  assertThrows(() => idle.run(() => false, 100), Error, "nothing is left to happen");

  const late = new World({ seed: 1 });
  late.at(101, () => {});
  assertThrows(() => late.run(() => false, 100), Error, "not met within 100 ms");

  const spinning = new World({ seed: 1 });
  const host = new Recorder(a);
  host.due = 3;
  host.onTimeout = () => {};
  spinning.add(host);
  assertThrows(() => spinning.run(() => false, 100), Error, "time stands still");

  const broken = new World({ seed: 1 });
  const lost = new Recorder(a);
  lost.due = NaN;
  broken.add(lost);
  assertThrows(() => broken.run(() => false, 100), Error, "192.0.2.1:1000 is NaN");
});

Deno.test("world: who is suspended misses nothing that its socket holds, and meets all of it at once when it wakes", () => {
  const orders = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const world = new World({ seed });
    const order: string[] = [];
    const host = new Recorder(b);
    host.due = 50;
    host.onTimeout = (now) => {
      order.push(`timeout ${now}`);
      host.due = Infinity;
    };
    host.deliver = (now, _from, bytes) => order.push(`packet ${bytes[0]} ${now}`);
    world.add(host);
    for (const time of [10, 20, 30, 40, 210]) world.at(time, () => world.send(a, b, Uint8Array.of(time)));
    world.at(15, () => world.suspend(host, 100, 2));
    // It is stopped twice; the later end holds.
    world.at(35, () => world.suspend(host, 165, 2));
    world.at(60, () => world.act(host, () => order.push("done")));
    world.run(() => order.length === 6, 1000);
    assertEquals(order[0], "packet 10 10");
    assertEquals(order[5], "packet 210 210");
    orders.add(order.slice(1, 5).join());
  }
  const packets = "packet 20 200,packet 30 200,done";
  assertEquals([...orders].sort(), [`${packets},timeout 200`, `timeout 200,${packets}`]);
});

Deno.test("world: a clock that is set forward shows its host a later time, and what has expired by it", () => {
  const world = new World({ seed: 1 });
  const host = new Recorder(b);
  const timeouts: number[][] = [];
  host.due = 500;
  host.onTimeout = (now) => {
    timeouts.push([now, world.now]);
    host.due = now + 100;
  };
  world.add(host);
  world.at(20, () => world.stepClock(host, 1000));
  world.at(30, () => world.send(a, b, Uint8Array.of(1)));
  world.run(() => timeouts.length === 2, 1000);
  assertEquals(timeouts, [[1020, 20], [1120, 120]]);
  assertEquals([host.log, world.clockOf(host), world.now], [[[1030, 1]], 1120, 120]);
});

Deno.test("world: who crashes while it is suspended does not wake", () => {
  const world = new World({ seed: 1 });
  const host = new Recorder(b);
  host.due = 5;
  world.add(host);
  world.at(1, () => world.suspend(host, 10));
  world.at(2, () => world.send(a, b, Uint8Array.of(1)));
  world.at(3, () => world.remove(b));
  world.at(20, () => {});
  world.run(() => world.now >= 20, 100);
  assertEquals([host.log, host.due], [[], 5]);
});
