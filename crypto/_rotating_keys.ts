import type { Random } from "../core/mod.ts";
import { KEY_BYTES } from "./engine.ts";

/** A key that will be forgotten. */
export interface NumberedKey {
  /** 0 to 255, so that what was made with the key can name it. */
  readonly number: number;
  /** 32 bytes; zeros once it is forgotten. */
  readonly bytes: Uint8Array;
  /** Monotonic ms of its first use. */
  readonly bornAt: number;
}

/**
 * Keys that live in memory only: a new one is made after `rotateMs`, each is overwritten and forgotten
 * `lifeMs` after its birth. Time passes only when a method is called.
 */
export class RotatingKeys {
  readonly #random: Random;
  readonly #rotateMs: number;
  readonly #lifeMs: number;
  /** Oldest first. */
  #keys: NumberedKey[] = [];
  #nextNumber = 0;

  constructor(random: Random, rotateMs: number, lifeMs: number) {
    this.#random = random;
    this.#rotateMs = rotateMs;
    this.#lifeMs = lifeMs;
  }

  /** The key to make things with now. */
  current(now: number): NumberedKey {
    this.expire(now);
    const newest = this.#keys.at(-1);
    if (newest !== undefined && now - newest.bornAt < this.#rotateMs) return newest;
    const key = { number: this.#nextNumber, bytes: Uint8Array.from(this.#random(KEY_BYTES)), bornAt: now };
    this.#nextNumber = (this.#nextNumber + 1) & 255;
    this.#keys.push(key);
    return key;
  }

  /** The key of that number, if it is still known. Call `expire` before, where the time is at hand. */
  find(number: number): NumberedKey | undefined {
    return this.#keys.find((key) => key.number === number);
  }

  /** Overwrites and forgets the keys whose life is over. */
  expire(now: number): void {
    this.#keys = this.#keys.filter((key) => {
      const isAlive = now - key.bornAt < this.#lifeMs;
      if (!isAlive) key.bytes.fill(0);
      return isAlive;
    });
  }
}
