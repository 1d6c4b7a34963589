/*
 * A puller in mid-transfer, in a process of its own, whose exposer is behind a relay: somebody on the path, who sees every packet, loses none,
 * and adds noise and damaged copies of what goes by, under the exposer's address and others.
 */
import type { Held } from "../../bench/_held.ts";
import { BenchProcess, writeRandomFile } from "../../bench/_processes.ts";
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
import type { Address } from "../../codec/address.ts";
import { segments } from "../../transport/link/link.ts";
import type { Link } from "../../transport/link/link.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { assert, assertGreater, assertLessOrEqual } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";
import type { PullerCounts } from "./_counted_puller.ts";
import { mutated, mutatedOf, noise } from "./_decoders.ts";

/** Payload of a packet on loopback. */
const SYMBOL_BYTES = 1428;
/** Datagrams after which the sender lets others work: more would overrun the puller's receive buffer. */
const TURN = 64;

/** What is thrown. */
export interface Throws {
  /** Noise, and examples of packets damaged: nothing in them is of this pull. */
  readonly strange: number;
  /** Copies of what the exposer has just sent, damaged. */
  readonly copies: number;
}

/** What came of it. */
export interface PullerSums extends Throws {
  /** Bytes that were pulled, and are the right ones. */
  readonly bytes: number;
  /** The exposer's own packets. */
  readonly relayed: number;
  /** Datagrams that reached the puller: the system drops what comes faster than it is read. */
  readonly received: number;
  /** Of these, those that it dropped, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** What it held after each quarter of the pull, its garbage collected. */
  readonly held: readonly Held[];
}

/** Throws so many at a pull that lasts until they are thrown. @throws {Error} when it does not end identical, or does not count what it drops */
export async function throwAtPuller(seed: number, throws: Throws): Promise<PullerSums> {
  const packets = Math.max(throws.strange / 10, throws.copies);
  const bytes = Math.ceil(packets * SYMBOL_BYTES);
  const folder = await Deno.makeTempDir({ prefix: "rgtp-fuzz-" });
  try {
    const source = `${folder}/source`;
    await writeRandomFile(source, bytes);
    const flags = ["--v8-flags=--expose-gc"];
    await using exposer = new BenchProcess("bench/_counted_exposer.ts", [source], { flags });
    const { ticket } = JSON.parse(await exposer.line()) as { ticket: string };
    await using relay = await Relay.open(seed, ticket, {
      strange: throws.strange / packets,
      copies: throws.copies / packets,
    });
    await using puller = new BenchProcess("tests/fuzz/_counted_puller.ts", [relay.ticket, source], { flags });
    const quarters: PullerCounts[] = [];
    for (let i = 0; i < 4; i++) quarters.push(JSON.parse(await puller.line()));
    const { drops, received } = quarters[3];
    const { relayed, strange, copies } = relay.sums;
    const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
    // What is neither of the exposer, nor perhaps taken for it, was dropped, and each of it was counted.
    assertLessOrEqual(
      received - dropped,
      relayed + copies,
      `a drop that was not counted: ${JSON.stringify({ received, dropped, relayed, copies })}`,
    );
    assertLessOrEqual(received, relayed + copies + strange);
    assertGreater(received, relayed);
    return {
      bytes,
      strange,
      copies,
      relayed,
      received,
      drops,
      held: quarters.map(({ rss, heap }) => ({ rss, heap })),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Stands between one puller and its exposer. */
class Relay implements AsyncDisposable {
  /** The exposer's, with the relay's address. */
  readonly ticket: string;
  readonly sums = { relayed: 0, strange: 0, copies: 0 };
  readonly #random: SeededRandom;
  readonly #rates: Throws;
  readonly #exposer: Address;
  /** Towards the puller, towards the exposer, and one that nobody has spoken with. */
  readonly #links: readonly [near: Link, far: Link, other: Link];
  #puller: Address | undefined;
  #turn = 0;
  readonly #running: Promise<void>;

  private constructor(seed: number, ticket: string, rates: Throws, links: readonly [Link, Link, Link]) {
    const parsed = parseTicket(ticket);
    this.#random = seededRandom(seed, "relay");
    this.#rates = rates;
    this.#links = links;
    [this.#exposer] = parsed.addresses;
    this.ticket = formatTicket({ ...parsed, addresses: [links[0].local] });
    this.#running = Promise.all([this.#towardsExposer(), this.#towardsPuller()]).then(() => {});
  }

  /** Opens one; `rates` are datagrams for each packet of the exposer. */
  static async open(seed: number, ticket: string, rates: Throws): Promise<Relay> {
    const link = () => openLink({ host: "127.0.0.1", port: 0 });
    return new Relay(seed, ticket, rates, [await link(), await link(), await link()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const link of this.#links) link.close();
    await this.#running;
  }

  async #towardsExposer(): Promise<void> {
    const [near, far] = this.#links;
    for (let batch = await near.receive(); batch.length > 0; batch = await near.receive()) {
      for (const datagrams of batch) {
        this.#puller ??= datagrams.peer;
        await sendOrEnd(far, { ...datagrams, peer: this.#exposer });
      }
    }
  }

  async #towardsPuller(): Promise<void> {
    const [near, far, other] = this.#links;
    for (let batch = await far.receive(); batch.length > 0; batch = await far.receive()) {
      const peer = this.#puller;
      assert(peer, "an exposer speaks first");
      for (const datagrams of batch) {
        await sendOrEnd(near, { ...datagrams, peer });
        for (const packet of segments(datagrams)) {
          this.sums.relayed++;
          const { strange, copies, relayed } = this.sums;
          for (let due = relayed * this.#rates.copies - copies; due >= 1; due--, this.sums.copies++) {
            await this.#throw(near, mutatedOf(this.#random, packet));
          }
          for (let due = relayed * this.#rates.strange - strange; due >= 1; due--, this.sums.strange++) {
            const bytes = this.#random.chance(0.5) ? noise(this.#random) : mutated(this.#random);
            await this.#throw(this.#random.chance(0.5) ? near : other, bytes);
          }
        }
      }
    }
  }

  async #throw(link: Link, bytes: Uint8Array): Promise<void> {
    await sendOrEnd(link, { peer: this.#puller!, bytes, segmentSize: Math.max(1, bytes.length) });
    if (++this.#turn % TURN === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** The relay is closed while it is at work: that is how it ends. */
async function sendOrEnd(link: Link, datagrams: Parameters<Link["send"]>[0]): Promise<void> {
  await link.send(datagrams).catch(() => {});
}
