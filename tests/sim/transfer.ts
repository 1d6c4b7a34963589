import type { Address } from "../../codec/address.ts";
import { chunkBytes } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import { equalBytes } from "../../core/bytes.ts";
import type { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import type { ExposerOptions, ExposerOutput } from "../../transport/protocol/exposer_types.ts";
import type { ChunkRun } from "../../transport/protocol/chunk_plan.ts";
import { PullerMachine } from "../../transport/protocol/puller.ts";
import type { PullerOptions, PullerOutput } from "../../transport/protocol/puller_types.ts";
import { packetsFor } from "../../transport/answer_train.ts";
import { ChunkOpener } from "../../transport/puller_shell.ts";
import { exposedOf } from "./exposure.ts";
import type { SimExposure } from "./exposure.ts";
import type { PathOptions } from "./path.ts";
import { seededRandom } from "./random.ts";
import { weatherWorld } from "./weather.ts";
import type { Weather } from "./weather.ts";
import { World } from "./world.ts";
import type { SimHost } from "./world.ts";

export { exposedOf, leastWireBytes, simExposure } from "./exposure.ts";
export type { SimExposure } from "./exposure.ts";

/** Where the exposer of a scenario is, when there is one. */
export const exposerAddress: Address = { host: "192.0.2.1", port: 9000 };
/** Where its puller is. */
export const pullerAddress: Address = { host: "198.51.100.2", port: 40_000 };

/** Symbols that a puller may have under way, whatever its path. */
const SYMBOLS_UNDER_WAY_MAX = 32_768;
/** A puller's pieces in hand, and the leaf page that may come on top of them. */
const BYTES_IN_HAND_MAX = 32 * 1024 * 1024;
const PIECES_IN_HAND_MIN = 8;
const PIECES_IN_HAND_MAX = 512;

/** Sees what a host sends, as somebody on the way does. May not change it. */
export type Tap = (to: Address, bytes: Uint8Array) => void;

/** An exposer in the simulation. Sends take no time of their own. */
export class SimExposer implements SimHost {
  readonly address: Address;
  readonly machine: ExposerMachine;
  /** Outputs that are not packets. */
  readonly events: ExposerOutput[] = [];
  /** Tickets that are refused. */
  readonly revoked = new Set<string>();
  /** Sees what is sent. */
  tap: Tap | undefined;
  /** Bytes sent to each host, of any kind. */
  readonly sentTo = new Map<string, number>();
  readonly #world: World;
  readonly #exposure: SimExposure;
  #crashed = false;

  constructor(world: World, address: Address, exposure: SimExposure, options: Partial<ExposerOptions> = {}) {
    this.address = address;
    this.#world = world;
    this.#exposure = exposure;
    const { engine, staticPrivate } = exposure;
    // One that is started later has other secrets.
    const random = seededRandom(world.seed, `exposer ${address.host} ${address.port} ${world.now}`).bytes;
    this.machine = new ExposerMachine(world.now, { engine, staticPrivate, random, ...options });
    this.machine.add(exposedOf(exposure, (id) => this.#access(id)));
    world.add(this);
    world.check(() => this.#check());
  }

  deliver(now: number, from: Address, bytes: Uint8Array): void {
    this.machine.handleDatagram(now, from, bytes);
    this.drain();
  }

  deadline(): number {
    return this.machine.deadline;
  }

  timeout(now: number): void {
    this.machine.handleTimeout(now);
    this.drain();
  }

  /** `kill -9`: nothing is said to anybody. */
  crash(): void {
    this.#crashed = true;
    this.#world.remove(this.address);
  }

  /** Ends the ticket, as its owner does. */
  revoke(): void {
    const id = ticketId(this.#exposure.engine, this.#exposure.psk);
    this.revoked.add(id.toHex());
    this.machine.revoke(this.#now, id);
    this.drain();
  }

  /** Stops to expose it. */
  withdraw(): void {
    this.machine.withdraw(this.#now, this.#exposure.sealed.id);
    this.drain();
  }

  /** Carries out what the machine asks for. */
  drain(): void {
    let served: (() => void)[] = [];
    do {
      for (const report of served.splice(0)) report();
      drain(this.machine, (output) => this.#perform(output, served));
    } while (served.length > 0);
    served = [];
  }

  get #now(): number {
    return this.#world.clockOf(this);
  }

  #access(id: Uint8Array): Uint8Array | "denied" {
    const { engine, psk } = this.#exposure;
    const known = ticketId(engine, psk).toHex();
    return id.toHex() === known && !this.revoked.has(known) ? psk : "denied";
  }

  #send(to: Address, bytes: Uint8Array): void {
    this.tap?.(to, bytes);
    this.sentTo.set(to.host, (this.sentTo.get(to.host) ?? 0) + bytes.length);
    this.#world.send(this.address, to, bytes);
  }

  #perform(output: ExposerOutput, served: (() => void)[]): void {
    if (output.kind === "send") return this.#send(output.to, output.bytes);
    if (output.kind !== "serve") return void this.events.push(output);
    const { puller, symbolSize, request, receipt } = output;
    const packets = packetsFor(this.#exposure.sealed.store, puller.exposed.manifest, output);
    const stride = CHUNK_HEADER_BYTES + symbolSize;
    for (let at = 0; packets && at < packets.length; at += stride) {
      const packet = packets.subarray(at, at + stride);
      stampChunkHeader(packet, 0, puller.tag, request, receipt);
      this.#send(puller.address, packet);
    }
    served.push(() => this.machine.handleServed(this.#now, puller, packets !== undefined));
  }

  #check(): void {
    if (this.#crashed || this.#world.isAsleep(this)) return;
    checkMachine(this.machine, this.#now);
    const { liveTokens, answers, answerBytes, handshakes, fragmented, refusals } = this.machine.memory;
    expectAtMost("live tokens", liveTokens, limits.liveTokensMax);
    expectAtMost("answers", answers, limits.answerQueueEntriesMax);
    expectAtMost("bytes of answers", answerBytes, limits.answerQueueBytesMax);
    expectAtMost("handshakes", handshakes, limits.handshakeQueueMax);
    expectAtMost("handshakes in fragments", fragmented, limits.handshakeFragmentedMax);
    expectAtMost("refused hosts", refusals, limits.liveTokensMax);
  }
}

/** What a simulated puller needs beyond its machine's options. */
export interface SimPullerOptions extends Partial<PullerOptions> {
  /** Chunks found on disk that are tried first: all that are here, right or not. */
  readonly disk?: Map<number, Uint8Array>;
  /** How long opening and storing a chunk takes, ms. */
  readonly storeMs?: number;
  /** Which chunks to pull; absent: all. */
  readonly wanted?: readonly ChunkRun[];
}

/** A puller in the simulation: verifies and opens for real, stores in memory. */
export class SimPuller implements SimHost {
  readonly machine: PullerMachine;
  /** Verified plaintext by chunk. */
  readonly stored = new Map<number, Uint8Array>();
  /** Reasons of stalls, in order; `undefined` where it went on. */
  readonly stalls: (string | undefined)[] = [];
  /** Sources that it asks for nothing more, and why. */
  readonly dropped: { readonly source: string; readonly error: RgtpError }[] = [];
  /** Set when it is over, and when that was. */
  outcome: "done" | RgtpError | undefined;
  endedAt = Infinity;
  /** The most pieces that it has had in hand. */
  piecesMost = 0;
  /** Sees what is sent. */
  tap: Tap | undefined;
  readonly #world: World;
  readonly #exposure: SimExposure;
  readonly #options: SimPullerOptions;
  readonly #piecesMax: number;
  #address: Address;
  #opener: ChunkOpener | undefined;
  #crashed = false;

  constructor(
    world: World,
    address: Address,
    exposer: Address,
    exposure: SimExposure,
    options: SimPullerOptions = {},
  ) {
    this.#address = address;
    this.#world = world;
    this.#exposure = exposure;
    this.#options = options;
    const { engine, staticKey, sealed, psk, manifest } = exposure;
    const random = seededRandom(world.seed, `puller ${address.host} ${address.port} ${world.now}`).bytes;
    const fit = Math.floor(BYTES_IN_HAND_MAX / manifest.chunkSize);
    this.#piecesMax = Math.max(PIECES_IN_HAND_MIN, Math.min(PIECES_IN_HAND_MAX, fit)) + 1;
    this.machine = new PullerMachine(world.now, {
      engine,
      random,
      staticPrivate: random(32),
      exposureId: sealed.id,
      exposerKey: staticKey,
      ticket: { id: ticketId(engine, psk), psk },
      addresses: [exposer],
      burstPacketsMax: 80,
      timeoutMs: 30_000,
      handshakeTimeoutMs: 10_000,
      ...options,
    });
    world.add(this);
    this.drain();
    world.check(() => this.#check());
  }

  /** Where its packets arrive. */
  get address(): Address {
    return this.#address;
  }

  /** Whether it is over, well or not. */
  get ended(): boolean {
    return this.outcome !== undefined;
  }

  /** Whether it was killed. */
  get hasCrashed(): boolean {
    return this.#crashed;
  }

  /** All that was stored, in order. */
  get content(): Uint8Array {
    const whole = new Uint8Array(this.#exposure.plaintext.length);
    for (const [chunk, bytes] of this.stored) whole.set(bytes, chunk * this.#exposure.manifest.chunkSize);
    return whole;
  }

  deliver(now: number, from: Address, bytes: Uint8Array): void {
    this.machine.handleDatagram(now, from, bytes);
    this.drain();
  }

  deadline(): number {
    return this.machine.deadline;
  }

  timeout(now: number): void {
    this.machine.handleTimeout(now);
    this.drain();
  }

  /** `kill -9`: what is stored stays. */
  crash(): void {
    this.#crashed = true;
    this.#world.remove(this.#address);
  }

  /** It goes on from another address, as after a change of network; it is not told. */
  move(address: Address): void {
    this.#world.remove(this.#address);
    this.#address = address;
    this.#world.add(this);
  }

  /** Carries out what the machine asks for. */
  drain(): void {
    const reports: (() => void)[] = [];
    drain(this.machine, (output) => this.#perform(output, reports));
    const at = this.#world.now + (this.#options.storeMs ?? 0);
    for (const report of reports) this.#world.at(at, () => this.#world.act(this, report));
    this.piecesMost = Math.max(this.piecesMost, this.machine.memory.pieces);
  }

  get #now(): number {
    return this.#world.clockOf(this);
  }

  #perform(output: PullerOutput, reports: (() => void)[]): void {
    const report = (change: (now: number) => void) =>
      reports.push(() => {
        if (this.#crashed) return;
        change(this.#now);
        this.drain();
      });
    if (output.kind === "send") {
      this.tap?.(output.to, output.bytes);
      this.#world.send(this.#address, output.to, output.bytes);
    }
    if (output.kind === "granted") {
      this.#opener = new ChunkOpener(this.#exposure.engine, output.grant, output.manifest);
      report((now) => this.#begin(now));
    }
    if (output.kind === "open") report((now) => this.#open(now, output.piece, output.sealed));
    if (output.kind === "check") report((now) => this.#checkDisk(now, output.chunk));
    if (output.kind === "pageDone") this.#opener!.forget(output.page);
    if (output.kind === "dropped") this.dropped.push(output);
    if (output.kind === "stalled") this.stalls.push(output.reason);
    if (output.kind === "resumed") this.stalls.push(undefined);
    if (output.kind === "done") this.#end("done");
    if (output.kind === "failed") this.#end(output.error);
  }

  #end(outcome: "done" | RgtpError): void {
    if (this.ended) throw new Error("a pull ended twice");
    this.outcome = outcome;
    this.endedAt = this.#world.now;
  }

  #begin(now: number): void {
    const { disk, wanted } = this.#options;
    this.machine.begin(now, {
      ...(wanted && { wanted }),
      hasLeaves: (page) => this.#opener!.hasLeaves(page),
      candidates: (page) =>
        disk && Uint8Array.from({ length: 1024 }, (_, i) => disk.has(page * 1024 + i) ? 1 : 0),
    });
  }

  #open(now: number, piece: number, sealed: Uint8Array): void {
    if (piece >= PAGE_BIT) {
      return this.machine.handleOpened(now, piece, this.#opener!.acceptPage(piece - PAGE_BIT, sealed));
    }
    const plaintext = this.#opener!.open(piece, sealed);
    if (plaintext) this.#store(piece, plaintext.slice());
    this.machine.handleOpened(now, piece, plaintext !== undefined);
  }

  #checkDisk(now: number, chunk: number): void {
    const bytes = this.#options.disk!.get(chunk)!;
    const ok = bytes.length === this.#opener!.scratch(chunk).length && this.#opener!.isChunk(chunk, bytes);
    if (ok) this.#store(chunk, bytes);
    this.machine.handleChecked(now, chunk, ok ? "on disk" : "nowhere");
  }

  /** Nothing is stored twice, and nothing but what was exposed. */
  #store(chunk: number, bytes: Uint8Array): void {
    const { plaintext, manifest } = this.#exposure;
    const at = chunk * manifest.chunkSize;
    if (this.stored.has(chunk)) throw new Error(`chunk ${chunk} was stored twice`);
    if (!equalBytes(bytes, plaintext.subarray(at, at + chunkBytes(manifest, chunk)))) {
      throw new Error(`what was stored as chunk ${chunk} is not what was exposed`);
    }
    this.stored.set(chunk, bytes);
  }

  #check(): void {
    if (this.#crashed || this.#world.isAsleep(this)) return;
    checkMachine(this.machine, this.#now);
    const { pieces, awaitingLeaves, symbolsUnderWay } = this.machine.memory;
    expectAtMost("pieces in hand", pieces, this.#piecesMax);
    expectAtMost("pieces that wait for leaves", awaitingLeaves, pieces);
    expectAtMost("symbols under way", symbolsUnderWay, SYMBOLS_UNDER_WAY_MAX);
    if (symbolsUnderWay < 0) throw new Error(`${symbolsUnderWay} symbols are under way`);
  }
}

/** What must hold of every machine after every step. */
function checkMachine(machine: { poll(): unknown; readonly deadline: number }, now: number): void {
  if (machine.poll() !== undefined) throw new Error("a machine has more to say after it was drained");
  const { deadline } = machine;
  if (!(deadline >= now - ROUNDING_MS)) throw new Error(`a deadline of ${deadline} has passed at ${now}`);
}

function expectAtMost(what: string, actual: number, most: number): void {
  if (!(actual <= most)) throw new Error(`${actual} ${what}, at most ${most} are allowed`);
}

/** A clock that was set forward is a sum, which may be rounded to just more than a deadline. */
const ROUNDING_MS = 1e-6;

/** A world with one exposer and one puller. */
export interface SimTransfer {
  readonly world: World;
  readonly exposure: SimExposure;
  readonly exposer: SimExposer;
  readonly puller: SimPuller;
}

/** How a {@linkcode SimTransfer} is made. */
export interface SimTransferOptions {
  /** All paths; or what both directions meet. */
  readonly path?: Partial<PathOptions>;
  readonly weather?: Weather;
  /** The exposer's machine. */
  readonly exposer?: Partial<ExposerOptions>;
  /** The puller. */
  readonly puller?: SimPullerOptions;
}

/** Puts an exposer and a puller of `exposure` into a new world; nothing has happened yet but the puller's first packet. */
export function simTransfer(
  seed: number,
  exposure: SimExposure,
  options: SimTransferOptions = {},
): SimTransfer {
  const { path, weather } = options;
  const world = weather
    ? weatherWorld(seed, weather, exposerAddress.host)
    : new World({ seed, path: { delayMs: 10, ...path } });
  const exposer = new SimExposer(world, exposerAddress, exposure, options.exposer);
  const puller = new SimPuller(world, pullerAddress, exposerAddress, exposure, options.puller);
  return { world, exposure, exposer, puller };
}

/** Fails unless a pull has ended well with all bytes as they were exposed. */
export function expectWhole(puller: SimPuller, { plaintext, sealed }: SimExposure): void {
  if (puller.outcome !== "done") {
    throw new Error(`the pull ended otherwise: ${puller.outcome}`, { cause: puller.outcome });
  }
  if (puller.stored.size !== sealed.chunkCount || !equalBytes(puller.content, plaintext)) {
    throw new Error(`${puller.stored.size} of ${sealed.chunkCount} chunks, or they are not what was exposed`);
  }
}

/** Fails unless a pull has failed so; answers with its error. */
export function expectFailure(puller: SimPuller, condition: RgtpError["condition"]): RgtpError {
  const { outcome } = puller;
  if (outcome === undefined || outcome === "done" || outcome.condition !== condition) {
    throw new Error(`it should have ended with ${condition}: ${outcome}`, { cause: outcome });
  }
  return outcome;
}
