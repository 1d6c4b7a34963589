/*
 * Packets on their way, in order of their arrival: a heap of slots whose memory is allocated once, since garbage collected between
 * packets would be delay that nobody asked for.
 */

/** Bytes of a slot: more than any packet of an Ethernet. */
export const slotBytes = 2048;

/** A bounded set of packets, each with a time. */
export class Flight {
  /** The memory of each slot. */
  readonly slots: readonly Uint8Array<ArrayBuffer>[];
  /** What the caller wants to know of a slot's packet. */
  readonly lengths: Uint16Array;
  /** The direction that a slot's packet goes. */
  readonly directions: Uint8Array;
  /** The flow that it belongs to. */
  readonly flows: Float64Array;
  readonly #times: Float64Array;
  /** Of equal times the earlier packet goes first. */
  readonly #numbers: Float64Array;
  readonly #heap: Int32Array;
  readonly #vacant: Int32Array;
  #count = 0;
  #number = 0;

  /** Makes room for so many packets. */
  constructor(size: number) {
    const memory = new Uint8Array(size * slotBytes);
    this.slots = Array.from({ length: size }, (_, i) => memory.subarray(i * slotBytes, (i + 1) * slotBytes));
    this.lengths = new Uint16Array(size);
    this.directions = new Uint8Array(size);
    this.flows = new Float64Array(size);
    this.#times = new Float64Array(size);
    this.#numbers = new Float64Array(size);
    this.#heap = new Int32Array(size);
    this.#vacant = Int32Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  /** How many are on their way. */
  get count(): number {
    return this.#count;
  }

  /** A slot that the next packet may be read into, until it is added; -1 when all are taken. */
  get vacant(): number {
    const left = this.slots.length - this.#count;
    return left === 0 ? -1 : this.#vacant[left - 1];
  }

  /** When the next packet arrives; Infinity when there is none. */
  get nextAt(): number {
    return this.#count === 0 ? Infinity : this.#times[this.#heap[0]];
  }

  /** Sends the {@linkcode vacant} slot on its way. */
  add(at: number): void {
    const slot = this.vacant;
    this.#times[slot] = at;
    this.#numbers[slot] = this.#number++;
    let i = this.#count++;
    for (; i > 0; i = (i - 1) >> 1) {
      const parent = this.#heap[(i - 1) >> 1];
      if (!this.#isBefore(slot, parent)) break;
      this.#heap[i] = parent;
    }
    this.#heap[i] = slot;
  }

  /** Takes out the slot that arrives next, which is vacant from then on: use it before anything else. There must be one. */
  pop(): number {
    const first = this.#heap[0];
    const moved = this.#heap[--this.#count];
    let i = 0;
    for (let child = 1; child < this.#count; child = 2 * i + 1) {
      if (child + 1 < this.#count && this.#isBefore(this.#heap[child + 1], this.#heap[child])) child++;
      if (!this.#isBefore(this.#heap[child], moved)) break;
      this.#heap[i] = this.#heap[child];
      i = child;
    }
    this.#heap[i] = moved;
    this.#vacant[this.slots.length - this.#count - 1] = first;
    return first;
  }

  #isBefore(a: number, b: number): boolean {
    const [x, y] = [this.#times[a], this.#times[b]];
    return x < y || (x === y && this.#numbers[a] < this.#numbers[b]);
  }
}
