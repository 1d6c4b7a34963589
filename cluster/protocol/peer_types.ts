import type { RnpFault } from "./errors.ts";
import type { Greeting, PoolName } from "./message_data.ts";
import type { Delivery } from "./outbox.ts";
import type { Message } from "./payload.ts";
import type { RetryPolicy } from "./retry.ts";

/** How a node deals with one peer. */
export interface PeerSettings {
  /** The peer's ID. */
  readonly peerId: string;
  /** Links in each pool. */
  readonly pools: Readonly<Record<PoolName, number>>;
  /** How often a link is dialled when nothing comes of it. */
  readonly retry: RetryPolicy;
}

/** How a message is sent. */
export interface SendOptions {
  /** What is promised; `exactly-once` when nothing is said. */
  readonly delivery?: Delivery | undefined;
  /** Messages of one channel arrive in the order in which they were sent; `main` when nothing is said. */
  readonly channel?: string | undefined;
  /** Over which links; `peer` when nothing is said. A channel stays in the pool where it began. */
  readonly pool?: PoolName | undefined;
  /** The message that this one answers. */
  readonly replyTo?: string | undefined;
}

/** A message that arrived, for the application. */
export interface Delivered {
  /** The message. */
  readonly message: Message;
  /** Bytes of its payload on the wire. */
  readonly bytes: number;
  /** What a large message lies in, when nothing else does. */
  readonly memory?: Uint8Array<ArrayBuffer> | undefined;
  /** The link that it came over. */
  readonly link: number;
  /** For `handled`. */
  readonly requiresAck: boolean;
  /** For `handled`. */
  readonly generation: number;
}

/** What a peer's machine asks for. */
export type PeerOutput =
  /** Bytes for a connection: to be answered by `handleWritten`. */
  | { readonly kind: "write"; readonly link: number; readonly bytes: Uint8Array }
  /** Close a connection when all is sent. */
  | { readonly kind: "end"; readonly link: number; readonly fault?: RnpFault }
  /** Open a connection: to be answered by `dialled` or `handleDialFailed`. */
  | { readonly kind: "dial"; readonly pool: PoolName; readonly slot: number }
  /** A message for the application: to be answered by `handled`. */
  | { readonly kind: "deliver"; readonly delivered: Delivered }
  /** A message of ours was handled by the peer, or will not be. */
  | { readonly kind: "settled"; readonly id: string; readonly fault?: RnpFault }
  /** The answer to a request, or why there is none. */
  | { readonly kind: "answered"; readonly id: string; readonly message?: Message; readonly fault?: RnpFault }
  /** There is room again for messages. */
  | { readonly kind: "writable" }
  /** A link is open. */
  | { readonly kind: "open"; readonly link: number; readonly greeting: Greeting };

/** Messages that were not delivered, by reason. */
export interface PeerCounters {
  /** They had come before. */
  duplicates: number;
  /** Their IDs or timestamps were too old to tell. */
  stale: number;
  /** Their data was not as their type demands. */
  unfit: number;
}
