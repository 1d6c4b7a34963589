import type { Run } from "../../codec/listing.ts";

/** A source that has nothing of use is asked for something all the same, this often: that tells it what is wanted. */
const WISH_EVERY_MS = 200;

/** Which chunks a source has. Until it says otherwise, all of them. */
export class Holdings {
  #runs: readonly Run[] | undefined;
  #chunks = 0;
  #isWishDue = false;
  #wishAt = Infinity;

  /** Whether it has said that it lacks some. */
  get isPartial(): boolean {
    return this.#runs !== undefined;
  }

  /** When it may be asked for what it lacks; `Infinity` for one that has all. */
  get wishAt(): number {
    return this.#wishAt;
  }

  /** It has these, and no others. Whether they are more than before. */
  update(now: number, runs: readonly Run[]): boolean {
    const chunks = runs.reduce((sum, { count }) => sum + count, 0);
    const isMore = chunks > this.#chunks;
    if (!this.#runs) this.handleTimeout(now);
    this.#runs = runs;
    this.#chunks = chunks;
    return isMore;
  }

  /** Whether it has a chunk. */
  has(chunk: number): boolean {
    if (!this.#runs) return true;
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { first, count } = this.#runs[middle];
      if (chunk < first) high = middle;
      else if (chunk >= first + count) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** `wishAt` has come. */
  handleTimeout(now: number): void {
    this.#isWishDue = true;
    this.#wishAt = now + WISH_EVERY_MS;
  }

  /** Whether it may be asked now for what it lacks; then not again at once. */
  takeWish(): boolean {
    const isDue = this.#isWishDue;
    this.#isWishDue = false;
    return isDue;
  }
}
