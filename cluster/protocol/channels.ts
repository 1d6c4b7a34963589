import { limits } from "../../core/limits.ts";
import type { PoolName } from "./message_data.ts";
import type { Delivery, Outbox } from "./outbox.ts";
import { isChannel } from "./payload.ts";
import { Slot } from "./slot.ts";

/** Links to each peer, by what goes over them. */
export const defaultPools: Readonly<Record<PoolName, number>> = { control: 4, peer: 2, data: 8 };

/** Where a message goes. */
export interface Place {
  /** The slot whose links carry it. */
  readonly slot: Slot;
  /** Its number in its channel; `undefined` for one that goes at most once. */
  readonly seq?: number;
}

/** The slots of all pools to one peer, and the channels that are spread over them. A channel stays where it began. */
export class Channels {
  readonly #pools: Readonly<Record<PoolName, number>>;
  readonly #slots = new Map<string, Slot>();
  readonly #channels = new Map<string, { readonly slot: Slot; last: number }>();

  /** `pools`: links in each. */
  constructor(pools: Readonly<Record<PoolName, number>>) {
    this.#pools = pools;
  }

  /** Slots that were used so far. */
  get slots(): IterableIterator<Slot> {
    return this.#slots.values();
  }

  /** A slot by its place. */
  slot(pool: PoolName, index: number): Slot {
    const key = `${pool}/${index}`;
    let slot = this.#slots.get(key);
    if (!slot) this.#slots.set(key, slot = new Slot(pool, index));
    return slot;
  }

  /** The slot of a channel in which something was sent. */
  slotOf(channel: string): Slot | undefined {
    return this.#channels.get(channel)?.slot;
  }

  /** The sum of something over the outboxes of all slots. */
  sum(of: (outbox: Outbox) => number): number {
    let sum = 0;
    for (const { outbox } of this.#slots.values()) sum += of(outbox);
    return sum;
  }

  /** Slots that use a link. */
  over(link: number): Slot[] {
    return Array.from(this.#slots.values()).filter(({ links }) => links[0] === link);
  }

  /** Where a message of a channel goes. @throws {RangeError} for a channel that cannot be, is in another pool, or is one too many */
  place(delivery: Delivery, channel: string, pool: PoolName): Place {
    if (!isChannel(channel)) {
      throw new RangeError(`'${channel}' is no name for a channel: 1 to 64 characters`);
    }
    const known = this.#channels.get(channel);
    if (known && known.slot.pool !== pool) {
      throw new RangeError(`channel '${channel}' is in the pool '${known.slot.pool}', not '${pool}'`);
    }
    const slot = known?.slot ?? this.slot(pool, hashOf(channel) % this.#pools[pool]);
    if (delivery === "at-most-once") return { slot };
    if (!known && this.#channels.size >= limits.rnpChannelsMax) {
      throw new RangeError(`there are ${limits.rnpChannelsMax} channels already: use one of them`);
    }
    return { slot, seq: (known?.last ?? 0) + 1 };
  }

  /** A message takes its number. */
  take(channel: string, { slot, seq }: Place): void {
    if (seq === undefined) return;
    const known = this.#channels.get(channel);
    if (known) known.last = seq;
    else this.#channels.set(channel, { slot, last: seq });
  }
}

/** FNV-1a: spreads channels over the links of a pool. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
