/*
 * What happens to a catalog in some runs of an exposer, one change after another; as a program of its own, so that its system calls can be
 * watched. It marks each change that it believes to be kept.
 *
 *   _catalog_story.ts FOLDER
 */
import { openCatalog } from "./catalog.ts";
import type { Catalog, CatalogRow } from "./catalog.ts";
import type { SourceFingerprint } from "./source.ts";

const parameters = { chunkSize: 65_536, aead: "chacha20-poly1305" } as const;
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const source = (n: number): SourceFingerprint => ({
  path: `/data/${n}`,
  device: 1,
  inode: n,
  size: 100_000,
  mtimeMs: 1_000_000,
  ctimeMs: 1_000_000,
});
const row = (n: number): CatalogRow => ({
  salt: filled(32, n),
  id: filled(32, 100 + n),
  leaves: filled(9000, n),
});
const ticket = (n: number) => ({ ticketId: filled(8, n), psk: filled(32, n), label: `ticket ${n}` });

/** Change after change. */
export const story: readonly ((catalog: Catalog) => void)[] = [
  (catalog) => catalog.save(source(1), parameters, row(1), 2_000_000),
  (catalog) => catalog.addTicket(row(1).id, ticket(1)),
  (catalog) => catalog.addTicket(row(1).id, ticket(2)),
  (catalog) => catalog.noteServed(row(1).id, { name: "one", addresses: ["192.0.2.1:9000"], sinceMs: 5 }),
  (catalog) => catalog.revoke(ticket(1).ticketId),
  (catalog) => catalog.save(source(2), parameters, row(2), 3_000_000),
  // Another state of the first file: its row and its tickets go in one.
  (catalog) => catalog.save({ ...source(1), mtimeMs: 7 }, parameters, row(3), 4_000_000),
  (catalog) => catalog.drop(row(2).id),
];

/** All that a catalog tells. */
export function told(catalog: Catalog): unknown {
  return catalog.list().map((entry) => [
    entry,
    catalog.tickets(entry.id),
    [1, 2].map((n) => catalog.find(source(n), parameters)),
  ]);
}

if (import.meta.main) {
  const [folder] = Deno.args;
  const catalog = openCatalog(`${folder}/state`);
  for (const [i, change] of story.entries()) {
    change(catalog);
    Deno.writeTextFileSync(`${folder}/mark ${i}`, "");
  }
  catalog.close();
}
