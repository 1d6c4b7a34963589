import { keyOf } from "./store.ts";
import type { Store } from "./store.ts";

/** How often who leads says so, and how long the others wait without a word of it. */
const RENEW_MS = 2000;
const LEASE_MS = 7000;

/**
 * Which of several controllers does what one of them has to do: looks at services, and repairs. It writes a row every two seconds; when the
 * row has not changed for seven, by the clock of whoever looks, another one takes over. No two clocks are ever compared. For a moment two
 * may lead: all that they do is safe to be done twice.
 */
export class Lease {
  readonly #store: Store;
  readonly #id: string;
  #seen = { revision: -1, at: 0 };
  #triedAt = -Infinity;
  #isMine: Promise<boolean> = Promise.resolve(false);

  /** `id`: the controller's. */
  constructor(store: Store, id: string) {
    this.#store = store;
    this.#id = id;
  }

  /** Whether this controller leads, at a monotonic time in ms. To be asked every second. @throws {RgtpError} when the store fails */
  async hold(now: number): Promise<boolean> {
    if (now - this.#triedAt >= RENEW_MS) {
      this.#triedAt = now;
      this.#isMine = this.#tryToHold(now);
    }
    return await this.#isMine;
  }

  async #tryToHold(now: number): Promise<boolean> {
    const entry = await this.#store.get(KEY);
    const revision = entry?.revision ?? 0;
    if (revision !== this.#seen.revision) this.#seen = { revision, at: now };
    const isFree = entry === undefined || entry.value.controller === this.#id ||
      now - this.#seen.at >= LEASE_MS;
    return isFree && await this.#store.replace(KEY, { controller: this.#id }, revision);
  }

  /** Lets another one lead at once. */
  async release(): Promise<void> {
    this.#isMine = Promise.resolve(false);
    const entry = await this.#store.get(KEY);
    if (entry?.value.controller === this.#id) await this.#store.replace(KEY, undefined, entry.revision);
  }
}

const KEY = keyOf("lease", "leader");
