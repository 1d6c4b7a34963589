/*
 * A running exposer on loopback, in a process of its own, under datagrams that are noise, mutated, or nearly right: what it has dropped and
 * why, what it keeps, and whether it still serves.
 */
import type { Held } from "../../bench/_held.ts";
import { BenchProcess } from "../../bench/_processes.ts";
import type { Counts } from "../../bench/_counted_exposer.ts";
import type { Address } from "../../codec/address.ts";
import { AskKind } from "../../codec/grant.ts";
import { parseTicket } from "../../codec/ticket.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import type { Link } from "../../transport/link/link.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { pull } from "../../transport/mod.ts";
import { Initiator } from "../../transport/protocol/initiator.ts";
import { assert, assertEquals, assertLessOrEqual } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";
import { mutated, mutatedOf, noise } from "./_decoders.ts";

const FILE_BYTES = 1_000_000;
const SOCKETS = 8;
/** Datagrams after which the sender waits for the exposer: more would overrun the buffer in which it has what strangers send. */
const TURN = 250;
const HANDSHAKES = 50;
/** So many looks at the exposer, so far apart, that show nothing new: then nothing will come. */
const IDLE_LOOKS = 10;
const IDLE_MS = 2;

/** What came of it. */
export interface LiveSums {
  /** Datagrams that were sent. */
  readonly sent: number;
  /** Of these, those that reached the exposer: the system drops what comes faster than it is read. */
  readonly received: number;
  /** Datagrams that it dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** Packets that it sent in answer. */
  readonly answers: number;
  /** What it held after each quarter of them, its garbage collected. */
  readonly held: readonly Held[];
}

/** Sends so many datagrams. @throws {Error} when it ends, does not serve any more, or drops what it does not count */
export async function throwAtExposer(seed: number, datagrams: number): Promise<LiveSums> {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-fuzz-" });
  const random = seededRandom(seed, "datagrams");
  try {
    const content = random.bytes(FILE_BYTES);
    await Deno.writeFile(`${folder}/source`, content);
    await using exposer = new BenchProcess("bench/_counted_exposer.ts", [`${folder}/source`], {
      flags: ["--v8-flags=--expose-gc"],
    });
    const { ticket } = JSON.parse(await exposer.line()) as { ticket: string };
    const quarters: Counts[] = [];
    for (let i = 0; i < 4; i++) {
      await sendAll(exposer, ticket, Math.ceil(datagrams / 4), random);
      quarters.push(await counts(exposer, "collect"));
    }
    const { drops, link, memory } = quarters[3];
    const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
    // Whatever is not dropped is answered, and nothing is both lost and not counted.
    assertLessOrEqual(dropped, link.packetsReceived);
    assertLessOrEqual(link.packetsReceived - dropped, link.packetsSent, "a drop that was not counted");
    assertEquals([memory.liveTokens, memory.answers, memory.handshakes], [0, 0, 0]);
    await pull(ticket, { shared: false }).saveTo(`${folder}/out`);
    const same = (await Deno.readFile(`${folder}/out`)).every((byte, i) => byte === content[i]);
    assert(same, "it serves something else");
    const { packetsReceived: received, packetsSent: answers } = link;
    const held = quarters.map(({ rss, heap }) => ({ rss, heap }));
    return { sent: datagrams, received, drops, answers, held };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function counts(exposer: BenchProcess, how = "look"): Promise<Counts> {
  return await exposer.ask(how) as unknown as Counts;
}

/** Until the exposer has looked at so many datagrams in all, or nothing more comes: what the system has dropped never does. Answers with how many it has. */
async function settled(exposer: BenchProcess, expected: number): Promise<number> {
  let received = 0;
  for (let idle = 0; idle < IDLE_LOOKS; idle++) {
    const now = (await counts(exposer)).link.packetsReceived;
    if (now >= expected) return now;
    if (now > received) idle = 0;
    received = now;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  }
  return received;
}

async function sendAll(
  exposer: BenchProcess,
  ticket: string,
  datagrams: number,
  random: SeededRandom,
): Promise<void> {
  const { addresses: [peer] } = parseTicket(ticket);
  const handshakes = firstMessages(ticket, random);
  const links: Link[] = [];
  try {
    for (let i = 0; i < SOCKETS; i++) links.push(await openLink({ host: "127.0.0.1", port: 0 }));
    let received = (await counts(exposer)).link.packetsReceived;
    for (let sent = 0; sent < datagrams; sent += TURN) {
      const count = Math.min(TURN, datagrams - sent);
      for (let i = 0; i < count; i++) {
        await throwOne(links[random.integer(SOCKETS)], peer, random, handshakes);
      }
      received = await settled(exposer, received + count);
    }
    await settled(exposer, Infinity);
  } finally {
    for (const link of links) link.close();
  }
}

async function throwOne(
  link: Link,
  peer: Address,
  random: SeededRandom,
  handshakes: readonly Uint8Array[],
): Promise<void> {
  const kind = random.integer(10);
  const bytes = kind < 4
    ? noise(random)
    : kind < 8
    ? mutated(random)
    : mutatedOf(random, handshakes[random.integer(handshakes.length)]);
  await link.send({ peer, bytes, segmentSize: Math.max(1, bytes.length) });
}

/** What a puller with the ticket would begin with: right, or right but for its secret or its ID. */
function firstMessages(ticket: string, { bytes: random, chance }: SeededRandom): Uint8Array[] {
  const engine = defaultEngine();
  const { exposureId, exposerKey, secret } = parseTicket(ticket);
  const psk = ticketPsk(engine, secret!);
  return Array.from({ length: HANDSHAKES }, () =>
    new Initiator({
      engine,
      random,
      staticPrivate: random(32),
      ask: {
        kind: AskKind.ID,
        exposureId: chance(0.8) ? exposureId : random(32),
        ticketId: ticketId(engine, psk),
      },
      ...(chance(0.8) && { exposerKey }),
      ...(chance(0.5) && { exposerKey, psk: chance(0.8) ? psk : random(32) }),
    }).packet);
}
