import { encodePacked } from "../../codec/msgpack_map.ts";
import type { Message } from "./payload.ts";

/**
 * The map of a message as MessagePack, behind `room` bytes that are left for the caller, and before as many as `after` says. It is what the
 * library would write for the whole; but its keys are known and its texts plain, so all but `data` is written here, in one pass.
 *
 * `undefined` for a message that is not so: one with other fields, with texts that are not ASCII, or with times that are none.
 *
 * @param more entries of the map that the caller adds behind it
 * @throws {RangeError} when `data` holds what MessagePack cannot carry
 */
export function encodeEnvelope(
  message: Message,
  room: number,
  more = 0,
  after = 0,
): Uint8Array<ArrayBuffer> | undefined {
  const { type, id, timestamp, sender, data, channel, seq, reply_to: replyTo } = message;
  const hasChannel = channel !== undefined;
  const hasSeq = seq !== undefined;
  const hasReplyTo = replyTo !== undefined;
  const entries = 5 + Number(hasChannel) + Number(hasSeq) + Number(hasReplyTo);
  if (!isPlain(message, entries)) return undefined;
  const head = HEAD_BYTES + textSize(type) + textSize(id) + countSize(timestamp) + textSize(sender);
  const tail = (hasChannel ? CHANNEL_BYTES + textSize(channel) : 0) +
    (hasSeq ? SEQ_BYTES + countSize(seq) : 0) +
    (hasReplyTo ? REPLY_TO_BYTES + textSize(replyTo) : 0);

  const bytes = encodePacked(data, room + head, tail + after);
  let at = room;
  bytes[at++] = 0x80 | (entries + more);
  at = putText(bytes, putText(bytes, at, "type"), type);
  at = putText(bytes, putText(bytes, at, "id"), id);
  at = putCount(bytes, putText(bytes, at, "timestamp"), timestamp);
  at = putText(bytes, putText(bytes, at, "sender"), sender);
  at = putText(bytes, at, "data");
  if (at !== room + head) return undefined;
  at = bytes.length - after - tail;
  if (hasChannel) at = putText(bytes, putText(bytes, at, "channel"), channel);
  if (hasSeq) at = putCount(bytes, putText(bytes, at, "seq"), seq);
  if (hasReplyTo) at = putText(bytes, putText(bytes, at, "reply_to"), replyTo);
  return at === bytes.length - after ? bytes : undefined;
}

/** A text that is one longer than its characters. */
const keySize = (key: string) => 1 + key.length;
const HEAD_BYTES = 1 +
  ["type", "id", "timestamp", "sender", "data"].reduce((sum, key) => sum + keySize(key), 0);
const CHANNEL_BYTES = keySize("channel");
const SEQ_BYTES = keySize("seq");
const REPLY_TO_BYTES = keySize("reply_to");

/** What stands in an envelope, and whether it is a text or a count. */
const fields: Readonly<Record<string, "text" | "count" | "map">> = {
  type: "text",
  id: "text",
  timestamp: "count",
  sender: "text",
  data: "map",
  channel: "text",
  seq: "count",
  reply_to: "text",
};

/** Whether a message has so many fields, all of which are known, and as they should be. */
function isPlain(message: Message, count: number): boolean {
  let found = 0;
  // The hot path: no entries, no arrays.
  for (const name in message) {
    const value = message[name as keyof Message] as unknown;
    if (value === undefined) continue;
    const kind = fields[name];
    if (kind === "text" ? !isShortText(value) : kind === "count" ? !isCount(value) : kind !== "map") {
      return false;
    }
    found++;
  }
  return found === count;
}

function isShortText(value: unknown): boolean {
  return typeof value === "string" && value.length < 256;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function textSize({ length }: string): number {
  return length < 32 ? 1 + length : 2 + length;
}

/** Writes a text of ASCII; gives the place behind it, `NaN` for another one. What is written at `NaN` is written nowhere. */
function putText(to: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (length < 32) to[at++] = 0xa0 | length;
  else {
    to[at++] = 0xd9;
    to[at++] = length;
  }
  let all = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    all |= code;
    to[at++] = code;
  }
  return all < 128 ? at : NaN;
}

function countSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x10000 ? 3 : value < 2 ** 32 ? 5 : 9;
}

/** First bytes of counts, by their size. */
const COUNT_HEADS: Readonly<Record<number, number>> = { 2: 0xcc, 3: 0xcd, 5: 0xce, 9: 0xcf };

/** Writes a count; gives the place behind it. */
function putCount(to: Uint8Array, at: number, value: number): number {
  const size = countSize(value);
  let rest = value;
  for (let i = size - 1; i >= 0; i--) {
    to[at + i] = rest & 255;
    rest = Math.floor(rest / 256);
  }
  if (size > 1) to[at] = COUNT_HEADS[size];
  return at + size;
}
