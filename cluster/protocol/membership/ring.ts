/** A node and its place. */
interface Place {
  readonly id: string;
  readonly at: number;
}

/**
 * Who watches whom. Nodes stand on a ring, in an order that has nothing to do with their names; each sends its heartbeats to the next few,
 * which watch it. So a node sends and gets the same number of heartbeats however many there are.
 */
export class Ring {
  /** By their places. */
  readonly #order: Place[] = [];

  /** How many there are. */
  get size(): number {
    return this.#order.length;
  }

  /** The node with a number, from 0: for chance. */
  at(index: number): string {
    return this.#order[index].id;
  }

  /** One more; one that is there stays. */
  add(id: string): void {
    const place = { id, at: placeOf(id) };
    const index = this.#indexOf(place);
    if (this.#order[index]?.id !== id) this.#order.splice(index, 0, place);
  }

  /** One less. */
  remove(id: string): void {
    const index = this.#indexOf({ id, at: placeOf(id) });
    if (this.#order[index]?.id === id) this.#order.splice(index, 1);
  }

  /** The `count` nodes behind one, nearest first: those that watch it. */
  after(id: string, count: number): string[] {
    return this.#walk(id, count, 1);
  }

  /** The `count` nodes in front of one: those that it watches. */
  before(id: string, count: number): string[] {
    return this.#walk(id, count, -1);
  }

  #walk(id: string, count: number, step: 1 | -1): string[] {
    const { length } = this.#order;
    const start = this.#indexOf({ id, at: placeOf(id) });
    if (this.#order[start]?.id !== id) return [];
    const found: string[] = [];
    for (let i = 1; i <= Math.min(count, length - 1); i++) {
      found.push(this.#order[(start + step * i + length * i) % length].id);
    }
    return found;
  }

  /** Where a place is, or would be. */
  #indexOf(place: Place): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore(this.#order[middle], place)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function isBefore(a: Place, b: Place): boolean {
  return a.at < b.at || (a.at === b.at && a.id < b.id);
}

/** FNV-1a, and the last step of MurmurHash3, which spreads names that differ in one digit. */
function placeOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
