import { DatabaseSync } from "node:sqlite";
import { decodePacked, encodePacked } from "../../codec/msgpack_map.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { RgtpError } from "../../core/errors.ts";
import { storeBounds } from "./_store_bounds.ts";
import type { Store, StoreEntry } from "./store.ts";

/** One writer at a time may wait so long for another. */
const BUSY_MS = 5000;

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA busy_timeout = ${BUSY_MS};
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS counter (last INTEGER NOT NULL);
  INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT * FROM counter);
`;

/**
 * What a controller knows, in a file on its own disk; `:memory:` for one that forgets. For one controller: those on other machines do not
 * see it.
 *
 * @throws {RgtpError} IO when the file cannot be opened, or is none of ours
 */
export function openSqliteStore(path: string): Store {
  try {
    const db = new DatabaseSync(path);
    db.exec(SCHEMA);
    return storeIn(db, path);
  } catch (cause) {
    throw new RgtpError("IO", `cannot open the controller's store '${path}': ${(cause as Error).message}`, {
      cause,
      data: { path },
    });
  }
}

function storeIn(db: DatabaseSync, path: string): Store {
  const one = db.prepare("SELECT key, value, revision FROM entries WHERE key = ?");
  const many = db.prepare("SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key");
  const tick = db.prepare("UPDATE counter SET last = last + 1");
  const last = "(SELECT last FROM counter)";
  const insert = db.prepare(`INSERT OR IGNORE INTO entries VALUES (?, ?, ${last})`);
  const update = db.prepare(
    `UPDATE entries SET value = ?, revision = ${last} WHERE key = ? AND revision = ?`,
  );
  const remove = db.prepare("DELETE FROM entries WHERE key = ? AND revision = ?");
  const entryOf = (row: Record<string, unknown>): StoreEntry => {
    const value = decodePacked(row.value as Uint8Array, storeBounds);
    if (value === undefined) throw new RgtpError("IO", `the row '${row.key}' of '${path}' is damaged`);
    return { key: String(row.key), value: value as PackedMap, revision: Number(row.revision) };
  };
  const write = (key: string, value: PackedMap | undefined, revision: number) => {
    if (value === undefined) return remove.run(key, revision).changes;
    // A revision is used once, also after an entry was removed and made again.
    tick.run();
    const bytes = encodePacked(value);
    return revision === 0 ? insert.run(key, bytes).changes : update.run(bytes, key, revision).changes;
  };
  const guarded = <T>(work: () => T): Promise<T> =>
    Promise.try(work).catch((cause) => {
      if (cause instanceof RgtpError) throw cause;
      throw new RgtpError("IO", `the controller's store '${path}' fails: ${cause.message}`, { cause });
    });
  return {
    get: (key) => guarded(() => rowOf(one.get(key), entryOf)),
    // The dot's successor is the slash.
    list: (token) => guarded(() => many.all(`${token}.`, `${token}/`).map(entryOf)),
    replace: (key, value, revision) => guarded(() => Number(write(key, value, revision)) === 1),
    [Symbol.asyncDispose]: () => Promise.try(() => db.close()),
  };
}

function rowOf<T>(
  row: Record<string, unknown> | undefined,
  read: (row: Record<string, unknown>) => T,
): T | undefined {
  return row && read(row);
}
