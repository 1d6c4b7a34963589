/*
 * Frames that are damaged, invented or spliced, thrown at a link that has greeted and at one that has not. Whatever comes, it goes on, or
 * ends with an error that it has told its peer; it never throws.
 *
 *   deno task fuzz:rnp --frames 10000000 --seed 1
 *   deno task fuzz:rnp --minutes 10
 */
import type { PackedMap, PackedValue } from "../../codec/msgpack_map.ts";
import { concatBytes } from "../../core/bytes.ts";
import { drain } from "../../core/machine.ts";
import { EPOCH_MS, testNode } from "../../cluster/protocol/_pair.ts";
import {
  FRAME_HEADER_BYTES,
  FrameFlag,
  FrameReader,
  writeFrameHeader,
} from "../../cluster/protocol/frame.ts";
import { messageTypes } from "../../cluster/protocol/message_types.ts";
import { decodeMessage, encodeMessage } from "../../cluster/protocol/payload.ts";
import type { Message } from "../../cluster/protocol/payload.ts";
import { PeerMachine } from "../../cluster/protocol/peer.ts";
import type { PeerOutput } from "../../cluster/protocol/peer_types.ts";
import { defaultRetry } from "../../cluster/protocol/retry.ts";
import { parseByTable } from "../../cli/_args.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";

/** What came of a run. */
export interface FuzzSums {
  /** Frames that were thrown. */
  frames: number;
  /** Links that they ended. */
  ended: number;
  /** Of these, by the error's code. */
  readonly codes: Record<string, number>;
  /** Messages that reached the application: some must, else nothing behind the envelope was tried. */
  delivered: number;
}

/** Making one costs more than a hundred frames. */
const node = testNode("left");

/** What frames are made of. */
export interface Template {
  /** Says who sends. */
  readonly greeting: Message;
  /** Valid frames of every type, for damaging. */
  readonly valid: readonly Uint8Array[];
}

/** For the peer that greets so. */
export function templateOf(greeting: Message): Template {
  const note = { ...greeting, type: "app.note" };
  const valid = [
    ...Object.keys(messageTypes).map((type) =>
      encodeMessage({ ...greeting, type, data: sample(type, greeting) })
    ),
    encodeMessage({ ...note, data: { n: 1 }, channel: "main", seq: 3 }, { flags: FrameFlag.REQUIRES_ACK }),
    encodeMessage({ ...note, data: { n: 1, x: "ab".repeat(2000) } }, { compress: true }),
    encodeMessage({ ...greeting, type: "ack", data: { channels: { main: 2 } } }, { flags: FrameFlag.IS_ACK }),
  ];
  return { greeting, valid };
}

function sample(type: string, greeting: Message): PackedMap {
  if (type.startsWith("hello")) return greeting.data;
  return type === "heartbeat"
    ? { cpu_percent: 1, ram_used_mb: 2, instance_count: 3 }
    : { timestamp: 1, reason: "" };
}

const template = templateOf({
  type: "hello",
  id: "550e8400-e29b-41d4-a716-446655440000",
  timestamp: EPOCH_MS,
  sender: "right",
  data: {
    version: "1.0",
    node_id: "right",
    incarnation: "0123456789abcdef",
    capabilities: ["lz4"],
    pool: "peer",
    slot: 0,
    window: 65_536,
  },
});

/** Throws `frames` frames, or as many as `until` allows. @throws {Error} with the seed and the bytes, when something is not as it must be */
export function fuzzFrames(seed: number, frames: number, until: () => boolean = () => false): FuzzSums {
  const random = seededRandom(seed, "frames");
  const sums: FuzzSums = { frames: 0, ended: 0, codes: {}, delivered: 0 };
  while (sums.frames < frames && !until()) throwAtOneLink(random, sums, seed);
  return sums;
}

/** One link, until it ends or has had fifty frames. */
function throwAtOneLink(random: SeededRandom, sums: FuzzSums, seed: number): void {
  const machine = new PeerMachine(node, {
    peerId: "right",
    pools: { control: 1, peer: 1, data: 1 },
    retry: defaultRetry,
  });
  machine.accepted(0, 1);
  const sent: Uint8Array[] = [];
  const outputs: PeerOutput[] = [];
  const give = (bytes: Uint8Array) => {
    sent.push(bytes);
    try {
      machine.handleBytes(0, 1, bytes);
      drain(machine, (output) => void outputs.push(output));
      machine.handleTimeout(5);
      drain(machine, (output) => void outputs.push(output));
    } catch (cause) {
      throw new Error(
        `seed ${seed}: it threw after ${sent.map((bytes) => bytes.toHex()).join(" ").slice(-4000)}`,
        {
          cause,
        },
      );
    }
  };
  if (random.chance(0.9)) give(encodeMessage(template.greeting));
  for (let i = 0; i < 50 && !outputs.some(({ kind }) => kind === "end"); i++) {
    sums.frames++;
    give(inventedFrame(random, template));
    for (const output of outputs.splice(0, outputs.length - 3)) count(output, sums);
  }
  for (const output of outputs) count(output, sums);
  const untold = whatWasNotTold(outputs);
  if (untold) throw new Error(`seed ${seed}: ${untold}`);
}

/** A link that is ended says why, last of all; unless it was the peer that said so. */
function whatWasNotTold(outputs: readonly PeerOutput[]): string | undefined {
  const end = outputs.findIndex(({ kind }) => kind === "end");
  const fault = outputs[end]?.kind === "end" ? outputs[end].fault : undefined;
  if (!fault || fault.message.startsWith("'right' says")) return undefined;
  const last = outputs.slice(0, end).findLast((output) => output.kind === "write");
  const reader = new FrameReader();
  if (last) reader.push(last.bytes);
  const frame = reader.next();
  const told = frame && "payload" in frame ? decodeMessage(frame) : undefined;
  if (told && "data" in told && told.type === "error") {
    if (told.data.code === fault.code && told.data.message === fault.message) return undefined;
  }
  return `ended for '${fault.message}', and told ${JSON.stringify(told)}`;
}

function count(output: PeerOutput, sums: FuzzSums): void {
  if (output.kind === "deliver") sums.delivered++;
  if (output.kind !== "end") return;
  sums.ended++;
  const code = output.fault?.code ?? "goodbye";
  sums.codes[code] = (sums.codes[code] ?? 0) + 1;
}

/** Bytes at which counts and lengths go wrong, and heads of MessagePack. */
const BORDERS = [0, 1, 0x7f, 0x80, 0x8f, 0x90, 0xc0, 0xc1, 0xc6, 0xc9, 0xd9, 0xdb, 0xdd, 0xdf, 0xfe, 0xff];

/** A frame that is damaged, spliced or put together of anything. */
export function inventedFrame(random: SeededRandom, template: Template): Uint8Array {
  const { integer, chance } = random;
  const frame = template.valid[integer(template.valid.length)].slice();
  if (chance(0.1)) return random.bytes(integer(200));
  if (chance(0.15)) return spliced(random, template, frame);
  if (chance(0.6)) return improvised(random, template);
  // Most damage behind the header: what is wrong in it is found at once.
  for (let times = 1 + integer(3); times > 0; times--) {
    const at = chance(0.1)
      ? integer(FRAME_HEADER_BYTES)
      : FRAME_HEADER_BYTES + integer(frame.length - FRAME_HEADER_BYTES);
    frame[at] = chance(0.5) ? BORDERS[integer(BORDERS.length)] : integer(256);
  }
  return frame;
}

/** A right header around a payload that is put together of others. */
function spliced({ integer, chance }: SeededRandom, { valid }: Template, frame: Uint8Array): Uint8Array {
  const other = valid[integer(valid.length)];
  const payload = concatBytes(
    frame.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + integer(frame.length)),
    other.subarray(integer(other.length)),
  );
  const whole = concatBytes(new Uint8Array(FRAME_HEADER_BYTES), payload);
  writeFrameHeader(whole, whole.length - FRAME_HEADER_BYTES, chance(0.2) ? integer(16) : 0);
  return whole;
}

/** The one that an application takes is drawn more often. */
const types = [...Object.keys(messageTypes), ...new Array<string>(12).fill("app.note"), "app.other"];

/** A right envelope, or one with a single thing wrong, around any data. */
function improvised(random: SeededRandom, { greeting }: Template): Uint8Array {
  const { integer, chance } = random;
  const data: Record<string, PackedValue> = { n: integer(5), code: "TIMEOUT", message: "m" };
  for (let fields = integer(4); fields > 0; fields--) data[NAMES[integer(NAMES.length)]] = anyValue(random);
  const message = {
    ...greeting,
    type: types[integer(types.length)],
    id: `550e8400-e29b-41d4-a716-${String(integer(1e6)).padStart(12, "0")}`,
    data,
    ...(chance(0.5) && { channel: `c${integer(300)}`, seq: 1 + integer(20) }),
    ...(chance(0.2) && { reply_to: greeting.id }),
    ...(chance(0.02) && { sender: "other" }),
    ...(chance(0.05) && { [NAMES[integer(NAMES.length)]]: anyValue(random) }),
  };
  return encodeMessage(message as Message, { flags: chance(0.5) ? FrameFlag.REQUIRES_ACK : 0 });
}

const NAMES = [
  "type",
  "id",
  "timestamp",
  "sender",
  "data",
  "channel",
  "seq",
  "channels",
  "ids",
  "n",
  "reason",
  "code",
];

function anyValue(random: SeededRandom): PackedValue {
  const { integer, bytes } = random;
  const makers: readonly (() => PackedValue)[] = [
    () => null,
    () => integer(2) === 0,
    () => integer(1000) - 500,
    () => 2 ** integer(70),
    () => 0.5,
    () => "x".repeat(integer(100)),
    () => bytes(integer(20)),
    () => [anyValue(random)],
    () => ({ [NAMES[integer(NAMES.length)]]: anyValue(random) }),
  ];
  return makers[integer(makers.length)]();
}

if (import.meta.main) {
  const flags = {
    frames: { kind: "string", placeholder: "COUNT", help: "how many", default: "no end" },
    minutes: {
      kind: "string",
      placeholder: "COUNT",
      help: "how long",
      default: "1, unless `--frames` is said",
    },
    seed: { kind: "string", placeholder: "SEED", help: "which run", default: "1" },
  } as const;
  const given = parseByTable(Deno.args, flags, { required: [], optional: [] }).flags;
  const minutes = Number(given.minutes ?? (given.frames === undefined ? 1 : Infinity));
  const started = performance.now();
  const isOver = () => performance.now() - started > minutes * 60_000;
  const sums = fuzzFrames(Number(given.seed ?? 1), Number(given.frames ?? Infinity), isOver);
  const seconds = (performance.now() - started) / 1000;
  console.log(JSON.stringify({ ...sums, seconds: Math.round(seconds) }));
}
