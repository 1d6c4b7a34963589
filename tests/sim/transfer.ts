import type { Address } from "../../codec/address.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { CHUNK_HEADER_BYTES, PAGE_BIT, stampChunkHeader } from "../../codec/packet.ts";
import type { RgtpError } from "../../core/errors.ts";
import { drain } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity, exposerSecret } from "../../crypto/identity.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { sealSource } from "../../transport/exposure/seal.ts";
import type { SealedExposure } from "../../transport/exposure/seal.ts";
import { bytesSource } from "../../transport/exposure/source.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import type { ExposerOptions, ExposerOutput } from "../../transport/protocol/exposer.ts";
import { PullerMachine } from "../../transport/protocol/puller.ts";
import type { PullerOptions, PullerOutput } from "../../transport/protocol/puller.ts";
import { ChunkOpener } from "../../transport/puller_shell.ts";
import { seededRandom } from "./random.ts";
import type { SimHost, World } from "./world.ts";

/** Something sealed, with all that its exposer and its pullers need. */
export interface SimExposure {
  /** The plaintext. */
  readonly plaintext: Uint8Array;
  /** The exposer's private key, and its public one. */
  readonly staticPrivate: Uint8Array;
  /** X25519 public key. */
  readonly staticKey: Uint8Array;
  /** As sealed. */
  readonly sealed: SealedExposure;
  /** One ticket's psk. */
  readonly psk: Uint8Array;
  /** Cryptography. */
  readonly engine: Engine;
}

/** Seals `bytes` pseudo-random bytes. */
export async function simExposure(
  seed: number,
  bytes: number,
  options: { chunkSize?: number; engine?: Engine } = {},
): Promise<SimExposure> {
  const { chunkSize = 65_536, engine = nativeEngine } = options;
  const random = seededRandom(seed, "content").bytes;
  const plaintext = random(bytes);
  const identity = createIdentity(engine, random(32));
  const secret = exposerSecret(engine, identity);
  const sealed = await sealSource(bytesSource(plaintext), { engine, chunkSize, secret, salt: random(32) });
  const { staticPrivate, staticKey } = identity;
  return { plaintext, staticPrivate, staticKey, sealed, psk: ticketPsk(engine, random(16)), engine };
}

/** An exposer in the simulation. Sends take no time of their own. */
export class SimExposer implements SimHost {
  readonly address: Address;
  readonly machine: ExposerMachine;
  /** Outputs that are not packets. */
  readonly events: ExposerOutput[] = [];
  /** Tickets that are refused. */
  readonly revoked = new Set<string>();
  readonly #world: World;
  readonly #exposure: SimExposure;

  constructor(world: World, address: Address, exposure: SimExposure, options: Partial<ExposerOptions> = {}) {
    this.address = address;
    this.#world = world;
    this.#exposure = exposure;
    const { engine, staticPrivate, sealed } = exposure;
    const random = seededRandom(world.seed, `exposer ${address.port}`).bytes;
    this.machine = new ExposerMachine(world.now, { engine, staticPrivate, random, ...options });
    this.machine.add({
      id: sealed.id,
      manifestBytes: sealed.manifest,
      manifest: decodeManifest(sealed.manifest),
      exposureKey: sealed.exposureKey,
      leaves: sealed.leaves,
      name: "simulated",
      access: (id) => this.#access(id),
    });
    world.add(this);
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

  /** Carries out what the machine asks for. */
  drain(): void {
    let served: (() => void)[] = [];
    do {
      for (const report of served.splice(0)) report();
      drain(this.machine, (output) => this.#perform(output, served));
    } while (served.length > 0);
    served = [];
  }

  #access(id: Uint8Array): Uint8Array | "denied" {
    const { engine, psk } = this.#exposure;
    const known = ticketId(engine, psk).toHex();
    return id.toHex() === known && !this.revoked.has(known) ? psk : "denied";
  }

  #perform(output: ExposerOutput, served: (() => void)[]): void {
    if (output.kind === "send") return this.#world.send(this.address, output.to, output.bytes);
    if (output.kind !== "serve") return void this.events.push(output);
    const { puller, piece, symbolSize, first, count, request, receipt } = output;
    const packets = this.#exposure.sealed.store.packets(piece, symbolSize);
    const stride = CHUNK_HEADER_BYTES + symbolSize;
    for (let i = first; packets && i < first + count; i++) {
      const packet = packets.slice(i * stride, (i + 1) * stride);
      stampChunkHeader(packet, 0, puller.tag, request, receipt);
      this.#world.send(this.address, puller.address, packet);
    }
    served.push(() => this.machine.handleServed(this.#world.now, puller, packets !== undefined));
  }
}

/** What a simulated puller needs beyond its machine's options. */
export interface SimPullerOptions extends Partial<PullerOptions> {
  /** Chunks found on disk that are tried first: all that are here, right or not. */
  readonly disk?: Map<number, Uint8Array>;
  /** How long opening and storing a chunk takes, ms. */
  readonly storeMs?: number;
}

/** A puller in the simulation: verifies and opens for real, stores in memory. */
export class SimPuller implements SimHost {
  readonly address: Address;
  readonly machine: PullerMachine;
  /** Verified plaintext by chunk. */
  readonly stored = new Map<number, Uint8Array>();
  /** Reasons of stalls, in order; `undefined` where it went on. */
  readonly stalls: (string | undefined)[] = [];
  /** Set when it is over. */
  outcome: "done" | RgtpError | undefined;
  readonly #world: World;
  readonly #exposure: SimExposure;
  readonly #options: SimPullerOptions;
  #opener: ChunkOpener | undefined;
  #manifest: Manifest | undefined;

  constructor(world: World, address: Address, exposer: Address, exposure: SimExposure, options: SimPullerOptions = {}) {
    this.address = address;
    this.#world = world;
    this.#exposure = exposure;
    this.#options = options;
    const { engine, staticKey, sealed, psk } = exposure;
    const random = seededRandom(world.seed, `puller ${address.host} ${address.port}`).bytes;
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
  }

  /** All that was stored, in order. */
  get content(): Uint8Array {
    const whole = new Uint8Array(this.#exposure.plaintext.length);
    const size = decodeManifest(this.#exposure.sealed.manifest).chunkSize;
    for (const [chunk, bytes] of this.stored) whole.set(bytes, chunk * size);
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

  /** Carries out what the machine asks for. */
  drain(): void {
    const reports: (() => void)[] = [];
    drain(this.machine, (output) => this.#perform(output, reports));
    for (const report of reports) this.#world.at(this.#world.now + (this.#options.storeMs ?? 0), report);
  }

  #perform(output: PullerOutput, reports: (() => void)[]): void {
    const report = (change: (now: number) => void) =>
      reports.push(() => {
        change(this.#world.now);
        this.drain();
      });
    if (output.kind === "send") this.#world.send(this.address, output.to, output.bytes);
    if (output.kind === "granted") {
      this.#manifest = output.manifest;
      this.#opener = new ChunkOpener(this.#exposure.engine, output.grant, output.manifest);
      report((now) => this.#begin(now));
    }
    if (output.kind === "open") report((now) => this.#open(now, output.piece, output.sealed));
    if (output.kind === "check") report((now) => this.#check(now, output.chunk));
    if (output.kind === "pageDone") this.#opener!.forget(output.page);
    if (output.kind === "stalled") this.stalls.push(output.reason);
    if (output.kind === "resumed") this.stalls.push(undefined);
    if (output.kind === "done") this.outcome = "done";
    if (output.kind === "failed") this.outcome = output.error;
  }

  #begin(now: number): void {
    const { disk } = this.#options;
    this.machine.begin(now, {
      hasLeaves: (page) => this.#opener!.hasLeaves(page),
      candidates: (page) => disk && Uint8Array.from({ length: 1024 }, (_, i) => disk.has(page * 1024 + i) ? 1 : 0),
    });
  }

  #open(now: number, piece: number, sealed: Uint8Array): void {
    if (piece >= PAGE_BIT) {
      return this.machine.handleOpened(now, piece, this.#opener!.acceptPage(piece - PAGE_BIT, sealed));
    }
    const plaintext = this.#opener!.open(piece, sealed);
    if (plaintext) this.stored.set(piece, plaintext.slice());
    this.machine.handleOpened(now, piece, plaintext !== undefined);
  }

  #check(now: number, chunk: number): void {
    const bytes = this.#options.disk!.get(chunk)!;
    const ok = bytes.length === this.#opener!.scratch(chunk).length && this.#opener!.isChunk(chunk, bytes);
    if (ok) this.stored.set(chunk, bytes);
    this.machine.handleChecked(now, chunk, ok);
  }

  /** The manifest, once granted. */
  get manifest(): Manifest | undefined {
    return this.#manifest;
  }
}
