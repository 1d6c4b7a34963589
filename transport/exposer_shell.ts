import { AnswerTrain, packetsFor } from "./answer_train.ts";
import type { Serve } from "./answer_train.ts";
import { CHUNK_HEADER_BYTES, stampChunkHeader } from "../codec/packet.ts";
import { segmentCount } from "./link/link.ts";
import type { Address } from "../codec/address.ts";
import type { Clock } from "../core/machine.ts";
import { Drive, processClock } from "./drive.ts";
import type { ChunkStore } from "./exposure/store.ts";
import type { ServingStats } from "./exposure_stats.ts";
import type { Link } from "./link/link.ts";
import type { Exposed } from "./protocol/exposed.ts";
import { ExposerMachine } from "./protocol/exposer.ts";
import type { ExposerOptions, ExposerOutput } from "./protocol/exposer_types.ts";
import { StrangersDoor } from "./strangers_door.ts";

/** What is sent one after the other: packets of pieces, and what says which of them have gone out. */
type Departure = Extract<ExposerOutput, { kind: "serve" | "cast" | "status" }>;
/** Marks how far sends have come. */
interface Mark {
  readonly kind: "mark";
  reached(): void;
}
/** What happens at an exposer that its owner may want to know. */
export type ExposerEvent = Extract<ExposerOutput, { kind: "granted" | "left" }>;

/** An exposer's machine on a link: sends what it says, from stores. */
export class ExposerShell {
  /** The machine; change it through {@linkcode ExposerShell.mutate}. */
  readonly machine: ExposerMachine;
  /** Its socket. */
  readonly link: Link;
  readonly #drive: Drive<ExposerOutput>;
  readonly #door: StrangersDoor;
  readonly #clock: Clock;
  readonly #onEvent: (event: ExposerEvent) => void;
  readonly #stores = new Map<Exposed, ChunkStore>();
  /** Those that send to the multicast groups of exposures. */
  readonly #groupLinks = new Map<Exposed, Link>();
  /** Bytes of chunks handed out of each. */
  readonly #sent = new Map<Exposed, number>();
  readonly #departures: (Departure | Mark)[] = [];
  readonly #train = new AnswerTrain();
  readonly #controls = new Set<Promise<void>>();
  #sending = false;
  #casts: Promise<void> = Promise.resolve();

  /** Takes over the link. */
  constructor(
    link: Link,
    options: ExposerOptions,
    onEvent: (event: ExposerEvent) => void,
    clock: Clock = processClock,
  ) {
    this.link = link;
    this.machine = new ExposerMachine(clock(), options);
    this.#clock = clock;
    this.#onEvent = onEvent;
    this.#drive = new Drive(link, this.machine, (output) => this.#perform(output), clock);
    const feed = this.#drive.feed.bind(this.#drive);
    const counts = () => ({ served: this.machine.bytesSent, granted: this.machine.handshakes.granted });
    this.#door = new StrangersDoor(link.strangers ?? [], feed, counts, clock);
  }

  /** Serves until it is closed. @throws {RgtpError} SOCKET when the socket dies */
  async run(): Promise<void> {
    await Promise.all([this.#drive.run(), this.#door.run()]);
  }

  /** Monotonic ms, as the machine sees it. */
  now(): number {
    return this.#clock();
  }

  /** What machine and socket have counted. */
  stats(): Pick<ServingStats, "bytesSent" | "handshakes" | "drops" | "memory" | "link"> {
    const { bytesSent, handshakes, drops, memory } = this.machine;
    return { bytesSent, handshakes: { ...handshakes }, drops: drops.all(), memory, link: this.link.stats };
  }

  /** Starts to serve an exposure; one with a group sends to that over a link of its own, which is the shell's from now on. */
  add(exposed: Exposed, store: ChunkStore, groupLink?: Link): void {
    this.#stores.set(exposed, store);
    if (groupLink) this.#groupLinks.set(exposed, groupLink);
    this.#drive.mutate(() => this.machine.add(exposed));
  }

  /** Withdraws an exposure, tells those who are pulling it, and closes its store; the others go on. Twice is fine. */
  async remove(exposed: Exposed): Promise<void> {
    if (!this.#stores.has(exposed)) return;
    this.#drive.mutate((now) => this.machine.withdraw(now, exposed.id));
    await Promise.all(this.#controls);
    // What is on its way of it lies in its store.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#enqueue({ kind: "mark", reached: resolve });
    await promise;
    this.#groupLinks.get(exposed)?.close();
    this.#groupLinks.delete(exposed);
    this.#stores.get(exposed)?.close();
    this.#stores.delete(exposed);
  }

  /** Bytes of chunks of an exposure that were handed out so far, headers included. */
  bytesSent(exposed: Exposed): number {
    return this.#sent.get(exposed) ?? 0;
  }

  /** Lets no newcomer in any more. */
  drain(): void {
    this.#drive.mutate(() => this.machine.drain());
  }

  /** What is here of an exposure has changed. */
  noteHoldings(): void {
    this.#drive.mutate((now) => this.machine.handleHoldings(now));
  }

  /** Ends the pulls of a ticket. */
  revoke(ticketId: Uint8Array): void {
    this.#drive.mutate((now) => this.machine.revoke(now, ticketId));
  }

  /** Withdraws everything, tells those who are pulling, and closes link and stores. */
  async close(): Promise<void> {
    for (const exposed of this.#stores.keys()) {
      this.#drive.mutate((now) => this.machine.withdraw(now, exposed.id));
    }
    await Promise.all(this.#controls);
    await this.#casts;
    this.#drive.close();
    this.#door.close();
    this.link.close();
    for (const link of this.#groupLinks.values()) link.close();
    for (const store of this.#stores.values()) store.close();
    this.#stores.clear();
  }

  #perform(output: ExposerOutput): void {
    if (output.kind === "send") this.#sendControl(output.to, output.bytes);
    else if (output.kind === "granted" || output.kind === "left") this.#onEvent(output);
    else {
      if (output.kind === "serve") this.#count(output.puller.exposed, output.bytes);
      else if (output.kind === "cast") this.#count(output.exposed, output.cast.bytes);
      this.#enqueue(output);
    }
  }

  #count(exposed: Exposed, bytes: number): void {
    this.#sent.set(exposed, this.bytesSent(exposed) + bytes);
  }

  #enqueue(next: Departure | Mark): void {
    this.#departures.push(next);
    if (!this.#sending) this.#casts = this.#depart();
  }

  #sendControl(peer: Address, bytes: Uint8Array): void {
    const sent = this.link.send({ peer, bytes, segmentSize: bytes.length })
      // A dead socket shows in `run`, which ends with the reason.
      .catch(() => {}).finally(() => this.#controls.delete(sent));
    this.#controls.add(sent);
  }

  /** Sends one after the other, from when all that has just arrived was looked at: so pullers have their turns. */
  async #depart(): Promise<void> {
    this.#sending = true;
    try {
      await undefined;
      for (let next = this.#departures.shift(); next; next = this.#departures.shift()) {
        if (next.kind === "mark") next.reached();
        else if (next.kind === "serve") {
          const waiting = this.#serve(next);
          // Without a turn in between, where nothing has to be waited for: the link may nap in the next one.
          if (waiting) await waiting;
        } else {
          const ok = await (next.kind === "cast" ? this.#sendCast(next) : this.#sendStatus(next));
          const { exposed } = next;
          if (next.kind === "cast") this.#drive.mutate((now) => this.machine.handleCast(now, exposed, ok));
        }
      }
    } catch {
      // The socket is dead or closed: `run` ends with the reason.
      for (const left of this.#departures.splice(0)) if (left.kind === "mark") left.reached();
    } finally {
      this.#sending = false;
    }
  }

  /** Sends an answer, and with it those behind it to the same request. */
  #serve(first: Serve): Promise<void> | undefined {
    const { puller } = first;
    const oks = [this.#load(first)];
    for (let next = this.#departures[0]; next?.kind === "serve"; next = this.#departures[0]) {
      // What has to be made first may take the place of what is in the train.
      const store = this.#stores.get(next.puller.exposed);
      if (!this.#train.takes(next) || !store?.isAtHand(next.piece)) break;
      this.#departures.shift();
      oks.push(this.#load(next));
    }
    const report = () =>
      this.#drive.mutate((now) => {
        for (const ok of oks) this.machine.handleServed(now, puller, ok);
      });
    const waiting = this.#train.send(this.link);
    if (waiting) return waiting.then(report);
    report();
    return undefined;
  }

  /** Whether the store has it. */
  #load(serve: Serve): boolean {
    const store = this.#stores.get(serve.puller.exposed);
    return store !== undefined && this.#train.add(serve, store);
  }

  async #sendCast({ exposed, cast }: Extract<Departure, { kind: "cast" }>): Promise<boolean> {
    const { group } = exposed.cast!;
    const store = this.#stores.get(exposed);
    const bytes = store && packetsFor(store, exposed.manifest, cast);
    if (!bytes) return false;
    const segmentSize = CHUNK_HEADER_BYTES + cast.symbolSize;
    const train = { peer: group.address, bytes, segmentSize };
    const sentAtUs = Math.floor(this.now() * 1000) % 2 ** 32;
    for (let i = 0; i < segmentCount(train); i++) {
      stampChunkHeader(bytes, i * segmentSize, group.tag, (cast.sequence + i) % 2 ** 32, sentAtUs);
    }
    await this.#groupLinks.get(exposed)!.send(train);
    return true;
  }

  async #sendStatus({ exposed, bytes }: Extract<Departure, { kind: "status" }>): Promise<boolean> {
    const peer = exposed.cast!.group.address;
    await this.#groupLinks.get(exposed)!.send({ peer, bytes, segmentSize: bytes.length });
    return true;
  }
}
