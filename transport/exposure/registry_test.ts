import { parseTicket } from "../../codec/ticket.ts";
import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { createIdentity } from "../../crypto/identity.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import { openCatalog } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import { loadIdentitySeed } from "./identity_file.ts";
import { Registry } from "./registry.ts";
import { keepWhileRunning } from "./running.ts";
import { shelfOf, TicketBook } from "./ticket_book.ts";

const served = { name: "film", addresses: ["192.0.2.1:9000", "[2001:db8::1]:9000"], sinceMs: 5000 };

/** Two exposures; one of them is served, by an exposer with a book of its tickets. */
function withScene(
  use: (scene: {
    registry: Registry;
    book: TicketBook;
    changed: () => boolean;
    ids: Uint8Array[];
    catalog: Catalog;
    folder: string;
  }) => void,
): void {
  const folder = Deno.makeTempDirSync();
  const catalog = openCatalog(folder);
  const registry = new Registry(nativeEngine, systemRandom, folder);
  try {
    const ids = [1, 2].map((n) => {
      const fingerprint = { path: `/data/${n}`, device: 1, inode: n, size: n, mtimeMs: 0, ctimeMs: 0 };
      const row = { salt: systemRandom(32), id: systemRandom(32), leaves: new Uint8Array(32) };
      catalog.save(fingerprint, { chunkSize: 4096, aead: "chacha20-poly1305" }, row, 1000 * n);
      return row.id;
    });
    catalog.noteServed(ids[0], served);
    const book = new TicketBook(nativeEngine, systemRandom, Date.now, shelfOf(catalog, ids[0]));
    use({ registry, book, changed: () => catalog.changedByOthers(), ids, catalog, folder });
  } finally {
    registry.close();
    registry.close();
    catalog.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

const text = (id: Uint8Array) => id.toBase64({ alphabet: "base64url", omitPadding: true });

function refused(work: () => unknown, condition: string): void {
  assertEquals(assertThrows(work, RgtpError).condition, condition);
}

Deno.test("a list of exposures, newest first, with their tickets, and no secret in it", () => {
  withScene(({ registry, book, ids }) => {
    const secret = book.issue({ label: "Bob", expiresMs: 9 });
    const list = registry.list();
    assertEquals(list.map(({ id, path, size }) => [id, path, size]), [[text(ids[1]), "/data/2", 2], [
      text(ids[0]),
      "/data/1",
      1,
    ]]);
    assertEquals([list[0].served, list[1].served], [undefined, served]);
    const [{ label, expiresMs, createdMs }] = list[1].tickets;
    assertEquals([label, expiresMs], ["Bob", 9]);
    assert(Math.abs(Date.now() - createdMs!) < 60_000);
    const psk = ticketPsk(nativeEngine, secret);
    for (const hidden of [secret, psk]) assert(!JSON.stringify(list).includes(text(hidden)));
  });
});

Deno.test("a ticket that is made elsewhere is good at the exposer, once it has looked", () => {
  withScene(({ registry, book, changed, ids }) => {
    assert(!changed());
    for (const what of ["/data/1", text(ids[0]), text(ids[0]).slice(0, 6)]) {
      const { addresses, exposureId, secret, name } = parseTicket(registry.newTicket(what, { label: "x" }));
      assertEquals([addresses.length, exposureId, name], [2, ids[0], "film"]);
      const id = ticketId(nativeEngine, ticketPsk(nativeEngine, secret!));
      assertEquals(book.find(id), undefined);
      assert(changed() && !changed());
      assertEquals(book.refresh(), []);
      assertEquals(book.find(id), ticketPsk(nativeEngine, secret!));
    }
    refused(() => registry.newTicket("/data/3"), "NOT_FOUND");
    refused(() => registry.newTicket(text(ids[0]).slice(0, 5)), "NOT_FOUND");
    refused(() => registry.newTicket("/data/2"), "NOT_FOUND");
  });
});

Deno.test("tickets end by text, by ID, by label and by exposure; the exposer learns which", () => {
  withScene(({ registry, book, changed, ids }) => {
    const made = ["a", "b", "c", "c", "d"].map((label) => registry.newTicket("/data/1", { label }));
    assertEquals(book.refresh(), []);
    const id = (ticket: string) =>
      ticketId(nativeEngine, ticketPsk(nativeEngine, parseTicket(ticket).secret!));
    const ended = (what: string) => {
      changed();
      const labels = registry.revoke(what).map(({ label }) => label);
      assert(changed());
      const gone = book.refresh();
      for (const one of gone) assertEquals(book.find(one), undefined);
      assertEquals(gone.length, labels.length);
      return labels;
    };
    assertEquals(ended(made[0]), ["a"]);
    assertEquals(ended(text(id(made[1]))), ["b"]);
    assertEquals(ended("c"), ["c", "c"]);
    assertEquals(ended(text(ids[0]).slice(0, 8)), ["d"]);
    for (const what of [made[0], "c", text(ids[0]), "", "nothing"]) {
      refused(() => registry.revoke(what), "NOT_FOUND");
    }
  });
});

Deno.test("what means two things is refused", () => {
  withScene(({ registry, ids }) => {
    const name = text(ids[0]);
    registry.newTicket("/data/1", { label: name.slice(0, 7) });
    refused(() => registry.revoke(name.slice(0, 7)), "INVALID_ARG");
    assertEquals(registry.revoke(name).length, 1);
  });
});

Deno.test("what is exposed without tickets gets tickets without a secret, label or expiry", () => {
  const folder = Deno.makeTempDirSync();
  const catalog = openCatalog(folder);
  const registry = new Registry(nativeEngine, systemRandom, folder);
  try {
    const fingerprint = { path: "/data/1", device: 1, inode: 1, size: 1, mtimeMs: 0, ctimeMs: 0 };
    const parameters = { chunkSize: 4096, aead: "chacha20-poly1305", policy: "open" } as const;
    const row = { salt: systemRandom(32), id: systemRandom(32), leaves: new Uint8Array(32) };
    catalog.save(fingerprint, parameters, row, 1000);
    catalog.noteServed(row.id, served);
    refused(() => registry.newTicket("/data/1", { label: "Bob" }), "INVALID_ARG");
    refused(() => registry.newTicket("/data/1", { expiresMs: 1 }), "INVALID_ARG");
    const { exposureId, secret } = parseTicket(registry.newTicket("/data/1"));
    assertEquals([exposureId, secret], [row.id, undefined]);
    assertEquals(registry.list()[0].tickets, []);
  } finally {
    registry.close();
    catalog.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a ticket to what was exposed under another identity is refused, until it is exposed again", () => {
  const folder = Deno.makeTempDirSync();
  const catalog = openCatalog(folder);
  const registry = new Registry(nativeEngine, systemRandom, folder);
  try {
    const fingerprint = { path: "/data/1", device: 1, inode: 1, size: 1, mtimeMs: 0, ctimeMs: 0 };
    const parameters = { chunkSize: 4096, aead: "chacha20-poly1305" } as const;
    const row = { salt: systemRandom(32), id: systemRandom(32), leaves: new Uint8Array(32) };
    const identity = () =>
      createIdentity(nativeEngine, loadIdentitySeed(folder, systemRandom).seed).staticKey;
    catalog.save(fingerprint, parameters, { ...row, exposerKey: identity() }, 1000);
    catalog.noteServed(row.id, served);
    assertEquals(parseTicket(registry.newTicket("/data/1")).exposerKey, identity());
    Deno.removeSync(`${folder}/identity`);
    const error = assertThrows(() => registry.newTicket("/data/1"), RgtpError);
    assertEquals(error.condition, "NOT_FOUND");
    assertStringIncludes(error.message, "Expose it again");
    catalog.save(fingerprint, parameters, { ...row, exposerKey: identity() }, 2000);
    catalog.noteServed(row.id, served);
    assertEquals(parseTicket(registry.newTicket("/data/1")).exposerKey, identity());
  } finally {
    registry.close();
    catalog.close();
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a stream that is served now is meant by '-', while it is the only one", () =>
  withScene(({ registry, catalog, folder }) => {
    const common = {
      size: 9,
      sealedAtMs: 5,
      chunkSize: 4096,
      aead: "chacha20-poly1305",
      policy: "",
    } as const;
    const { staticKey: exposerKey } = createIdentity(
      nativeEngine,
      loadIdentitySeed(folder, systemRandom).seed,
    );
    const streams = [systemRandom(32), systemRandom(32)].map((id) => ({
      id,
      end: keepWhileRunning(catalog, folder, { ...common, id, exposerKey }),
    }));
    catalog.noteServed(streams[1].id, served);
    refused(() => registry.newTicket("-"), "INVALID_ARG");
    streams[0].end();
    const ticket = registry.newTicket("-", { label: "x" });
    assertEquals(parseTicket(ticket).exposureId, streams[1].id);
    assertEquals(registry.list().filter(({ isStream }) => isStream).map(({ path }) => path), ["-"]);
    assertEquals(registry.revoke("x").length, 1);
    streams[1].end();
    refused(() => registry.newTicket("-"), "NOT_FOUND");
  }));
