import type { PackedMap } from "../../codec/msgpack_map.ts";
import { rnpError } from "../protocol/errors.ts";

/** What a store holds under a key. */
export interface StoreEntry {
  /** Tokens of letters, digits, `-`, `_` and `=`, with dots between them. */
  readonly key: string;
  /** A map. */
  readonly value: PackedMap;
  /** Another number after each change; never 0. */
  readonly revision: number;
}

/**
 * Where controllers keep what they know. All that it promises is that of two who replace the same revision one is told that it came too
 * late: with that, any number of controllers share one truth.
 */
export interface Store extends AsyncDisposable {
  /** What is under a key. @throws {RgtpError} */
  get(key: string): Promise<StoreEntry | undefined>;
  /** All whose keys begin with a token and a dot, in order of their keys. @throws {RgtpError} */
  list(token: string): Promise<StoreEntry[]>;
  /**
   * Puts a value in place of a revision, and nothing in place of one for `undefined`. Revision 0: there must be none. Returns whether it
   * was done; if not, somebody else was faster.
   *
   * @throws {RgtpError}
   */
  replace(key: string, value: PackedMap | undefined, revision: number): Promise<boolean>;
}

/** A change that loses so often has met a fault, and no competition. */
const ATTEMPTS_MAX = 64;

/**
 * Changes what is under a key, as often as it takes until nobody came between. `next` gets what is there, and says what shall be:
 * `undefined` for nothing, the same value for no change. Returns what is there afterwards.
 *
 * @throws {RgtpError} what `next` throws; TIMEOUT when others were always faster
 */
export async function change<T extends PackedMap>(
  store: Store,
  key: string,
  next: (value: T | undefined) => T | undefined,
): Promise<T | undefined> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const entry = await store.get(key);
    // The store's own rows: whoever can write them can do all that a controller can.
    const before = entry?.value as T | undefined;
    const after = next(before);
    if (after === before || await store.replace(key, after, entry?.revision ?? 0)) return after;
  }
  throw rnpError({
    code: "TIMEOUT",
    message: `'${key}' was changed by others ${ATTEMPTS_MAX} times in a row`,
  });
}

/** All values under a token. */
export async function valuesOf<T extends PackedMap>(store: Store, token: string): Promise<T[]> {
  return (await store.list(token)).map(({ value }) => value as T);
}

/** A key for names that may hold anything. */
export function keyOf(token: string, ...names: readonly string[]): string {
  const encoder = new TextEncoder();
  const parts = names.map((name) =>
    encoder.encode(name).toBase64({ alphabet: "base64url", omitPadding: true })
  );
  return [token, ...parts].join(".");
}
