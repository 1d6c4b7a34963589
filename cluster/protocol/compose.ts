import type { PackedMap } from "../../codec/msgpack_map.ts";
import { FrameFlag } from "./frame.ts";
import type { LocalNode } from "./link.ts";
import { linkTypes } from "./message_types.ts";
import type { Delivery, Outgoing } from "./outbox.ts";
import { encodeParts } from "./payload.ts";
import type { FrameParts, Message } from "./payload.ts";

/** A frame that has waited so long is made anew, with another timestamp. */
const STALE_MS = 60_000;

/** What a message is made of, beside what its node adds. */
export interface Draft {
  readonly type: string;
  readonly data: PackedMap;
  readonly delivery: Delivery;
  readonly channel: string;
  /** Its number; `undefined` for one that goes at most once. */
  readonly seq: number | undefined;
  readonly replyTo: string | undefined;
  readonly compress: boolean;
}

/**
 * Makes a message and its frame.
 *
 * @throws {RangeError} for types that nobody has defined, data that its type does not allow, and messages that are too long
 */
export function compose(now: number, node: LocalNode, draft: Draft): Outgoing {
  const { type, data, delivery, channel, seq, replyTo, compress } = draft;
  checkSending(node, type, data);
  // Of one shape, whatever is missing: nothing that is undefined is written.
  const message: Message = {
    type,
    id: node.newId(),
    timestamp: Math.floor(node.epochMs + now),
    sender: node.nodeId,
    data,
    channel: seq === undefined ? undefined : channel,
    seq,
    reply_to: replyTo,
  };
  return { message, delivery, compress, frame: frameOf(node, message, delivery, compress) };
}

/** Makes the frame anew when it is old, or compressed for a peer that cannot read that. */
export function refresh(now: number, node: LocalNode, outgoing: Outgoing, compress: boolean): void {
  const timestamp = Math.floor(node.epochMs + now);
  if (timestamp - outgoing.message.timestamp <= STALE_MS && (compress || !outgoing.compress)) return;
  outgoing.message = { ...outgoing.message, timestamp };
  outgoing.compress = compress;
  outgoing.frame = frameOf(node, outgoing.message, outgoing.delivery, compress);
}

function checkSending({ types }: LocalNode, type: string, data: PackedMap): void {
  if (linkTypes.has(type)) throw new RangeError(`a '${type}' is the link's own to send`);
  if (!types.has(type)) {
    throw new RangeError(`nobody has said what a '${type}' is: define the type first`);
  }
  const fault = types.fault(type, data);
  if (fault !== undefined) throw new RangeError(`a '${type}' whose ${fault}`);
}

function frameOf(
  { integrity }: LocalNode,
  message: Message,
  delivery: Delivery,
  compress: boolean,
): FrameParts {
  const flags = delivery === "at-most-once" ? 0 : FrameFlag.REQUIRES_ACK;
  return encodeParts(message, { flags, compress, integrity });
}
