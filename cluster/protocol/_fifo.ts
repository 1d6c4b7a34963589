/** A queue: what was put in first comes out first, at the same cost however long it is. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many are in it. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The first, which stays. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  /** One more, at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first out. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    // What was taken out is not kept alive from here.
    this.#items[this.#head++] = undefined;
    // Copied seldom enough that it costs each item a constant.
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** The sum of something over all of them. */
  sum(of: (item: T) => number): number {
    let sum = 0;
    for (let i = this.#head; i < this.#items.length; i++) sum += of(this.#items[i]!);
    return sum;
  }

  /** Takes all out, in order. */
  drain(): T[] {
    const all = this.#items.slice(this.#head) as T[];
    this.#items = [];
    this.#head = 0;
    return all;
  }
}
