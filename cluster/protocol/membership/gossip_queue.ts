import type { MemberUpdate } from "./member.ts";

/**
 * Updates that have to go round. Each is passed on a number of times that grows with the logarithm of the cluster (SWIM §4.1), those that
 * were passed on least first; a newer one about the same node takes the place of the older.
 */
export class GossipQueue {
  readonly #updates = new Map<string, { readonly update: MemberUpdate; sent: number }>();

  /** How many there are. */
  get size(): number {
    return this.#updates.size;
  }

  /** One more. */
  add(update: MemberUpdate): void {
    this.#updates.set(update.node, { update, sent: 0 });
  }

  /** Up to `count` updates for a message, in a cluster of `members`. */
  take(count: number, members: number): MemberUpdate[] {
    const times = retransmissions(members);
    const chosen = Array.from(this.#updates.values()).sort((a, b) => a.sent - b.sent).slice(0, count);
    for (const entry of chosen) {
      if (++entry.sent >= times) this.#updates.delete(entry.update.node);
    }
    return chosen.map(({ update }) => update);
  }
}

/** How often an update is passed on. */
export function retransmissions(members: number): number {
  return 6 * Math.ceil(Math.log10(members + 2));
}
