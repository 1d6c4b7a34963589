/*
 * Both machines under packets that are noise, or real ones damaged, doubled and out of their time, and under their application's calls in
 * any order that the contract allows: they never throw, never spin, and keep no more than their bounds.
 */
import { assert, assertEquals, assertLessOrEqual } from "../_assert.ts";
import type { Address } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import type { LiveToken } from "../../transport/protocol/live_token.ts";
import { ExposerMachine, SERVES_AT_ONCE } from "../../transport/protocol/exposer.ts";
import { PullerMachine } from "../../transport/protocol/puller.ts";
import { packetsFor } from "../../transport/answer_train.ts";
import { ChunkOpener } from "../../transport/puller_shell.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import { exposedOf, exposerAddress, pullerAddress, simExposure } from "../sim/transfer.ts";
import type { SimExposure } from "../sim/transfer.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";

const STEPS = 600;
/** Outputs of one drain. A request has at most 256 KiB, the queue 4096 answers. */
const OUTPUTS_MAX = 10_000;
const PACKETS_KEPT = 200;
/** The largest window that there is. */
const SYMBOLS_UNDER_WAY_MAX = 32_768;

const exposures = [
  await simExposure(1, 300_000, { chunkSize: 4096 }),
  await simExposure(2, 2_000_000),
  await simExposure(3, 3),
];

/** Both machines, a wire between them that anything may happen to, and what it has carried. */
class Chaos {
  now = 0;
  readonly exposer: ExposerMachine;
  puller: PullerMachine;
  readonly #random: SeededRandom;
  readonly #exposure: SimExposure;
  readonly #wire: { readonly towards: "exposer" | "puller"; readonly bytes: Uint8Array }[] = [];
  readonly #kept: Uint8Array[] = [];
  readonly #serving: { readonly puller: LiveToken }[] = [];
  readonly #opening: { readonly piece: number; readonly sealed: Uint8Array }[] = [];
  readonly #checking: number[] = [];
  #opener: ChunkOpener | undefined;
  #mustBegin = false;
  /** Parity symbols that went out. */
  parityServed = 0;
  /** Whether the present puller has all that it wants. */
  isDone = false;

  constructor(seed: number) {
    this.#random = seededRandom(seed, "chaos");
    this.#exposure = exposures[seed % exposures.length];
    const { engine, staticPrivate, psk } = this.#exposure;
    const { bytes: random, chance } = this.#random;
    const limitRate = chance(0.3) ? 200_000 : undefined;
    this.exposer = new ExposerMachine(0, { engine, staticPrivate, random, ...(limitRate && { limitRate }) });
    this.exposer.add(exposedOf(this.#exposure, () => psk));
    this.puller = this.#newPuller();
  }

  #newPuller(): PullerMachine {
    const { engine, staticKey, sealed, psk } = this.#exposure;
    const { bytes: random, chance } = this.#random;
    const isKnown = chance(0.7);
    const puller = new PullerMachine(this.now, {
      engine,
      random,
      staticPrivate: random(32),
      exposureId: sealed.id,
      ...(isKnown && { exposerKey: staticKey, ticket: { id: ticketId(engine, psk), psk } }),
      addresses: [exposerAddress, { ...exposerAddress, port: 9001 }],
      burstPacketsMax: 80,
      timeoutMs: 30_000,
      handshakeTimeoutMs: 10_000,
      ...(chance(0.3) && { limitRate: 100_000 }),
    });
    this.#opening.length = this.#checking.length = 0;
    this.#mustBegin = this.isDone = false;
    return puller;
  }

  step(): void {
    const { integer, chance, float } = this.#random;
    const what = integer(20);
    if (what < 9) this.#arrive();
    else if (what < 11) this.#forge();
    else if (what < 13) this.#timeout();
    else if (what < 17) this.#shell();
    else if (what === 17) this.now += float() * 300;
    else if (chance(0.03)) this.#owner();
    this.#drain();
    this.#check();
  }

  /** A packet arrives: as it was, damaged, twice, or not at all. */
  #arrive(): void {
    const { integer, chance } = this.#random;
    if (this.#wire.length === 0) return;
    const [{ towards, bytes }] = this.#wire.splice(integer(Math.min(4, this.#wire.length)), 1);
    if (chance(0.05)) return;
    this.#deliver(towards, chance(0.05) ? this.#damaged(bytes) : bytes);
    if (chance(0.05)) {
      this.#drain();
      this.#deliver(towards, bytes);
    }
  }

  #forge(): void {
    const { integer, chance, bytes } = this.#random;
    const old = this.#kept[integer(this.#kept.length)];
    const noise = bytes(integer(1600));
    if (noise.length > 0 && chance(0.8)) noise[0] = 0x20 | integer(16);
    this.#deliver(chance(0.5) ? "exposer" : "puller", old && chance(0.7) ? this.#damaged(old) : noise);
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const { integer, chance } = this.#random;
    if (chance(0.2)) return bytes.slice(0, integer(bytes.length + 1));
    if (chance(0.2)) return bytes;
    const copy = bytes.slice();
    for (let times = 1 + integer(4); times > 0; times--) {
      copy[chance(0.6) ? integer(Math.min(30, copy.length)) : integer(copy.length)] = integer(256);
    }
    return copy;
  }

  #deliver(towards: "exposer" | "puller", bytes: Uint8Array): void {
    const { chance, integer } = this.#random;
    const usual = towards === "exposer" ? pullerAddress : exposerAddress;
    const from: Address = chance(0.95) ? usual : { host: `203.0.113.${integer(250)}`, port: 1 + integer(9) };
    if (towards === "exposer") this.exposer.handleDatagram(this.now, from, bytes);
    else this.puller.handleDatagram(this.now, from, bytes);
  }

  #timeout(): void {
    const machine = this.#random.chance(0.5) ? this.exposer : this.puller;
    if (machine.deadline < Infinity && this.#random.chance(0.7)) {
      this.now = Math.max(this.now, machine.deadline);
    }
    machine.handleTimeout(this.now);
  }

  /** Work that was asked for is done, well or badly. */
  #shell(): void {
    const { integer, chance } = this.#random;
    const serve = this.#serving.shift();
    if (serve) {
      this.exposer.handleServed(this.now, serve.puller, chance(0.999));
      this.#drain();
    }
    if (this.#mustBegin) {
      this.#mustBegin = false;
      const flags = new Uint8Array(1024).map(() => integer(2));
      this.puller.begin(this.now, {
        hasLeaves: (page) => this.#opener!.hasLeaves(page),
        candidates: () => chance(0.3) ? flags : undefined,
      });
      return;
    }
    const [opening] = this.#opening.splice(integer(this.#opening.length), 1);
    if (opening) {
      const { piece, sealed } = opening;
      const ok = piece >= PAGE_BIT
        ? this.#opener!.acceptPage(piece - PAGE_BIT, sealed)
        : this.#opener!.open(piece, sealed) !== undefined;
      this.puller.handleOpened(this.now, piece, ok && chance(0.99));
      this.#drain();
    }
    const chunk = this.#checking.shift();
    if (chunk !== undefined) this.puller.handleChecked(this.now, chunk, chance(0.5) ? "on disk" : "nowhere");
  }

  /** The owner of either side does something. */
  #owner(): void {
    const { integer, chance } = this.#random;
    const { engine, psk, sealed } = this.#exposure;
    const what = integer(4);
    if (what === 0) this.exposer.revoke(this.now, ticketId(engine, psk));
    else if (what === 1) this.exposer.withdraw(this.now, sealed.id);
    else if (what === 2) this.exposer.add(exposedOf(this.#exposure, () => psk));
    else if (chance(0.5)) this.puller = this.#newPuller();
    this.exposer.pullers(this.now);
  }

  #send(towards: "exposer" | "puller", bytes: Uint8Array): void {
    this.#wire.push({ towards, bytes });
    // The wire overflows, as queues do.
    if (this.#wire.length > 500) this.#wire.shift();
    this.#kept[this.#random.integer(PACKETS_KEPT)] = bytes;
  }

  #drain(): void {
    let outputs = 0;
    drain(this.exposer, (output) => {
      assert(++outputs < OUTPUTS_MAX, "the exposer spins");
      if (output.kind === "send") this.#send("puller", output.bytes);
      if (output.kind !== "serve") return;
      const { symbolSize, puller, request, receipt } = output;
      const packets = packetsFor(this.#exposure.sealed.store, puller.exposed.manifest, output);
      assert(packets, "the exposer serves what is not there");
      assertEquals(packets.length, output.bytes);
      if (output.parityOf !== undefined) this.parityServed += output.count;
      const stride = CHUNK_HEADER_BYTES + symbolSize;
      for (let at = 0; at < packets.length; at += stride) {
        const packet = packets.slice(at, at + stride);
        stampChunkHeader(packet, 0, puller.tag, request, receipt);
        this.#send("puller", packet);
      }
      this.#serving.push({ puller });
    });
    drain(this.puller, (output) => {
      assert(++outputs < OUTPUTS_MAX, "the puller spins");
      if (output.kind === "send") this.#send("exposer", output.bytes);
      if (output.kind === "granted") {
        this.#opener = new ChunkOpener(this.#exposure.engine, output.grant, output.manifest);
        this.#mustBegin = true;
      }
      if (output.kind === "open") this.#opening.push(output);
      if (output.kind === "done") this.isDone = true;
      if (output.kind === "check") this.#checking.push(output.chunk);
      if (output.kind === "failed" || output.kind === "done") {
        this.#opening.length = this.#checking.length = 0;
      }
    });
  }

  #check(): void {
    const { pieces, symbolsUnderWay, awaitingLeaves } = this.puller.memory;
    assertLessOrEqual(pieces, 513);
    assertLessOrEqual(awaitingLeaves, pieces);
    assert(symbolsUnderWay >= 0 && symbolsUnderWay <= SYMBOLS_UNDER_WAY_MAX);
    const { liveTokens, answers, answerBytes, handshakes, refusals } = this.exposer.memory;
    assert(liveTokens <= 100 && refusals <= 1000 && handshakes <= limits.handshakeQueueMax);
    assert(answers >= 0 && answers <= limits.answerQueueEntriesMax);
    assert(answerBytes >= 0 && answerBytes <= limits.answerQueueBytesMax);
    for (const machine of [this.exposer, this.puller]) assert(!Number.isNaN(machine.deadline));
    assertLessOrEqual(this.#serving.length, SERVES_AT_ONCE);
  }

  /** With a true wire again, and nothing else to do, does the pull end? */
  settle(): void {
    for (let i = 0; i < 20_000; i++) {
      const deadline = Math.min(this.exposer.deadline, this.puller.deadline);
      if (this.#serving.length > 0 || this.#opening.length + this.#checking.length > 0 || this.#mustBegin) {
        this.#shell();
      } else if (this.#wire.length > 0) {
        const { towards, bytes } = this.#wire.shift()!;
        if (towards === "exposer") this.exposer.handleDatagram(this.now, pullerAddress, bytes);
        else this.puller.handleDatagram(this.now, exposerAddress, bytes);
      } else if (this.puller.deadline === Infinity) return;
      else {
        this.now = Math.max(this.now, deadline);
        this.exposer.handleTimeout(this.now);
        this.#drain();
        this.puller.handleTimeout(this.now);
      }
      this.#drain();
    }
    throw new Error("it neither ends nor fails");
  }
}

/** What came of one run. */
export interface ChaosEnd {
  /** Whether the last puller had all that it wanted. */
  readonly isDone: boolean;
  /** Parity symbols that went out. */
  readonly parityServed: number;
}

/** One run: chaos, then a true wire again, on which the pull ends in one way or another. @throws {Error} with the seed, when something is not as it must be */
export function runChaos(seed: number): ChaosEnd {
  try {
    const chaos = new Chaos(seed);
    for (let i = 0; i < STEPS; i++) chaos.step();
    chaos.settle();
    assertEquals(chaos.puller.deadline, Infinity);
    return chaos;
  } catch (error) {
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}
