import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { RgtpError } from "../../core/errors.ts";
import type { ErrorName } from "../../core/errors.ts";
import type { AeadName } from "../../crypto/engine.ts";
import { ioError, isPermissionLack } from "./_io_errors.ts";
import { makeStateDir } from "./identity_file.ts";
import type { SourceFingerprint } from "./source.ts";

/** How a source was cut and sealed. */
export interface CatalogParameters {
  /** Plaintext bytes of a chunk. */
  readonly chunkSize: number;
  /** How its chunks are sealed. */
  readonly aead: AeadName;
  /** For whom, and how its salt was made: two policies never share a key. Absent: tickets, and a random salt. */
  readonly policy?: string;
}

/** What makes the same exposure of the same file again. */
export interface CatalogRow {
  /** 32 bytes, secret; sealed this content and must seal no other. */
  readonly salt: Uint8Array;
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** All leaf hashes after each other. */
  readonly leaves: Uint8Array;
  /** Of a collection its index, with the hashes that come of reading all of its files; at most `limits.indexBytesMax`. */
  readonly index?: Uint8Array;
  /** The X25519 key of the identity that sealed it, 32 bytes: a ticket with another one opens nothing. Absent: not known. */
  readonly exposerKey?: Uint8Array;
}

/** A row that was found. */
export interface FoundRow extends CatalogRow {
  /**
   * Whether the file had been changed so shortly before it was sealed that a later change may show the same times. Then only sealing it
   * again and comparing all leaves tells whether it is still the same.
   */
  readonly isRacy: boolean;
}

/** A ticket as its exposer keeps it. */
export interface CatalogTicket {
  /** 8 bytes. */
  readonly ticketId: Uint8Array;
  /** 32 bytes, secret. */
  readonly psk: Uint8Array;
  /** For people. */
  readonly label: string;
  /** Wall clock, ms since 1970; absent: never. */
  readonly expiresMs?: number;
  /** When it was made, ms since 1970; absent: not known. */
  readonly createdMs?: number;
}

/** How an exposure was served last. */
export interface ServedAs {
  /** What pullers see. */
  readonly name: string;
  /** Where it answers, as in its tickets: `HOST:PORT`. */
  readonly addresses: readonly string[];
  /** When that began, ms since 1970. */
  readonly sinceMs: number;
}

/** An exposure, for people to look at. */
export interface CatalogEntry extends Required<CatalogParameters> {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Where its source was. */
  readonly path: string;
  /** Bytes of its source. */
  readonly size: number;
  /** When it was sealed, ms since 1970. */
  readonly sealedAtMs: number;
  /** Absent: never. */
  readonly served?: ServedAs;
  /** See {@linkcode CatalogRow}. */
  readonly exposerKey?: Uint8Array;
  /** What shows that its process still runs, where it ends with that: it was made of a stream, and its path is `-`. */
  readonly running?: string;
}

/** An exposure that nobody can make again. */
export interface RunningRow extends CatalogParameters {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Plaintext bytes. */
  readonly size: number;
  /** When it was sealed, ms since 1970. */
  readonly sealedAtMs: number;
  /** What shows that its process runs; not empty. */
  readonly running: string;
  /** See {@linkcode CatalogRow}. */
  readonly exposerKey: Uint8Array;
}

/** What an exposer remembers between runs. Not promised: that a row is right; it says what to try. */
export interface Catalog {
  /** Where it is kept. */
  readonly path: string;
  /** The exposure that was made of this state of this file with these parameters. */
  find(fingerprint: SourceFingerprint, parameters: CatalogParameters): FoundRow | undefined;
  /**
   * Keeps an exposure, in place of those of earlier states of the same file; their tickets go with them.
   * `sealedAtMs` is the wall clock (ms since 1970) when reading began.
   */
  save(
    fingerprint: SourceFingerprint,
    parameters: CatalogParameters,
    row: CatalogRow,
    sealedAtMs: number,
  ): void;
  /** Keeps an exposure that ends with its process, so that others see it while it runs. */
  saveRunning(row: RunningRow): void;
  /** Notes how the exposure with that ID is served. */
  noteServed(id: Uint8Array, served: ServedAs): void;
  /** All exposures, the one that was sealed last first. */
  list(): CatalogEntry[];
  /** Whether another process, or another handle, has changed anything since this was asked last. */
  changedByOthers(): boolean;
  /** Forgets the exposure with that ID, and its tickets unless these are to be kept. */
  drop(id: Uint8Array, keepsTickets?: boolean): void;
  /** Keeps a ticket to the exposure with that ID. */
  addTicket(id: Uint8Array, ticket: CatalogTicket): void;
  /** The tickets to the exposure with that ID, without revoked ones; expired ones are among them. */
  tickets(id: Uint8Array): CatalogTicket[];
  /** Ends a ticket and forgets its psk; whether there was such a ticket that was good. */
  revoke(ticketId: Uint8Array): boolean;
  /** Twice is fine. */
  close(): void;
}

/**
 * The catalog in `stateDir/catalog.sqlite`, made with mode 0600 when there is none. Several processes may use it at once.
 * All its methods are synchronous, and throw RgtpError: IO when the file is damaged or locked for more than 5 s, NO_SPACE.
 *
 * @throws {RgtpError} IO, NO_SPACE; NOT_SUPPORTED when a newer version of this program made it
 */
export function openCatalog(stateDir: string): Catalog {
  makeStateDir(stateDir);
  const path = `${stateDir}/catalog.sqlite`;
  try {
    // SQLite would make it readable by others; its side files take the mode of this one.
    Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
  } catch (cause) {
    throw ioError(cause, "open", path, "write");
  }
  return new SqliteCatalog(path);
}

const SCHEMA_VERSION = 3;

// Numbers of devices and files may exceed 2^53: they are kept as text. What is large comes last, so that nobody reads past it.
const EXPOSURES = `
  CREATE TABLE exposures (
    path TEXT NOT NULL, device TEXT NOT NULL, inode TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ms INTEGER NOT NULL, ctime_ms INTEGER NOT NULL, chunk_size INTEGER NOT NULL, aead TEXT NOT NULL,
    policy TEXT NOT NULL, salt BLOB NOT NULL, id BLOB NOT NULL UNIQUE, sealed_at_ms INTEGER NOT NULL,
    name TEXT NOT NULL DEFAULT '', addresses TEXT NOT NULL DEFAULT '', served_at_ms INTEGER,
    exposer_key BLOB, running TEXT NOT NULL DEFAULT '', leaves BLOB NOT NULL, content_index BLOB, PRIMARY KEY (path, chunk_size, aead, policy)
  ) STRICT;`;

const SCHEMA = `${EXPOSURES}
  CREATE TABLE tickets (
    ticket_id BLOB PRIMARY KEY, exposure_id BLOB NOT NULL, psk BLOB NOT NULL, label TEXT NOT NULL,
    expires_ms INTEGER, revoked INTEGER NOT NULL DEFAULT 0, created_ms INTEGER
  ) STRICT;
  CREATE INDEX tickets_by_exposure ON tickets (exposure_id);
  PRAGMA user_version = ${SCHEMA_VERSION};`;

const COLUMNS_1 =
  "path, device, inode, size, mtime_ms, ctime_ms, chunk_size, aead, salt, id, sealed_at_ms, leaves";
const COLUMNS_2 = `${COLUMNS_1}, policy, name, addresses, served_at_ms`;

/** Makes the present table of an older one. */
function rebuilt(columns: string, values = columns): string {
  return `
  ALTER TABLE exposures RENAME TO exposures_before;
  ${EXPOSURES}
  INSERT INTO exposures (${columns}) SELECT ${values} FROM exposures_before;
  DROP TABLE exposures_before;
  PRAGMA user_version = ${SCHEMA_VERSION};`;
}

/**
 * From older versions, by their number: 1 knew neither policies nor how an exposure was served; 2 neither indexes, nor who sealed, nor
 * exposures that end with their process.
 */
const MIGRATIONS: Readonly<Record<number, string>> = {
  0: SCHEMA,
  1: `${
    rebuilt(`${COLUMNS_1}, policy`, `${COLUMNS_1}, ''`)
  } ALTER TABLE tickets ADD COLUMN created_ms INTEGER;`,
  2: rebuilt(COLUMNS_2),
};

/** Clocks of file systems tick in up to 2 s (FAT). Deno shows a ctime without its fraction, which is one more. */
const MTIME_TICK_MS = 2000;
const CTIME_TICK_MS = 3000;

type Row = Record<string, SQLOutputValue>;

class SqliteCatalog implements Catalog {
  readonly path: string;
  readonly #database: DatabaseSync;
  #isClosed = false;
  #dataVersion = 0;

  constructor(path: string) {
    this.path = path;
    let database: DatabaseSync | undefined;
    try {
      database = this.#database = new DatabaseSync(path);
      database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON;");
      this.#migrate();
      this.changedByOthers();
    } catch (cause) {
      database?.close();
      throw sqliteError(cause, path);
    }
  }

  find(fingerprint: SourceFingerprint, parameters: CatalogParameters): FoundRow | undefined {
    const { path, device, inode, size, mtimeMs, ctimeMs } = fingerprint;
    const row = this.#get(
      `SELECT salt, id, leaves, content_index, exposer_key, sealed_at_ms FROM exposures WHERE path = ? AND device = ? AND inode = ? AND size = ?
       AND mtime_ms = ? AND ctime_ms = ? AND chunk_size = ? AND aead = ? AND policy = ?`,
      [path, `${device}`, `${inode}`, size, mtimeMs, ctimeMs, ...keyOf(parameters)],
    );
    if (!row) return undefined;
    const sealedAtMs = Number(row.sealed_at_ms);
    const isRacy = sealedAtMs - mtimeMs < MTIME_TICK_MS || sealedAtMs - ctimeMs < CTIME_TICK_MS;
    const { salt, id, leaves, content_index: index, exposer_key: exposerKey } = row;
    return {
      salt: blob(salt),
      id: blob(id),
      leaves: blob(leaves),
      ...(index instanceof Uint8Array && { index }),
      ...(exposerKey instanceof Uint8Array && { exposerKey }),
      isRacy,
    };
  }

  save(
    fingerprint: SourceFingerprint,
    parameters: CatalogParameters,
    { salt, id, leaves, index, exposerKey }: CatalogRow,
    sealedAtMs: number,
  ): void {
    const { path, device, inode, size, mtimeMs, ctimeMs } = fingerprint;
    const key = keyOf(parameters);
    this.#transaction(() => {
      const older = this.#get(
        "SELECT id FROM exposures WHERE path = ? AND chunk_size = ? AND aead = ? AND policy = ? AND id <> ?",
        [path, ...key, id],
      );
      if (older) this.#drop(blob(older.id));
      this.#run(
        `INSERT OR REPLACE INTO exposures
         (path, device, inode, size, mtime_ms, ctime_ms, chunk_size, aead, policy, salt, id, sealed_at_ms, exposer_key, leaves, content_index)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [
          path,
          `${device}`,
          `${inode}`,
          size,
          mtimeMs,
          ctimeMs,
          ...key,
          salt,
          id,
          Math.floor(sealedAtMs),
          exposerKey ?? null,
          leaves,
          index ?? null,
        ],
      );
    });
  }

  saveRunning({ id, size, sealedAtMs, running, exposerKey, ...parameters }: RunningRow): void {
    // No file has this path, so that it is found by nobody's fingerprint, and one for each.
    const path = `- ${id.toHex()}`;
    this.#run(
      `INSERT OR REPLACE INTO exposures
       (path, device, inode, size, mtime_ms, ctime_ms, chunk_size, aead, policy, salt, id, sealed_at_ms, exposer_key, running, leaves)
       VALUES (?, '', '', ?, -1, -1, ?, ?, ?, x'', ?, ?, ?, ?, x'')`,
      [path, size, ...keyOf(parameters), id, Math.floor(sealedAtMs), exposerKey, running],
    );
  }

  noteServed(id: Uint8Array, { name, addresses, sinceMs }: ServedAs): void {
    this.#run("UPDATE exposures SET name = ?, addresses = ?, served_at_ms = ? WHERE id = ?", [
      name,
      addresses.join(" "),
      Math.floor(sinceMs),
      id,
    ]);
  }

  list(): CatalogEntry[] {
    const rows = this.#attempt(() =>
      this.#database.prepare(
        `SELECT id, path, size, chunk_size, aead, policy, sealed_at_ms, name, addresses, served_at_ms, exposer_key, running FROM exposures
         ORDER BY sealed_at_ms DESC, path`,
      ).all()
    );
    return rows.map(entryOf);
  }

  changedByOthers(): boolean {
    const version = Number(this.#get("PRAGMA data_version", [])?.data_version);
    const changed = version !== this.#dataVersion;
    this.#dataVersion = version;
    return changed;
  }

  drop(id: Uint8Array, keepsTickets = false): void {
    this.#transaction(() => this.#drop(id, keepsTickets));
  }

  addTicket(id: Uint8Array, { ticketId, psk, label, expiresMs, createdMs }: CatalogTicket): void {
    const sql =
      "INSERT INTO tickets (ticket_id, exposure_id, psk, label, expires_ms, created_ms) VALUES (?, ?, ?, ?, ?, ?)";
    this.#run(sql, [ticketId, id, psk, label, ...[expiresMs, createdMs].map(wholeOrNull)]);
  }

  tickets(id: Uint8Array): CatalogTicket[] {
    const rows = this.#attempt(() =>
      this.#database.prepare(
        "SELECT ticket_id, psk, label, expires_ms, created_ms FROM tickets WHERE exposure_id = ? AND revoked = 0 ORDER BY rowid",
      ).all(id)
    );
    return rows.map((row) => ({
      ticketId: blob(row.ticket_id),
      psk: blob(row.psk),
      label: String(row.label),
      ...(row.expires_ms !== null && { expiresMs: Number(row.expires_ms) }),
      ...(row.created_ms !== null && { createdMs: Number(row.created_ms) }),
    }));
  }

  revoke(ticketId: Uint8Array): boolean {
    const sql = "UPDATE tickets SET revoked = 1, psk = zeroblob(32) WHERE ticket_id = ? AND revoked = 0";
    return this.#run(sql, [ticketId]) > 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#attempt(() => this.#database.close());
  }

  #migrate(): void {
    const version = () => Number(this.#database.prepare("PRAGMA user_version").get()?.user_version);
    if (version() > SCHEMA_VERSION) {
      throw new RgtpError(
        "NOT_SUPPORTED",
        `the catalog '${this.path}' was made by a newer version of this program; update, or use another --state-dir`,
        { data: { path: this.path, version: version() } },
      );
    }
    if (version() === SCHEMA_VERSION) return;
    this.#transaction(() => {
      // Another process may have been faster: then there is nothing left to do.
      this.#database.exec(MIGRATIONS[version()] ?? "");
    });
  }

  #drop(id: Uint8Array, keepsTickets = false): void {
    if (!keepsTickets) this.#run("DELETE FROM tickets WHERE exposure_id = ?", [id]);
    this.#run("DELETE FROM exposures WHERE id = ?", [id]);
  }

  #get(sql: string, values: SQLInputValue[]): Row | undefined {
    return this.#attempt(() => this.#database.prepare(sql).get(...values));
  }

  /** How many rows it changed. */
  #run(sql: string, values: SQLInputValue[]): number {
    return this.#attempt(() => Number(this.#database.prepare(sql).run(...values).changes));
  }

  #transaction(work: () => void): void {
    this.#attempt(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        work();
        this.#database.exec("COMMIT");
      } catch (cause) {
        this.#rollBack();
        throw cause;
      }
    });
  }

  #rollBack(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {
      // SQLite rolls back by itself after some errors; the first error is the one to be told.
    }
  }

  #attempt<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      throw sqliteError(cause, this.path);
    }
  }
}

function keyOf({ chunkSize, aead, policy = "" }: CatalogParameters): [number, string, string] {
  return [chunkSize, aead, policy];
}

function entryOf(row: Row): CatalogEntry {
  const addresses = String(row.addresses);
  const running = String(row.running);
  return {
    id: blob(row.id),
    path: running === "" ? String(row.path) : "-",
    ...(running !== "" && { running }),
    ...(row.exposer_key instanceof Uint8Array && { exposerKey: row.exposer_key }),
    size: Number(row.size),
    chunkSize: Number(row.chunk_size),
    // Written by `save`: one of the names.
    aead: String(row.aead) as AeadName,
    policy: String(row.policy),
    sealedAtMs: Number(row.sealed_at_ms),
    ...(row.served_at_ms !== null && {
      served: {
        name: String(row.name),
        addresses: addresses === "" ? [] : addresses.split(" "),
        sinceMs: Number(row.served_at_ms),
      },
    }),
  };
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.floor(value);
}

function blob(value: SQLOutputValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Error("a value is missing");
}

/** Deno's errors of SQLite carry no number: the texts, which are SQLite's own, tell them apart. */
const sqliteAdvice: readonly (readonly [says: RegExp, condition: ErrorName, advice: string])[] = [
  [/is full/, "NO_SPACE", "the disk is full; free some space"],
  [/is locked/, "IO", "another process keeps it locked; wait for it, or stop it"],
  [
    /disk I\/O error/,
    "IO",
    "the disk is full or fails, or files may not grow further (ulimit -f): look which",
  ],
  [
    /unable to open/,
    "IO",
    "it or its folder may not be opened, or too many files are open (ulimit -n): check both",
  ],
  [
    /./s,
    "IO",
    "if it is damaged, move it away: exposures then get new IDs, and old tickets end; or use another --state-dir",
  ],
];

function sqliteError(cause: unknown, path: string): RgtpError {
  if (cause instanceof RgtpError || isPermissionLack(cause)) return ioError(cause, "open", path, "write");
  const text = cause instanceof Error ? cause.message : String(cause);
  const [, condition, advice] = sqliteAdvice.find(([says]) => says.test(text)) ?? sqliteAdvice.at(-1)!;
  return new RgtpError(condition, `the catalog '${path}' cannot be used (${text}): ${advice}`, {
    cause,
    data: { path },
  });
}
