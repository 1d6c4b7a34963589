/*
 * A transfer goes on while strangers' sockets send to both of its ports: forged symbols, refusals, manifests and completions, those of
 * somebody who sees every packet of the puller among them, and a flood of random datagrams. Everything runs in this process, so that the
 * counters of both machines can be read; the packets go through real sockets.
 */
import { complete, CompleteReason, refusal, RefusalReason } from "../../codec/control.ts";
import { chunkDataPiece, PacketType, TAG_BYTES, WORD_BYTES, writeWord } from "../../codec/packet.ts";
import { parseTicket } from "../../codec/ticket.ts";
import { systemRandom } from "../../core/machine.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { expose } from "../../transport/expose.ts";
import type { Exposure } from "../../transport/expose.ts";
import { type Address, type Datagrams, type Link, segmentAt } from "../../transport/link/link.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { PullerShell } from "../../transport/puller_shell.ts";
import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";

const HOST = "127.0.0.1";
const CHUNK_BYTES = 65_536;
const BYTES = 128 * CHUNK_BYTES;
/** So slow is a transfer made that it lasts for so long: time to attack it. */
const SECONDS = 2;
const FLOOD_SECONDS = 4;
/** So long takes somebody who is nearer to forge what he has seen. */
const FORGING_MS = 3;
const SEED = 7;
const TRANSFER_MS_MAX = 120_000;

/** What a stranger knows: where both sides are, and, when it sees the network, what passes there. */
interface Target {
  readonly puller: Address;
  readonly exposer: Address;
  /** The last symbol that the puller received, copied. */
  seen(): Uint8Array | undefined;
}
/** Packets to send next, to one side; none yet when there is nothing to forge from. */
type Forger = (target: Target, random: (length: number) => Uint8Array) => {
  readonly peer: Address;
  readonly packets: readonly Uint8Array[];
} | undefined;

interface Attack {
  readonly name: string;
  readonly forge: Forger;
  /** Datagrams to get rid of before the transfer may end. */
  readonly datagrams: number;
  /** How the side that is attacked counts what it dropped. */
  readonly counted: { readonly side: "puller" | "exposer"; readonly reasons: readonly string[] };
  /** How long the transfer lasts. */
  readonly seconds?: number;
  /** Of what was sent, so much is seen to be dropped at least: a flood also overruns the system's buffer. */
  readonly countedMin: number;
  /** What is forged from a symbol arrives before that symbol does. */
  readonly isNearer?: boolean;
}

const blind: Attack[] = [
  {
    name: "forged symbols with invented tags",
    datagrams: 2000,
    countedMin: 500,
    counted: { side: "puller", reasons: ["wrong tag"] },
    forge: ({ puller }, random) => ({
      peer: puller,
      packets: [symbol(random(TAG_BYTES), 0, random(1428)), symbol(random(TAG_BYTES), 1, random(1428))],
    }),
  },
  {
    name: "forged completions",
    datagrams: 2000,
    countedMin: 500,
    counted: { side: "puller", reasons: ["wrong tag"] },
    forge: ({ puller }, random) => ({
      peer: puller,
      packets: [withdrawn(random(8), random(16), random(8))],
    }),
  },
  {
    name: "forged manifests",
    datagrams: 2000,
    countedMin: 500,
    counted: { side: "puller", reasons: ["unexpected"] },
    forge: ({ puller }, random) => ({ peer: puller, packets: [manifest(random(88 + 64))] }),
  },
  {
    name: "forged packets of every type at the exposer",
    datagrams: 2000,
    countedMin: 500,
    counted: { side: "exposer", reasons: [] },
    forge: ({ exposer }, random) => ({ peer: exposer, packets: everyType(random) }),
  },
  {
    name: "50,000 random datagrams at the puller",
    datagrams: 50_000,
    seconds: FLOOD_SECONDS,
    countedMin: 5000,
    counted: { side: "puller", reasons: ["malformed", "other version"] },
    forge: ({ puller }, random) => ({ peer: puller, packets: noise(random) }),
  },
  {
    name: "50,000 random datagrams at the exposer",
    datagrams: 50_000,
    seconds: FLOOD_SECONDS,
    countedMin: 5000,
    counted: { side: "exposer", reasons: ["malformed", "other version"] },
    forge: ({ exposer }, random) => ({ peer: exposer, packets: noise(random) }),
  },
];

/** By somebody who sees the puller's packets and so knows its flow tag, but not its keys. */
const seeing: Attack[] = [
  {
    name: "refusals of all kinds with the right tag, from somebody who sees it",
    datagrams: 500,
    countedMin: 50,
    counted: { side: "puller", reasons: ["wrong mac"] },
    forge: ({ puller, seen }, random) =>
      forgeFrom(seen(), (tag) => ({
        peer: puller,
        packets: [
          ...Object.values(RefusalReason).map((field) => refusal.encode({ echo: tag }, { field })),
          refusal.encode({ echo: tag }, { field: RefusalReason.SOURCE_CHANGED }, () => random(8)),
        ],
      })),
  },
  {
    name: "completions with the right tag, from somebody who sees it",
    datagrams: 500,
    countedMin: 100,
    counted: { side: "puller", reasons: ["wrong mac"] },
    forge: ({ puller, seen }, random) =>
      forgeFrom(seen(), (tag) => ({ peer: puller, packets: [withdrawn(tag, random(16), random(8))] })),
  },
];

for (const attack of [...blind, ...seeing]) {
  Deno.test(`a transfer survives ${attack.name}`, async () => void await underAttack(attack));
}

Deno.test("a symbol forged by somebody who sees the flow costs one chunk, and spoils nothing", async () => {
  const pieces = new Set<number>();
  const drops = await underAttack({
    name: "forged symbols",
    isNearer: true,
    datagrams: 16,
    countedMin: 1,
    counted: { side: "puller", reasons: ["wrong chunk"] },
    forge: ({ puller, seen }) => {
      const packet = seen();
      // A source that is wrong about one piece again and again is given up: forge once for each.
      if (!packet || pieces.has(chunkDataPiece(packet))) return undefined;
      pieces.add(chunkDataPiece(packet));
      packet[packet.length - 1] ^= 1;
      const packets = Array.from({ length: 40 }, (_, index) => packet.with(3, index));
      return { peer: puller, packets };
    },
  });
  assertLessOrEqual(drops["wrong chunk"], pieces.size);
});

/** Runs a transfer that lasts as long as the attack does, compares, and answers with what the attacked side has dropped. */
async function underAttack(attack: Attack): Promise<Readonly<Record<string, number>>> {
  const { counted, countedMin, seconds = SECONDS } = attack;
  const source = systemRandom(BYTES);
  await using exposure = await expose(source, { host: HOST, port: 0 });
  using link = new SeeingLink(await openLink({ host: HOST, port: 0 }), attack.isNearer);
  using stranger = await openLink({ host: HOST, port: 0 });
  const pulled = new Uint8Array(BYTES);
  const attacked = Promise.withResolvers<void>();
  const shell = pullerOf(exposure, link, { into: pulled, attacked: attacked.promise, rate: BYTES / seconds });
  const timer = setTimeout(() => shell.stop(new Error("the transfer takes too long")), TRANSFER_MS_MAX);
  try {
    const running = shell.run();
    // It is awaited below; until then nobody looks at it.
    running.catch(() => {});
    const target: Target = { puller: link.local, exposer: exposure.address, seen: () => link.seen };
    const sent = await attackWith(attack, target, stranger, () => shell.machine.progress.done);
    attacked.resolve();
    await running;
    console.log(`${sent} hostile datagrams`);
  } finally {
    clearTimeout(timer);
    attacked.resolve();
  }
  assertEquals(pulled, source);
  const drops = counted.side === "puller" ? shell.machine.drops.all() : exposure.stats().drops;
  console.log(`${counted.side}'s drops: ${JSON.stringify(drops)}`);
  const known = Object.entries(drops).filter(([reason]) =>
    counted.reasons.length === 0 || counted.reasons.includes(reason)
  );
  assertGreaterOrEqual(known.reduce((sum, [, count]) => sum + count, 0), countedMin);
  for (const reason of counted.reasons) assertGreater(drops[reason] ?? 0, 0, reason);
  return drops;
}

/** Attacks from the first chunk to the last but one, and goes on until it has sent as much as it wants; answers with how much. */
async function attackWith(
  { forge, datagrams }: Attack,
  target: Target,
  stranger: Link,
  done: () => number,
): Promise<number> {
  const random = seededRandom(SEED, "attack").bytes;
  const end = performance.now() + TRANSFER_MS_MAX;
  let sent = 0;
  while (done() < BYTES - CHUNK_BYTES || sent < datagrams) {
    assert(performance.now() < end, `the transfer stands at ${done()} bytes after ${sent} datagrams`);
    const next = done() > 0 ? forge(target, random) : undefined;
    for (const bytes of next?.packets ?? []) {
      await stranger.send({ peer: next!.peer, bytes, segmentSize: Math.max(1, bytes.length) });
      sent++;
    }
    // The puller works in this thread too: an attack must leave it room, or nothing would be running.
    await turn();
  }
  return sent;
}

/** A puller whose machine can be looked at. Its last chunk is held back until the attack is over. */
function pullerOf(
  exposure: Exposure,
  link: Link,
  { into, attacked, rate }: { into: Uint8Array; attacked: Promise<void>; rate: number },
): PullerShell {
  const engine = defaultEngine();
  const { exposureId, exposerKey, secret, addresses } = parseTicket(exposure.ticket);
  const psk = ticketPsk(engine, secret!);
  let written = 0;
  return new PullerShell(link, {
    engine,
    random: systemRandom,
    staticPrivate: systemRandom(32),
    exposureId,
    exposerKey,
    ticket: { id: ticketId(engine, psk), psk },
    addresses,
    burstPacketsMax: link.burstPacketsMax,
    limitRate: rate,
    timeoutMs: 30_000,
    handshakeTimeoutMs: 10_000,
  }, {
    granted: () => ({
      write: (chunk, bytes) => {
        into.set(bytes, chunk * CHUNK_BYTES);
        written++;
        return written === exposure.chunks ? attacked : undefined;
      },
    }),
    stalled: () => {},
  });
}

/** A link that somebody reads along at, who may be nearer than the exposer. */
class SeeingLink implements Link {
  readonly #link: Link;
  readonly #isNearer: boolean;
  #seen: Uint8Array | undefined;

  constructor(link: Link, isNearer = false) {
    this.#link = link;
    this.#isNearer = isNearer;
  }

  /** A copy of the last symbol that came in. */
  get seen(): Uint8Array | undefined {
    return this.#seen?.slice();
  }

  get kind(): string {
    return this.#link.kind;
  }

  get local(): Address {
    return this.#link.local;
  }

  get payloadBytesMax(): number {
    return this.#link.payloadBytesMax;
  }

  get burstPacketsMax(): number {
    return this.#link.burstPacketsMax;
  }

  get stats(): Link["stats"] {
    return this.#link.stats;
  }

  send(datagrams: Datagrams): Promise<void> {
    return this.#link.send(datagrams);
  }

  async receive(): Promise<readonly Datagrams[]> {
    const batch = await this.#link.receive();
    const symbol = batch.map((datagrams) => segmentAt(datagrams, 0)).findLast((bytes) =>
      bytes.length > 1000 && (bytes[0] & 15) === PacketType.CHUNK_DATA
    );
    if (symbol) this.#seen = symbol.slice();
    if (!symbol || !this.#isNearer) return batch;
    const late = batch.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.slice() }));
    await new Promise((resolve) => setTimeout(resolve, FORGING_MS));
    return [...this.#link.receiveNow?.() ?? [], ...late];
  }

  close(): void {
    this.#link.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function symbol(tag: Uint8Array, piece: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(24 + payload.length);
  writeWord(packet, PacketType.CHUNK_DATA, 0, 0);
  packet.set(tag, WORD_BYTES);
  new DataView(packet.buffer).setUint32(16, piece);
  packet.set(payload, 24);
  return packet;
}

function withdrawn(tag: Uint8Array, label: Uint8Array, mac: Uint8Array): Uint8Array {
  return complete.encode({ tag, label }, { field: CompleteReason.WITHDRAWN }, () => mac);
}

function manifest(body: Uint8Array): Uint8Array {
  const packet = new Uint8Array(WORD_BYTES + body.length);
  writeWord(packet, PacketType.EXPOSE_MANIFEST, 0, 0);
  packet.set(body, WORD_BYTES);
  return packet;
}

/** One packet of each of the 16 types, with nonsense after the word. */
function everyType(random: (length: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: 16 }, (_, type) => {
    const packet = random(40 + type * 60);
    writeWord(packet, type, packet[1], (packet[2] << 8) | packet[3]);
    return packet;
  });
}

function noise(random: (length: number) => Uint8Array): Uint8Array[] {
  return Array.from({ length: 32 }, () => {
    const [high, low] = random(2);
    // Mostly short ones, for the sake of the time that a seeded generator takes; some of a full packet's size.
    return random(high < 8 ? 1400 + low : low % 64);
  });
}

function forgeFrom<Result>(
  seen: Uint8Array | undefined,
  forge: (tag: Uint8Array) => Result,
): Result | undefined {
  return seen && forge(seen.slice(WORD_BYTES, WORD_BYTES + TAG_BYTES));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
