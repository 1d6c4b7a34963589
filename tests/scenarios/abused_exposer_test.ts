// Somebody holds a valid ticket and means harm, to the exposer or to an address: what is sent stays within the ceilings of the design.
import { assertEquals, assertGreater, assertLessOrEqual } from "../_assert.ts";
import { limits } from "../../core/limits.ts";
import type { ExposerOptions } from "../../transport/protocol/exposer_types.ts";
import { SimAsker } from "../sim/asker.ts";
import type { PathOptions } from "../sim/path.ts";
import { seededRandom } from "../sim/random.ts";
import { exposerAddress, SimExposer, simExposure } from "../sim/transfer.ts";
import { mbit } from "../sim/weather.ts";
import { simSeeds, World } from "../sim/world.ts";

/** Three whole chunks: as many as one request may ask for. */
const ASK_BYTES = 3 * 65_536;
/** What three chunks are on the wire, less the headers of IPv4 and UDP. */
const ANSWER_BYTES = 3 * 66_664;
const PULL_RATE = 2_000_000;
const victim = { host: "198.51.100.99", port: 666 };

/** An attack under way: an asker that has a grant, and its exposer. */
interface Scene {
  readonly world: World;
  readonly exposer: SimExposer;
  readonly asker: SimAsker;
}

interface Attack {
  readonly name: string;
  readonly seconds: number;
  /** CHUNK_DATA that the exposer may send meanwhile, and what it must send for the attack to be one. */
  readonly most: number;
  readonly least: number;
  readonly path?: Partial<PathOptions>;
  readonly exposer?: Partial<ExposerOptions>;
  readonly begin: (scene: Scene) => void;
}

const attacks: readonly Attack[] = [
  {
    name: "a hundred requests a second with receipts that are made up: the floor rate",
    seconds: 30,
    most: floorBytes(30),
    least: floorBytes(20),
    begin: ({ world, asker }) => {
      const { uint32 } = seededRandom(world.seed, "receipts");
      ask(world, 10, () => asker.request(ASK_BYTES, { receipt: uint32() }), asker.address);
    },
  },
  {
    name: "the address that shook hands is somebody else's now, and all is said to arrive: " +
      "while the last receipt is fresh the ceiling of one puller, then the floor rate",
    seconds: 30,
    most: PULL_RATE * limits.receiptAgeMsMax / 1000 + limits.requestBytesMax + floorBytes(24),
    least: PULL_RATE * 4 + floorBytes(20),
    exposer: { pullRateMax: PULL_RATE },
    begin: ({ world, asker }) => {
      world.remove(asker.address);
      let received = 0;
      ask(world, 10, () => asker.request(ASK_BYTES, { received: received += ANSWER_BYTES }), asker.address);
    },
  },
  {
    name: "a puller asks for ten times its link, and says what came: at most every other five seconds",
    seconds: 60,
    path: { bytesPerSecond: mbit(10), queueMs: 50 },
    // It is looked at when the next request comes.
    most: 0.51 * 60 * ANSWER_BYTES / 0.016 + floorBytes(30),
    least: 0.25 * 60 * ANSWER_BYTES / 0.016,
    begin: ({ world, asker }) => ask(world, 16, () => asker.request(ASK_BYTES), asker.address),
  },
  {
    name: "a thousand requests at once, and then he goes: what may wait for one token, and no more",
    seconds: 30,
    most: limits.tokenQueueBytesMax + ANSWER_BYTES,
    least: limits.tokenQueueBytesMax - ANSWER_BYTES,
    exposer: { limitRate: 1_000_000 },
    begin: ({ world, asker }) => {
      for (let i = 0; i < 1000; i++) world.send(asker.address, exposerAddress, asker.request(ASK_BYTES));
      world.remove(asker.address);
    },
  },
  {
    name: "two grants of one second, asked with in turn for an address that is gone: the floor rate for each",
    seconds: 30,
    most: 2 * floorBytes(30),
    least: floorBytes(10),
    begin: ({ world, asker }) => {
      asker.shakeHands();
      let turn = 0;
      world.at(world.now + 8000, () => {
        world.remove(asker.address);
        const packet = () => asker.request(ASK_BYTES, { receipt: 1, received: 0, grant: turn++ % 2 });
        ask(world, 100, packet, asker.address);
      });
    },
  },
];

for (const { name, seconds, most, least, path, exposer: options, begin } of attacks) {
  Deno.test(name, async () => {
    for (const seed of simSeeds(1, 2)) {
      const scene = await setUp(seed, { ...path }, options);
      const { world, exposer } = scene;
      const until = world.now + seconds * 1000;
      begin(scene);
      world.at(until, () => {});
      world.run(() => world.now >= until, until + 1000);
      assertLessOrEqual(exposer.machine.bytesSent, most);
      assertGreater(exposer.machine.bytesSent, least);
    }
  });
}

Deno.test("requests in the name of an address that has not shaken hands: refusals, ten a second, and no byte more", async () => {
  for (const seed of simSeeds(1, 2)) {
    const { world, exposer, asker } = await setUp(seed);
    const until = world.now + 30_000;
    let asked = 0;
    ask(world, 10, () => {
      const packet = asker.request(ASK_BYTES);
      asked += packet.length;
      return packet;
    }, victim);
    world.run(() => world.now >= until, until + 1000);
    const refusals = 1 + 30_000 / limits.refusalIntervalMs;
    const sent = exposer.sentTo.get(victim.host)!;
    assertEquals(exposer.machine.bytesSent, 0);
    assertLessOrEqual(sent, 12 * refusals);
    assertGreater(asked, 100 * sent);
  }
});

async function setUp(
  seed: number,
  path: Partial<PathOptions> = {},
  options: Partial<ExposerOptions> = {},
): Promise<Scene> {
  const exposure = await simExposure(seed, 4_000_000);
  const world = new World({ seed, path: { delayMs: 20, jitterMs: 1, jitterKeepsOrder: true, ...path } });
  const exposer = new SimExposer(world, exposerAddress, exposure, options);
  const asker = new SimAsker(world, { host: "203.0.113.66", port: 666 }, exposure);
  world.run(() => asker.grants.length > 0, 5000);
  return { world, exposer, asker };
}

/** From now on a packet goes to the exposer every so many ms, with `from` as its sender. */
function ask(world: World, everyMs: number, packet: () => Uint8Array, from: SimAsker["address"]): void {
  world.send(from, exposerAddress, packet());
  world.at(world.now + everyMs, () => ask(world, everyMs, packet, from));
}

/** What an address gets in so many seconds that does not show that it receives: a rate, its credit, and the request that overdraws it. */
function floorBytes(seconds: number): number {
  return limits.floorBytesPerSecond * (seconds + 1 / 4) + limits.requestBytesMax;
}
