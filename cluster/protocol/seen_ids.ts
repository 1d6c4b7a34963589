import { limits } from "../../core/limits.ts";

/**
 * Tells messages that come a second time from new ones, by ID and timestamp, in bounded memory: two generations of IDs, of which the older
 * is forgotten when the younger is full. What is not newer than everything forgotten can no longer be told, and is refused.
 */
export class SeenIds {
  readonly #max: number;
  #young = new Set<string>();
  #old = new Set<string>();
  #youngNewest = 0;
  #oldNewest = 0;
  /** Newest timestamp among those forgotten. */
  #forgotten = -1;

  /** Remembers the last `max` IDs at least, and twice as many at most. */
  constructor(max: number = limits.rnpSeenIdsMax) {
    this.#max = max;
  }

  /** Whether a message is new; it is remembered then. */
  take(id: string, timestamp: number): boolean {
    if (timestamp <= this.#forgotten || this.#young.has(id) || this.#old.has(id)) return false;
    if (this.#young.size >= this.#max) this.#turn();
    this.#young.add(id);
    if (timestamp > this.#youngNewest) this.#youngNewest = timestamp;
    return true;
  }

  #turn(): void {
    if (this.#old.size > 0) this.#forgotten = this.#oldNewest;
    [this.#old, this.#young] = [this.#young, new Set()];
    this.#oldNewest = this.#youngNewest;
  }
}
