import { DatabaseSync } from "node:sqlite";
import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import type { Catalog, CatalogParameters, CatalogRow } from "./catalog.ts";
import { openCatalog } from "./catalog.ts";
import type { SourceFingerprint } from "./source.ts";

const fingerprint: SourceFingerprint = {
  path: "/data/file",
  device: 2 ** 53,
  inode: 2 ** 60,
  size: 100_000,
  mtimeMs: 1_000_000,
  ctimeMs: 1_000_000,
};
const parameters: CatalogParameters = { chunkSize: 65_536, aead: "chacha20-poly1305" };

function row(n: number): CatalogRow {
  return { salt: filled(32, n), id: filled(32, n + 100), leaves: filled(64, n) };
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

function withCatalog(use: (catalog: Catalog, folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  const catalog = openCatalog(folder);
  try {
    use(catalog, folder);
  } finally {
    catalog.close();
    catalog.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a row is found under all of its key, and under nothing else", () => {
  withCatalog((catalog) => {
    assertEquals(catalog.find(fingerprint, parameters), undefined);
    catalog.save(fingerprint, parameters, row(1), 2_000_000);
    assertEquals(catalog.find(fingerprint, parameters), { ...row(1), isRacy: false });
    const others: Partial<SourceFingerprint & CatalogParameters>[] = [
      { path: "/data/File" },
      { device: 1 },
      { inode: 2 ** 60 + 2 ** 20 },
      { size: 100_001 },
      { mtimeMs: 1_000_001 },
      { ctimeMs: 999_999 },
      { chunkSize: 4096 },
      { aead: "aes-256-gcm" },
    ];
    for (const other of others) {
      const found = catalog.find({ ...fingerprint, ...other }, { ...parameters, ...other });
      assertEquals(found, undefined, Object.keys(other)[0]);
    }
  });
});

Deno.test("rows and tickets outlive the process", () => {
  withCatalog((catalog, folder) => {
    catalog.save(fingerprint, parameters, row(1), 2_000_000);
    const ticket = { ticketId: filled(8, 1), psk: filled(32, 2), label: "für Bob", expiresMs: 5 };
    const forever = { ticketId: filled(8, 2), psk: filled(32, 3), label: "" };
    catalog.addTicket(row(1).id, ticket);
    catalog.addTicket(row(1).id, forever);
    const again = openCatalog(folder);
    assertEquals(again.find(fingerprint, parameters)?.id, row(1).id);
    assertEquals(again.tickets(row(1).id), [ticket, forever]);
    assertEquals(again.tickets(row(2).id), []);
    again.close();
  });
});

Deno.test("a revoked ticket is gone, with its psk", () => {
  withCatalog((catalog, folder) => {
    const psk = new TextEncoder().encode("a psk of exactly 32 bytes, hidden".slice(0, 32));
    catalog.addTicket(row(1).id, { ticketId: filled(8, 1), psk, label: "" });
    assert(!catalog.revoke(filled(8, 2)));
    assert(catalog.revoke(filled(8, 1)));
    assert(!catalog.revoke(filled(8, 1)));
    assertEquals(catalog.tickets(row(1).id), []);
    assertThrows(() => catalog.addTicket(row(1).id, { ticketId: filled(8, 1), psk, label: "" }), RgtpError);
    catalog.close();
    const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(`${folder}/catalog.sqlite`));
    assert(!bytes.includes("a psk of exactly"));
  });
});

Deno.test("a new state of a file takes the place of the old one and of its tickets", () => {
  withCatalog((catalog) => {
    catalog.save(fingerprint, parameters, row(1), 2_000_000);
    catalog.save(fingerprint, { ...parameters, chunkSize: 4096 }, row(2), 2_000_000);
    for (const n of [1, 2]) {
      catalog.addTicket(row(n).id, { ticketId: filled(8, n), psk: filled(32, n), label: "" });
    }
    const changed = { ...fingerprint, mtimeMs: 1_500_000 };
    catalog.save(changed, parameters, row(3), 2_000_000);
    assertEquals(catalog.find(fingerprint, parameters), undefined);
    assertEquals(catalog.find(changed, parameters)?.id, row(3).id);
    assertEquals([1, 2].map((n) => catalog.tickets(row(n).id).length), [0, 1]);
    // The same exposure under a new stat keeps its tickets.
    catalog.addTicket(row(3).id, { ticketId: filled(8, 3), psk: filled(32, 3), label: "" });
    catalog.save({ ...changed, ctimeMs: 1_600_000 }, parameters, row(3), 2_000_000);
    assertEquals(catalog.tickets(row(3).id).length, 1);
    catalog.drop(row(3).id);
    assertEquals(catalog.tickets(row(3).id), []);
    assertEquals(catalog.find({ ...changed, ctimeMs: 1_600_000 }, parameters), undefined);
  });
});

Deno.test("a row is racy when the file had changed within the tick of a clock before it was sealed", () => {
  withCatalog((catalog) => {
    const table: [mtime: number, ctime: number, racy: boolean][] = [
      [0, 0, false],
      [8000, 7000, false],
      [8001, 7000, true],
      [8000, 7001, true],
      [20_000, 7000, true],
    ];
    for (const [mtimeMs, ctimeMs, isRacy] of table) {
      const times = { ...fingerprint, mtimeMs, ctimeMs };
      catalog.save(times, parameters, row(1), 10_000.9);
      assertEquals(catalog.find(times, parameters)?.isRacy, isRacy, `${mtimeMs} ${ctimeMs}`);
    }
  });
});

Deno.test("exposures are told apart by policy as well", () => {
  withCatalog((catalog) => {
    catalog.save(fingerprint, parameters, row(1), 2_000_000);
    catalog.save(fingerprint, { ...parameters, policy: "reproducible" }, row(2), 2_000_000);
    assertEquals(catalog.find(fingerprint, parameters)?.id, row(1).id);
    assertEquals(catalog.find(fingerprint, { ...parameters, policy: "reproducible" })?.id, row(2).id);
    assertEquals(catalog.find(fingerprint, { ...parameters, policy: "open" }), undefined);
  });
});

Deno.test("a catalog of version 1 is taken over with all that is in it", () => {
  const folder = Deno.makeTempDirSync();
  const old = new DatabaseSync(`${folder}/catalog.sqlite`);
  old.exec(`
    CREATE TABLE exposures (
      path TEXT NOT NULL, device TEXT NOT NULL, inode TEXT NOT NULL, size INTEGER NOT NULL,
      mtime_ms INTEGER NOT NULL, ctime_ms INTEGER NOT NULL, chunk_size INTEGER NOT NULL, aead TEXT NOT NULL,
      salt BLOB NOT NULL, id BLOB NOT NULL UNIQUE, leaves BLOB NOT NULL, sealed_at_ms INTEGER NOT NULL,
      PRIMARY KEY (path, chunk_size, aead)
    ) STRICT;
    CREATE TABLE tickets (
      ticket_id BLOB PRIMARY KEY, exposure_id BLOB NOT NULL, psk BLOB NOT NULL, label TEXT NOT NULL,
      expires_ms INTEGER, revoked INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX tickets_by_exposure ON tickets (exposure_id);
    PRAGMA user_version = 1;`);
  const { path, device, inode, size, mtimeMs, ctimeMs } = fingerprint;
  const { salt, id, leaves } = row(1);
  old.prepare("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    .run(
      path,
      `${device}`,
      `${inode}`,
      size,
      mtimeMs,
      ctimeMs,
      65_536,
      "chacha20-poly1305",
      salt,
      id,
      leaves,
      10_000_000,
    );
  old.prepare("INSERT INTO tickets VALUES (?, ?, ?, ?, NULL, 0)").run(filled(8, 1), id, filled(32, 2), "Bob");
  old.close();
  for (let again = 0; again < 2; again++) {
    const catalog = openCatalog(folder);
    assertEquals(catalog.find(fingerprint, parameters), { ...row(1), isRacy: false });
    assertEquals(catalog.tickets(id), [{ ticketId: filled(8, 1), psk: filled(32, 2), label: "Bob" }]);
    assertEquals(catalog.list()[0].served, undefined);
    catalog.close();
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a catalog of version 2 is taken over with all that is in it, and takes indexes then", () => {
  const folder = Deno.makeTempDirSync();
  const old = new DatabaseSync(`${folder}/catalog.sqlite`);
  old.exec(`
    CREATE TABLE exposures (
      path TEXT NOT NULL, device TEXT NOT NULL, inode TEXT NOT NULL, size INTEGER NOT NULL,
      mtime_ms INTEGER NOT NULL, ctime_ms INTEGER NOT NULL, chunk_size INTEGER NOT NULL, aead TEXT NOT NULL,
      policy TEXT NOT NULL, salt BLOB NOT NULL, id BLOB NOT NULL UNIQUE, sealed_at_ms INTEGER NOT NULL,
      name TEXT NOT NULL DEFAULT '', addresses TEXT NOT NULL DEFAULT '', served_at_ms INTEGER,
      leaves BLOB NOT NULL, PRIMARY KEY (path, chunk_size, aead, policy)
    ) STRICT;
    CREATE TABLE tickets (
      ticket_id BLOB PRIMARY KEY, exposure_id BLOB NOT NULL, psk BLOB NOT NULL, label TEXT NOT NULL,
      expires_ms INTEGER, revoked INTEGER NOT NULL DEFAULT 0, created_ms INTEGER
    ) STRICT;
    CREATE INDEX tickets_by_exposure ON tickets (exposure_id);
    PRAGMA user_version = 2;`);
  const { path, device, inode, size, mtimeMs, ctimeMs } = fingerprint;
  const { salt, id, leaves } = row(1);
  const file = [path, `${device}`, `${inode}`, size, mtimeMs, ctimeMs, 65_536, "chacha20-poly1305", "open"];
  old.prepare("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    .run(...file, salt, id, 10_000_000, "film", "192.0.2.1:9000", 7, leaves);
  old.prepare("INSERT INTO tickets VALUES (?, ?, ?, ?, NULL, 0, 9)").run(
    filled(8, 1),
    id,
    filled(32, 2),
    "Bob",
  );
  old.close();
  for (let again = 0; again < 2; again++) {
    const catalog = openCatalog(folder);
    const open = { ...parameters, policy: "open" };
    assertEquals(catalog.find(fingerprint, open), { ...row(1), isRacy: false });
    const [entry] = catalog.list();
    assertEquals(entry.served, { name: "film", addresses: ["192.0.2.1:9000"], sinceMs: 7 });
    assertEquals([entry.running, entry.exposerKey], [undefined, undefined]);
    assertEquals(catalog.tickets(id)[0], {
      ticketId: filled(8, 1),
      psk: filled(32, 2),
      label: "Bob",
      createdMs: 9,
    });
    const whole = { ...row(2), index: filled(3000, 4), exposerKey: filled(32, 5) };
    catalog.save({ ...fingerprint, path: "/folder" }, parameters, whole, 2_000_000);
    assertEquals(catalog.find({ ...fingerprint, path: "/folder" }, parameters), { ...whole, isRacy: false });
    catalog.close();
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("an exposure that ends with its process is listed, and is no file's", () => {
  withCatalog((catalog) => {
    const running = (n: number) => {
      const more = { size: 9, sealedAtMs: 5 + n, running: `running-${n}`, exposerKey: filled(32, 8) };
      return { id: filled(32, n), ...parameters, ...more };
    };
    for (const n of [1, 2, 1]) catalog.saveRunning(running(n));
    assertEquals(catalog.list().map(({ path, running, size }) => [path, running, size]), [
      ["-", "running-2", 9],
      ["-", "running-1", 9],
    ]);
    for (const path of ["-", `- ${filled(32, 1).toHex()}`]) {
      assertEquals(catalog.find({ ...fingerprint, path, size: 9 }, parameters), undefined);
    }
    const ticket = { ticketId: filled(8, 1), psk: filled(32, 2), label: "" };
    catalog.addTicket(filled(32, 1), ticket);
    catalog.drop(filled(32, 1), true);
    assertEquals([catalog.list().length, catalog.tickets(filled(32, 1))], [1, [ticket]]);
    catalog.drop(filled(32, 1));
    assertEquals(catalog.tickets(filled(32, 1)), []);
  });
});

Deno.test("two processes' handles use one catalog", () => {
  withCatalog((catalog, folder) => {
    const other = openCatalog(folder);
    catalog.save(fingerprint, parameters, row(1), 2_000_000);
    other.save({ ...fingerprint, path: "/other" }, parameters, row(2), 2_000_000);
    assertEquals(catalog.find({ ...fingerprint, path: "/other" }, parameters)?.id, row(2).id);
    assertEquals(other.find(fingerprint, parameters)?.id, row(1).id);
    other.close();
  });
});

Deno.test("a damaged catalog is refused with its name and what to do", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/catalog.sqlite`;
  openCatalog(folder).close();
  const whole = Deno.readFileSync(path);
  const garbage = new Uint8Array(5000).fill(7);
  const headless = whole.with(0, 0);
  for (const bytes of [garbage, headless]) {
    Deno.writeFileSync(path, bytes);
    const error = assertThrows(() => openCatalog(folder), RgtpError);
    assertEquals(error.condition, "IO");
    assertStringIncludes(error.message, path);
    assertStringIncludes(error.message, "move it away");
  }
  // Any wrong byte: it serves, or refuses as it should; nothing else.
  for (let at = 0; at < whole.length; at += 173) {
    Deno.writeFileSync(path, whole.with(at, whole[at] ^ 0x55));
    for (const side of ["-wal", "-shm"]) {
      if ([...Deno.readDirSync(folder)].some(({ name }) => name === `catalog.sqlite${side}`)) {
        Deno.removeSync(path + side);
      }
    }
    try {
      const catalog = openCatalog(folder);
      try {
        catalog.save(fingerprint, parameters, row(1), 2_000_000);
        catalog.find(fingerprint, parameters);
      } finally {
        catalog.close();
      }
    } catch (error) {
      assert(error instanceof RgtpError, `byte ${at}: ${error}`);
    }
  }
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a catalog of a newer version is left alone", () => {
  withCatalog((catalog, folder) => {
    catalog.close();
    const path = `${folder}/catalog.sqlite`;
    const bytes = Deno.readFileSync(path);
    // SQLite file format §1.3: user_version is the big-endian number at offset 60.
    bytes[63] = 4;
    Deno.writeFileSync(path, bytes);
    const error = assertThrows(() => openCatalog(folder), RgtpError);
    assertEquals(error.condition, "NOT_SUPPORTED");
    assertEquals(Deno.readFileSync(path), bytes);
  });
});

Deno.test({
  name: "nobody else may read the catalog" +
    (Deno.build.os === "windows" ? " [skipped: Windows has no modes]" : ""),
  ignore: Deno.build.os === "windows",
  fn() {
    withCatalog((catalog, folder) => {
      catalog.drop(row(1).id);
      for (const { name } of Deno.readDirSync(folder)) {
        assertEquals(Deno.statSync(`${folder}/${name}`).mode! & 0o077, 0, name);
      }
    });
  },
});

Deno.test({
  name: "the catalog needs no permission but to read and write its folder",
  permissions: { read: true, write: true },
  fn() {
    withCatalog((catalog) => assertEquals(catalog.tickets(row(1).id), []));
  },
});
