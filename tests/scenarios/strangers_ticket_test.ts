// A ticket from a stranger names somebody who has nothing to do with it: he gets a few first messages of handshakes, ever more rarely, in which the stranger has chosen nothing.
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../_assert.ts";
import type { Address } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { expectFailure, pullerAddress, simExposure, SimPuller } from "../sim/transfer.ts";
import type { SimHost } from "../sim/world.ts";
import { simSeeds, World } from "../sim/world.ts";

/** Somebody who hears, and says nothing. */
class Victim implements SimHost {
  readonly heard: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  readonly address: Address;

  constructor(world: World, address: Address) {
    this.address = address;
    world.add(this);
  }

  deliver(at: number, _from: Address, bytes: Uint8Array): void {
    this.heard.push({ at, bytes });
  }

  deadline(): number {
    return Infinity;
  }

  timeout(): void {}
}

const host = "203.0.113.5";
const ports = Array.from({ length: limits.ticketAddressesMax }, (_, i) => ({ host, port: 53 + i }));
/** What he hears of one puller in the ten seconds of a first contact: RETRYs and answers would be larger than this. */
const BYTES_PER_SECOND_MAX = 12_000;

for (const seed of simSeeds(1, 2, 3)) {
  Deno.test(`a ticket whose eight addresses are one victim's, seed ${seed}: at most 12 kB/s, of nobody's choice`, async () => {
    const exposure = await simExposure(seed, 100_000);
    const world = new World({ seed, path: () => ({ delayMs: 20 }) });
    const victims = ports.map((address) => new Victim(world, address));
    const puller = new SimPuller(world, pullerAddress, ports[0], exposure, { addresses: ports });
    world.run(() => puller.ended, 60_000);
    expectFailure(puller, "TIMEOUT");
    const all = victims.flatMap(({ heard }) => heard);
    assertGreater(all.length, ports.length);
    const bytes = all.reduce((sum, one) => sum + one.bytes.length, 0);
    assertLessOrEqual(bytes / (puller.endedAt / 1000), BYTES_PER_SECOND_MAX);
    // Fewer and fewer: the second half of the time brings less than the first.
    assertLess(
      all.filter(({ at }) => at > puller.endedAt / 2).length,
      all.filter(({ at }) => at <= puller.endedAt / 2).length,
    );
    const { sealed, staticKey, psk, engine } = exposure;
    for (const chosen of [sealed.id, staticKey, psk, ticketId(engine, psk)]) {
      for (const one of all) {
        assert(!one.bytes.toHex().includes(chosen.toHex()), "bytes of the ticket in the open");
      }
    }
  });
}

Deno.test("a ticket from a stranger, with as many sources as one pull may ask: each is asked once a handshake", async () => {
  const exposure = await simExposure(1, 100_000);
  const world = new World({ seed: 1, path: () => ({ delayMs: 20 }) });
  const victims = ports.map((address) => new Victim(world, address));
  const { engine, staticKey, psk } = exposure;
  const facts = { addresses: ports, exposerKey: staticKey, ticket: { id: ticketId(engine, psk), psk } };
  const others = Array.from({ length: limits.pullSourcesMax - 1 }, () => facts);
  const puller = new SimPuller(world, pullerAddress, ports[0], exposure, { addresses: ports, others });
  world.run(() => puller.ended, 60_000);
  expectFailure(puller, "TIMEOUT");
  const bytes = victims.flatMap(({ heard }) => heard).reduce((sum, one) => sum + one.bytes.length, 0);
  assertLessOrEqual(bytes / (puller.endedAt / 1000), limits.pullSourcesMax * BYTES_PER_SECOND_MAX);
  assertEquals(victims.every(({ heard }) => heard.length > 0), true);
});
