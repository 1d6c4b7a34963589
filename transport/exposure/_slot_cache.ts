/** The share of the slots that what was asked for once may always have. */
const FRESH_SHARE = 0.25;

/**
 * Which of a fixed number of slots holds what, after "2Q" (Johnson and Shasha, VLDB 1994). What comes in for the first time waits in a
 * queue that nothing prolongs: the several requests that fetch one chunk are one use. What is asked for again after it has left the queue
 * is shared by somebody, and from then on goes by how recently it was used. So one long scan runs through the queue and leaves what is
 * shared alone; as long as nothing is shared, the queue has all slots.
 */
export class SlotCache {
  /** How many slots there are. */
  readonly slots: number;
  readonly #freshMin: number;
  /** By key; a Map keeps the order of insertion: first in, first out. */
  readonly #fresh = new Map<number, number>();
  /** By key, used longest ago first. */
  readonly #shared = new Map<number, number>();
  /** Keys that left the queue of late, the oldest first; as many as there are slots. */
  readonly #left = new Set<number>();
  readonly #free: number[] = [];
  #taken = 0;

  /** All slots are empty. @throws {RangeError} without a slot */
  constructor(slots: number) {
    if (!(slots >= 1)) throw new RangeError(`a cache of ${slots} slots`);
    this.slots = slots;
    this.#freshMin = Math.max(1, Math.floor(slots * FRESH_SHARE));
  }

  /** Slots that have ever been taken: these are numbered from 0 on. */
  get slotsTaken(): number {
    return this.#taken;
  }

  /** Whether a slot can be had without emptying another one. */
  get hasRoom(): boolean {
    return this.#free.length > 0 || this.#taken < this.slots;
  }

  /** Whether some slot holds `key`; does not count as a use. */
  has(key: number): boolean {
    return this.#fresh.has(key) || this.#shared.has(key);
  }

  /** The slot that holds `key`, which is used now. */
  use(key: number): number | undefined {
    const slot = this.#shared.get(key);
    if (slot === undefined) return this.#fresh.get(key);
    this.#shared.delete(key);
    this.#shared.set(key, slot);
    return slot;
  }

  /** A slot for `key`, which none holds; what was in it is gone. */
  admit(key: number): number {
    const slot = this.#takeSlot();
    (this.#left.delete(key) ? this.#shared : this.#fresh).set(key, slot);
    return slot;
  }

  /** Empties the slot that holds `key`, if one does. */
  forget(key: number): void {
    const slot = this.#fresh.get(key) ?? this.#shared.get(key);
    if (slot === undefined) return;
    this.#fresh.delete(key);
    this.#shared.delete(key);
    this.#free.push(slot);
  }

  #takeSlot(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#taken < this.slots) return this.#taken++;
    const fromFresh = this.#fresh.size >= this.#freshMin || this.#shared.size === 0;
    const [key, slot] = first(fromFresh ? this.#fresh : this.#shared);
    if (!fromFresh) this.#shared.delete(key);
    else {
      this.#fresh.delete(key);
      this.#remember(key);
    }
    return slot;
  }

  #remember(key: number): void {
    this.#left.add(key);
    if (this.#left.size <= this.slots) return;
    for (const oldest of this.#left) {
      this.#left.delete(oldest);
      return;
    }
  }
}

function first(entries: Map<number, number>): [key: number, slot: number] {
  for (const entry of entries) return entry;
  throw new RangeError("no slot is taken");
}
