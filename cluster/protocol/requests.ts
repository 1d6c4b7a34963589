import type { RnpFault } from "./errors.ts";

/** Requests that wait for an answer, each until its time is over. */
export class Requests {
  readonly #due = new Map<string, number>();
  #deadline = Infinity;

  /** How many there are. */
  get size(): number {
    return this.#due.size;
  }

  /** Not later than when the first one is due. */
  get deadline(): number {
    return this.#deadline;
  }

  /** One more. */
  add(id: string, due: number): void {
    this.#due.set(id, due);
    if (due < this.#deadline) this.#deadline = due;
  }

  /** Whether there is one of this ID. */
  has(id: string): boolean {
    return this.#due.has(id);
  }

  /** Takes one out: whether it was there. */
  take(id: string): boolean {
    const there = this.#due.delete(id);
    if (this.#due.size === 0) this.#deadline = Infinity;
    return there;
  }

  /** Takes out those that are due. */
  takeDue(now: number): string[] {
    if (now < this.#deadline) return [];
    const late: string[] = [];
    this.#deadline = Infinity;
    for (const [id, due] of this.#due) {
      if (due <= now) late.push(id);
      else if (due < this.#deadline) this.#deadline = due;
    }
    for (const id of late) this.#due.delete(id);
    return late;
  }
}

/** What a request ends with when nobody answers. */
export const noAnswer: RnpFault = { code: "TIMEOUT", message: "no answer in the time allowed" };
