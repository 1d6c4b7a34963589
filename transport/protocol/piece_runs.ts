import type { Run } from "../../codec/listing.ts";

/** A set of piece numbers as runs: what is typical of an exposure, a few long ones, takes next to no memory. */
export class PieceRuns implements Iterable<Run> {
  /** Bounds in turn: where a run begins, and where it ends (one past its last). Ascending, none twice. */
  #bounds: number[] = [];

  /** Whether it holds nothing. */
  get isEmpty(): boolean {
    return this.#bounds.length === 0;
  }

  /** Whether it holds a piece. */
  has(piece: number): boolean {
    return this.#after(piece) % 2 === 1;
  }

  /** Adds the pieces from `first` to before `end`. */
  add(first: number, end: number): void {
    this.#replace(first, end, true);
  }

  /** Removes the pieces from `first` to before `end`. */
  remove(first: number, end: number): void {
    this.#replace(first, end, false);
  }

  /** The first piece that it holds from `piece` on. */
  nextFrom(piece: number): number | undefined {
    const at = this.#after(piece);
    return at % 2 === 1 ? piece : this.#bounds[at];
  }

  /** The runs, ascending. */
  *[Symbol.iterator](): Generator<Run> {
    for (let i = 0; i < this.#bounds.length; i += 2) {
      yield { first: this.#bounds[i], count: this.#bounds[i + 1] - this.#bounds[i] };
    }
  }

  /** How many bounds are not behind `piece`: an odd number says that it is inside a run. */
  #after(piece: number): number {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#bounds[middle] <= piece) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #replace(first: number, end: number, isIn: boolean): void {
    if (first >= end) return;
    // Bounds from `first` to `end`, both included, go; a bound at either place stays where inside and outside differ.
    const from = this.#after(first - 1);
    const to = this.#after(end);
    const bounds: number[] = [];
    if ((from % 2 === 1) !== isIn) bounds.push(first);
    if ((to % 2 === 1) !== isIn) bounds.push(end);
    this.#bounds.splice(from, to - from, ...bounds);
  }
}
