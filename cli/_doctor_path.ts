/*
 * `rgtp doctor --path`: the way to an exposer, tried out. Small packets first, one at a time, for the round trip of an idle way; then a pull
 * of a few seconds, thrown away as it comes, for what the way carries and what keeps it from carrying more.
 */
import { cpuUsage } from "node:process";
import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { refusal, RefusalReason } from "../codec/control.ts";
import { PacketType, PROTOCOL_VERSION } from "../codec/packet.ts";
import type { Ticket } from "../codec/ticket.ts";
import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { systemRandom } from "../core/machine.ts";
import { bindHostFor, resolveAddresses } from "../transport/addresses.ts";
import { find, listExposures } from "../transport/find.ts";
import type { Link } from "../transport/link/link.ts";
import { segments } from "../transport/link/link.ts";
import { openLink } from "../transport/link/open_link.ts";
import { pull } from "../transport/pull.ts";
import type { Check } from "./_check.ts";
import { messageOf, OK, WARN } from "./_check.ts";
import { linkHere } from "./_doctor_network.ts";
import type { Target } from "./_doctor_target.ts";
import { formatBytes, formatRate } from "./_text.ts";

const PINGS = 10;
/** An exposer refuses no more often. */
const PING_EVERY_MS = limits.refusalIntervalMs + 20;
const PING_LATE_MS = 1000;
const PULL_MS = 5000;
const LOOK_MS = 100;
const LATE_EVERY_MS = 5;
const UDP_PACKET_BYTES = 1452;

/** What a pull of some seconds showed. */
export interface PathFacts {
  /** Who gave it. */
  readonly source: string;
  readonly seconds: number;
  /** Whether all of it was there before the time was over. */
  readonly isWhole: boolean;
  readonly wireBytes: number;
  /** Bytes a second on the wire, once it had gathered speed. */
  readonly rate: number;
  /** The share of packets that did not come. */
  readonly loss: number;
  /** Under load: what it took on average, and the shortest. */
  readonly roundTripMs: number;
  readonly leastRoundTripMs: number;
  /** What the exposer lets each puller have, bytes a second; absent: it sets no limit. */
  readonly rateMax?: number;
  /** Time of processors that this process took, as a share of one. */
  readonly cpu: number;
  /** How late this process came to look at what had arrived, on average, ms. */
  readonly lateMs: number;
  /** Packets that the receive buffer here holds. */
  readonly burstPacketsMax: number;
}

/**
 * The checks of a way to an exposer, of which `answers` tell who answers. What a ticket names is pulled; without one the largest of what the
 * exposer lists for anybody.
 */
export async function pathChecks(target: Target | Ticket, answers: readonly Check[]): Promise<Check[]> {
  const ticket = "exposureId" in target ? target : undefined;
  const addresses = await resolveAddresses(target.addresses, { timeoutMs: PING_LATE_MS });
  const isThere = (address: Address) =>
    answers.some(({ name, state }) => name === formatAddress(address) && state === "ok");
  const address = addresses.find(isThere) ?? addresses[0];
  const trips = await ping(address, PINGS);
  const idle = judgePings(address, trips);
  try {
    const facts = await tryPull(ticket ?? await largestOf(formatAddress(address)), PULL_MS);
    return [...idle, ...judgePull(facts)];
  } catch (error) {
    const todo =
      "with a ticket, or of what is exposed with --open, the rate can be measured: rgtp doctor TICKET --path";
    const isClosed = !ticket && error instanceof RgtpError &&
      ["ACCESS_DENIED", "NOT_FOUND"].includes(error.condition);
    const what = isClosed
      ? "not measured: nothing is exposed there that this machine may pull without a ticket"
      : `not measured: ${messageOf(error)}`;
    return [...idle, { ...WARN, name: "rate", what, ...(isClosed && { todo }) }];
  }
}

/** Round trips of small packets, ms; those that were not answered are not in it. Any exposer answers, and keeps nothing of it. */
export async function ping(address: Address, count: number): Promise<number[]> {
  using link = await openLink({ host: bindHostFor([address]), port: 0 });
  const sent: { readonly echo: Uint8Array; readonly at: number }[] = [];
  const trips: number[] = [];
  const heard = hear(link, (echo) => {
    const at = sent.findIndex((one) => equalBytes(one.echo, echo));
    if (at >= 0) trips.push(performance.now() - sent.splice(at, 1)[0].at);
  });
  for (let i = 0; i < count; i++) {
    const echo = systemRandom(8);
    sent.push({ echo, at: performance.now() });
    const bytes = unknownVersion(echo);
    await link.send({ peer: address, bytes, segmentSize: bytes.length });
    await pause(PING_EVERY_MS);
  }
  for (let late = 0; sent.length > 0 && late < PING_LATE_MS; late += PING_EVERY_MS) {
    await pause(PING_EVERY_MS);
  }
  link.close();
  await heard;
  return trips;
}

/** A packet of a version that there is not: what any exposer answers with a refusal that carries the same eight bytes. */
function unknownVersion(echo: Uint8Array): Uint8Array {
  const packet = new Uint8Array(24);
  packet[0] = ((PROTOCOL_VERSION ^ 0xf) << 4) | PacketType.HANDSHAKE;
  packet.set(echo, 4);
  return packet;
}

async function hear(link: Link, take: (echo: Uint8Array) => void): Promise<void> {
  for (let batch = await link.receive(); batch.length > 0; batch = await link.receive()) {
    for (const packet of batch.flatMap((datagrams) => [...segments(datagrams)])) {
      const message = refusal.decode(packet);
      if (message?.field === RefusalReason.VERSION) take(message.echo);
    }
  }
}

async function largestOf(where: string): Promise<Ticket> {
  // Nothing of it is believed or kept: what is pulled is thrown away.
  const options = { onNewExposer: () => true };
  const listed = await listExposures(where, options);
  const [largest] = listed.toSorted((a, b) => b.bytes - a.bytes);
  if (!largest) throw new RgtpError("NOT_FOUND", "nothing is exposed there for anybody");
  const label = Uint8Array.fromBase64(largest.id, { alphabet: "base64url" }).subarray(0, 16);
  return await find(where, label.toHex(), options);
}

/** Pulls for so long, over the network alone, and keeps nothing. */
export async function tryPull(ticket: Ticket, ms: number): Promise<PathFacts> {
  const burstPacketsMax = (await linkHere())?.burstPacketsMax ?? Infinity;
  const task = pull(ticket, { shared: false, multicast: false });
  const looks: { readonly at: number; readonly wireBytes: number; readonly roundTripMs: number }[] = [];
  const began = cpuUsage();
  const startedAt = performance.now();
  const look = () => {
    const { wireBytes, roundTripMs } = task.stats();
    if (wireBytes > 0) looks.push({ at: performance.now(), wireBytes, roundTripMs });
  };
  const ticker = setInterval(look, LOOK_MS);
  const lateness = new Lateness();
  let isWhole = true;
  try {
    for await (const _chunk of task) {
      if (performance.now() - startedAt < ms) continue;
      isWhole = false;
      break;
    }
  } finally {
    clearInterval(ticker);
    lateness.stop();
  }
  look();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = cpuUsage(began);
  const { wireBytes, loss, sources: [source] } = task.stats();
  // At first it gathers speed.
  const steady = looks.slice(Math.floor(looks.length / 4));
  const [first, last] = [steady[0], steady.at(-1)!];
  const span = last.at - first.at;
  return {
    source: formatAddress(source.address),
    ...{ seconds, isWhole, wireBytes, loss, burstPacketsMax },
    rate: span >= LOOK_MS ? (last.wireBytes - first.wireBytes) * 1000 / span : wireBytes / seconds,
    roundTripMs: steady.reduce((sum, { roundTripMs }) => sum + roundTripMs, 0) / steady.length,
    leastRoundTripMs: source.leastRoundTripMs,
    ...(source.rateMax !== undefined && { rateMax: source.rateMax }),
    cpu: (user + system) / 1e6 / seconds,
    lateMs: lateness.meanMs,
  };
}

/** How long the loop of this process lets a timer wait: packets wait as long. */
class Lateness {
  #sumMs = 0;
  #count = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.#wait();
  }

  get meanMs(): number {
    return this.#sumMs / Math.max(1, this.#count);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const due = performance.now() + LATE_EVERY_MS;
    this.#timer = setTimeout(() => {
      this.#sumMs += Math.max(0, performance.now() - due);
      this.#count++;
      this.#wait();
    }, LATE_EVERY_MS);
  }
}

/** Judges round trips of an idle way. */
export function judgePings(address: Address, trips: readonly number[]): Check[] {
  const name = "idle way";
  if (trips.length === 0) {
    return [{ ...WARN, name, what: `${formatAddress(address)} answers none of ${PINGS} small packets` }];
  }
  const sorted = trips.toSorted((a, b) => a - b);
  const [least, middle] = [sorted[0], sorted[sorted.length >> 1]];
  const what = `round trip ${ms(middle)}, at least ${
    ms(least)
  }; ${trips.length} of ${PINGS} small packets are answered`;
  return [{ ...(trips.length >= PINGS - 1 ? OK : WARN), name, what }];
}

const LOSS_HIGH = 0.01;

/** Judges a pull: what it reached, and what kept it from more. */
export function judgePull(facts: PathFacts): Check[] {
  const { source, seconds, wireBytes, rate, loss, roundTripMs, leastRoundTripMs } = facts;
  const lost = `${(loss * 100).toFixed(loss < 0.1 ? 2 : 1)} % of packets did not come when they should have`;
  const limit = limitsOf.find(({ isIt }) => isIt(facts))!.says(facts);
  return [
    {
      ...OK,
      name: "rate",
      what: `${formatRate(rate)} (${bits(rate)}) from ${source}: ${formatBytes(wireBytes)} in ${
        seconds.toFixed(1)
      } s`,
    },
    { ...(loss < LOSS_HIGH ? OK : WARN), name: "loss", what: lost },
    { ...OK, name: "loaded way", what: `round trip ${ms(roundTripMs)}, at least ${ms(leastRoundTripMs)}` },
    { ...(limit.todo === undefined ? OK : WARN), name: "what limits it", ...limit },
  ];
}

const SECONDS_MIN = 1;
const CPU_BUSY = 0.9;
const CEILING_SHARE = 0.85;
const BUFFER_SHARE = 0.7;
/** A queue that stands: so many ms, and so large a part of the round trip. */
const [QUEUE_MS, QUEUE_SHARE] = [1, 0.05];
const LOSS_TOO_HIGH = 0.05;

/** What may limit a pull; the first that fits is told. */
const limitsOf: readonly {
  readonly isIt: (facts: PathFacts) => boolean;
  readonly says: (facts: PathFacts) => { readonly what: string; readonly todo?: string };
}[] = [
  {
    isIt: ({ isWhole, seconds }) => isWhole && seconds < SECONDS_MIN,
    says: ({ wireBytes }) => ({
      what: `not known: ${formatBytes(wireBytes)} were over before they could show it`,
      todo: "try it with something larger",
    }),
  },
  {
    isIt: ({ rate, rateMax = Infinity }) => rate >= CEILING_SHARE * rateMax,
    says: ({ rateMax }) => ({
      what: `the exposer: it lets each puller have ${formatRate(rateMax!)} and no more (--limit-rate there)`,
    }),
  },
  {
    isIt: (facts) => facts.cpu >= CPU_BUSY || isLate(facts),
    says: ({ cpu, lateMs }) => ({
      what: `this machine's processor: the pull kept ${
        (cpu * 100).toFixed(0)
      } % of one busy, and what arrived waited ${ms(lateMs)} for it`,
      todo: "see what else runs here, and whether 'rgtp doctor' finds the fastest sockets and engine",
    }),
  },
  {
    isIt: (facts) => !hasQueue(facts) && facts.rate >= BUFFER_SHARE * bufferRate(facts),
    says: ({ burstPacketsMax, leastRoundTripMs }) => ({
      what:
        `the receive buffer of this machine: it holds ${burstPacketsMax} packets, and no more may be under way in ${
          ms(leastRoundTripMs)
        }`,
      todo: "sysctl -w net.core.rmem_max=4194304, as root, and --allow-ffi=/lib,/lib64",
    }),
  },
  {
    isIt: hasQueue,
    says: ({ roundTripMs, leastRoundTripMs, rate }) => ({
      what: `the slowest part of the way, or the exposer, is full at ${bits(rate)}: packets wait ${
        ms(roundTripMs - leastRoundTripMs)
      } there. If that is less than the lines carry, somebody else has the rest`,
    }),
  },
  {
    isIt: ({ loss }) => loss >= LOSS_TOO_HIGH,
    says: ({ loss }) => ({
      what: `loss: no queue stands on the way, and still ${
        (loss * 100).toFixed(0)
      } % get lost: a radio link, a policer, or a broken part`,
      todo: "if it is a line that is sold with a lower rate, ask for less: --limit-rate",
    }),
  },
  {
    isIt: () => true,
    says: () => ({
      what:
        "the exposer gives no more: no queue stands on the way, little gets lost, and this machine has time",
      todo: "look there: its processor, its disk, other pullers (rgtp expose --stats), its --limit-rate",
    }),
  },
];

/** Most of what packets wait is this process's own doing. */
function isLate({ lateMs, roundTripMs, leastRoundTripMs }: PathFacts): boolean {
  return lateMs >= QUEUE_MS && lateMs >= (roundTripMs - leastRoundTripMs) / 2;
}

function hasQueue({ roundTripMs, leastRoundTripMs }: PathFacts): boolean {
  return roundTripMs - leastRoundTripMs >= Math.max(QUEUE_MS, QUEUE_SHARE * leastRoundTripMs);
}

/** What can come where the receive buffer must hold all that is under way. */
function bufferRate({ burstPacketsMax, leastRoundTripMs }: PathFacts): number {
  return burstPacketsMax * UDP_PACKET_BYTES * 1000 / leastRoundTripMs;
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

/** As lines are sold. */
function bits(bytesPerSecond: number): string {
  const megabits = bytesPerSecond * 8 / 1e6;
  return megabits < 1000 ? `${megabits.toPrecision(3)} Mbit/s` : `${(megabits / 1000).toFixed(2)} Gbit/s`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
