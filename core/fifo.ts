const SLOTS_MIN = 16;

/**
 * What waits, in order. An array that is shifted until it is empty lets go of its memory and takes new one with the next push; this keeps
 * it, which matters where something goes in and out for each chunk.
 */
export class Fifo<T> {
  /** A ring; its size is a power of two. */
  #slots: (T | undefined)[] = new Array<T | undefined>(SLOTS_MIN).fill(undefined);
  #first = 0;
  #length = 0;

  /** How many wait. */
  get length(): number {
    return this.#length;
  }

  /** Adds one at the end. */
  push(item: T): void {
    if (this.#length === this.#slots.length) this.#grow();
    this.#slots[(this.#first + this.#length) & (this.#slots.length - 1)] = item;
    this.#length++;
  }

  /** Takes the first one; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#slots[this.#first];
    this.#slots[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#slots.length - 1);
    this.#length--;
    return item;
  }

  /** Forgets all. */
  clear(): void {
    this.#slots.fill(undefined);
    this.#length = 0;
  }

  #grow(): void {
    const { length } = this.#slots;
    const inOrder = [...this.#slots.slice(this.#first), ...this.#slots.slice(0, this.#first)];
    this.#slots = inOrder.concat(new Array<T | undefined>(length).fill(undefined));
    this.#first = 0;
  }
}
