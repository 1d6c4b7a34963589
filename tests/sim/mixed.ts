/*
 * Mixed weather: whatever a seed brings. Paths of all kinds, several pullers, restarts, sleep, outages; and what must hold all the same.
 */
import type { Address } from "../../codec/address.ts";
import { equalBytes } from "../../core/bytes.ts";
import { mixedPlan } from "./mixed_plan.ts";
import type { Happening, MixedPlan, PullerPlan, Who } from "./mixed_plan.ts";
import { exposerAddress, leastWireBytes, SimExposer, simExposure, SimPuller } from "./transfer.ts";
import type { SimExposure } from "./transfer.ts";
import { lossOf } from "./path.ts";
import type { PathOptions } from "./path.ts";
import { payloadShare, weatherRule } from "./weather.ts";
import { World } from "./world.ts";

/** What came of a run. */
export interface MixedResult {
  /** Virtual time, ms, and steps. */
  readonly ms: number;
  readonly steps: number;
  /** Chunk data that the exposers sent, bytes. */
  readonly sentBytes: number;
  /** What they may have sent at most. */
  readonly sentBytesMax: number;
}

/** A puller gives up after so long without anything: longer than all that may happen at once. */
const PATIENCE_MS = 240_000;
/** No run may take longer, virtual ms, than this and a multiple of what its path takes at best. */
const RUN_MS_MAX = 900_000;
const RUN_FACTOR = 100;
/**
 * What may be sent, as a multiple of what must be, where a policer drops what it cannot carry, and elsewhere; and for each happening, and
 * for the beginning, so many bytes more.
 */
const SENT_FACTOR_POLICED = 24;
const SENT_FACTOR = 5;
const SENT_BYTES_EACH = 100_000;
/** An exposer has forgotten everybody so long after they are gone: its own patience, and a sweep. */
const FORGOTTEN_MS = 30_000;

/**
 * Runs the plan of a seed.
 *
 * @throws {Error} with the seed and the command to see it again, when something does not hold
 */
export async function runMixed(seed: number): Promise<MixedResult> {
  const plan = mixedPlan(seed);
  const exposure = await simExposure(seed, plan.size, { chunkSize: plan.chunkSize });
  return new MixedRun(plan, exposure).run();
}

type HappeningOf<Kind extends Happening["kind"]> = Extract<Happening, { readonly kind: Kind }>;

class MixedRun {
  readonly #plan: MixedPlan;
  readonly #exposure: SimExposure;
  readonly #world: World;
  /** All that have been, the present one last; by puller. */
  readonly #exposers: SimExposer[] = [];
  readonly #pullers: SimPuller[][] = [];
  /** Whether the exposer's machine is down. */
  #isDown = false;
  #isWithdrawn = false;
  #isRevoked = false;

  constructor(plan: MixedPlan, exposure: SimExposure) {
    this.#plan = plan;
    this.#exposure = exposure;
    this.#world = new World({
      seed: plan.seed,
      path: weatherRule(plan, exposerAddress.host),
      replay: `deno task sim --seeds 1 --first ${plan.seed}`,
    });
    this.#startExposer();
    for (const [i, { startMs }] of plan.pullers.entries()) {
      this.#pullers.push([]);
      this.#world.at(startMs, () => this.#startPuller(i, firstAddress(i), this.#diskAtFirst(i)));
    }
    for (const happening of plan.happenings) this.#world.at(happening.atMs, () => this.#happen(happening));
  }

  run(): MixedResult {
    const world = this.#world;
    world.run(() => this.#isOver, this.#msMax);
    for (const [i, all] of this.#pullers.entries()) world.attempt(() => this.#expectRight(i, all.at(-1)!));
    const ms = world.now;
    world.attempt(() => this.#expectFrugal());
    // Who sleeps hears of their going when it wakes.
    const forgottenAt = Math.max(ms, ...this.#plan.happenings.map(endOf)) + FORGOTTEN_MS;
    world.at(forgottenAt, () => {});
    world.run(() => world.now >= forgottenAt, forgottenAt);
    world.attempt(() => this.#expectForgotten());
    return { ms, steps: world.steps, sentBytes: this.#sentBytes, sentBytesMax: this.#sentBytesMax };
  }

  get #isOver(): boolean {
    return this.#pullers.every((all) => all.length > 0 && all.at(-1)!.ended && !all.at(-1)!.hasCrashed);
  }

  get #msMax(): number {
    const { down, pullers, size } = this.#plan;
    const { bytesPerSecond = Infinity, policedBytesPerSecond = Infinity } = down;
    const rate = Math.min(bytesPerSecond, policedBytesPerSecond) * (1 - lossOf(down)) * payloadShare(1200);
    return RUN_MS_MAX + RUN_FACTOR * 1000 * size * pullers.length / rate;
  }

  get #sentBytes(): number {
    return this.#exposers.reduce((sum, { machine }) => sum + machine.bytesSent, 0);
  }

  get #sentBytesMax(): number {
    const { down, pullers, happenings } = this.#plan;
    const each = leastWireBytes(this.#exposure) + SENT_BYTES_EACH * (1 + happenings.length);
    const factor = down.policedBytesPerSecond === undefined ? SENT_FACTOR : SENT_FACTOR_POLICED;
    return factor * pullers.length * each / (1 - lossOf(down));
  }

  #startExposer(): void {
    const exposer = new SimExposer(this.#world, exposerAddress, this.#exposure, this.#plan.exposer);
    this.#exposers.push(exposer);
    this.#isDown = false;
    if (this.#isRevoked) exposer.revoke();
    if (this.#isWithdrawn) exposer.withdraw();
  }

  #startPuller(i: number, address: Address, disk: Map<number, Uint8Array>): void {
    const { storeMs, limitRate, wanted } = this.#plan.pullers[i];
    this.#pullers[i].push(
      new SimPuller(this.#world, address, exposerAddress, this.#exposure, {
        storeMs,
        disk,
        timeoutMs: PATIENCE_MS,
        handshakeTimeoutMs: PATIENCE_MS,
        ...(limitRate && { limitRate }),
        ...(wanted && { wanted: this.#wantedRuns(wanted) }),
      }),
    );
  }

  #wantedRuns([from, to]: NonNullable<PullerPlan["wanted"]>): { first: number; end: number }[] {
    const count = this.#exposure.sealed.chunkCount;
    const [first, end] = [Math.floor(from * count), Math.ceil(to * count)];
    return end > first ? [{ first, end }] : [];
  }

  #diskAtFirst(i: number): Map<number, Uint8Array> {
    const { disk } = this.#plan.pullers[i];
    const found = new Map<number, Uint8Array>();
    for (let chunk = 0; chunk < this.#exposure.sealed.chunkCount; chunk++) {
      const kind = disk[chunk % disk.length];
      if (kind === "nothing") continue;
      const bytes = this.#chunk(chunk).slice();
      if (kind === "wrong") bytes[chunk % bytes.length] ^= 0x10;
      found.set(chunk, bytes);
    }
    return found;
  }

  #chunk(chunk: number): Uint8Array {
    const { plaintext, manifest: { chunkSize } } = this.#exposure;
    return plaintext.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
  }

  #happen(happening: Happening): void {
    (this.#handlers[happening.kind] as (happening: Happening) => void)(happening);
  }

  readonly #handlers: { readonly [Kind in Happening["kind"]]: (happening: HappeningOf<Kind>) => void } = {
    restart: ({ who, downMs }) =>
      who === "exposer" ? this.#restartExposer(downMs) : this.#restartPuller(who, downMs),
    move: ({ who, port }) => {
      const puller = this.#running(who);
      if (puller instanceof SimPuller) puller.move({ ...puller.address, port });
    },
    suspend: ({ who, forMs, receivePackets }) => {
      const host = this.#running(who);
      if (host) this.#world.suspend(host, forMs, receivePackets);
    },
    clock: ({ who, byMs }) => {
      const host = this.#running(who);
      if (host) this.#world.stepClock(host, byMs);
    },
    outage: ({ atMs, way, forMs }) => {
      this.#change(way, { open: false });
      this.#world.at(atMs + forMs, () => this.#change(way, { open: true }));
    },
    path: ({ way, path }) => this.#change(way, path),
    withdraw: () => {
      this.#isWithdrawn = true;
      if (!this.#isDown) this.#exposers.at(-1)!.withdraw();
    },
    revoke: () => {
      this.#isRevoked = true;
      if (!this.#isDown) this.#exposers.at(-1)!.revoke();
    },
  };

  #change(way: "down" | "up" | "both", path: Partial<PathOptions>): void {
    this.#world.network.change((fromHost) =>
      way === "both" || way === (fromHost === exposerAddress.host ? "down" : "up") ? path : {}
    );
  }

  /** Whom something can happen to now. */
  #running(who: Who): SimExposer | SimPuller | undefined {
    if (who === "exposer") return this.#isDown ? undefined : this.#exposers.at(-1);
    const puller = this.#pullers[who].at(-1);
    return puller?.hasCrashed ? undefined : puller;
  }

  #restartExposer(downMs: number): void {
    if (this.#isDown) return;
    this.#isDown = true;
    this.#exposers.at(-1)!.crash();
    this.#world.at(this.#world.now + downMs, () => this.#startExposer());
  }

  #restartPuller(i: number, downMs: number): void {
    const puller = this.#pullers[i].at(-1);
    if (!puller || puller.hasCrashed || puller.ended) return;
    puller.crash();
    this.#world.at(
      this.#world.now + downMs,
      () => this.#startPuller(i, puller.address, new Map([...this.#diskAtFirst(i), ...puller.stored])),
    );
  }

  /** All that it wanted is there as it was exposed, or it was told why not. */
  #expectRight(i: number, puller: SimPuller): void {
    const who = `puller ${i}`;
    if (puller.outcome !== "done") {
      const condition = puller.outcome!.condition;
      const isTold = (this.#isWithdrawn && ["WITHDRAWN", "ACCESS_DENIED"].includes(condition)) ||
        (this.#isRevoked && condition === "ACCESS_DENIED");
      if (!isTold) throw new Error(`${who} ended with ${puller.outcome}`, { cause: puller.outcome });
      return;
    }
    const { wanted } = this.#plan.pullers[i];
    const { sealed: { chunkCount } } = this.#exposure;
    for (const { first, end } of wanted ? this.#wantedRuns(wanted) : [{ first: 0, end: chunkCount }]) {
      for (let chunk = first; chunk < end; chunk++) {
        const stored = puller.stored.get(chunk);
        if (!stored || !equalBytes(stored, this.#chunk(chunk))) {
          throw new Error(`${who} has not got chunk ${chunk}`);
        }
      }
    }
  }

  #expectFrugal(): void {
    if (this.#sentBytes <= this.#sentBytesMax) return;
    throw new Error(`${this.#sentBytes} bytes were sent, at most ${this.#sentBytesMax} are allowed`);
  }

  #expectForgotten(): void {
    const { memory } = this.#exposers.at(-1)!.machine;
    for (const [what, kept] of Object.entries(memory)) {
      if (kept !== 0) throw new Error(`the exposer still keeps ${kept} ${what}, long after all have gone`);
    }
  }
}

/** When a happening is over. */
function endOf(happening: Happening): number {
  const forMs = "forMs" in happening ? happening.forMs : "downMs" in happening ? happening.downMs : 0;
  return happening.atMs + forMs;
}

function firstAddress(i: number): Address {
  return { host: `198.51.100.${2 + i}`, port: 40_000 };
}
