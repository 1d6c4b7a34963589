import { assertEquals } from "../../tests/_assert.ts";
import { openCatalog } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import { forgetEnded, keepWhileRunning } from "./running.ts";

const id = (n: number) => new Uint8Array(32).fill(n);

function row(n: number, policy = "") {
  const common = { size: 9, sealedAtMs: n, chunkSize: 4096, aead: "chacha20-poly1305" } as const;
  return { ...common, id: id(n), policy, exposerKey: id(99) };
}

function withCatalog(use: (catalog: Catalog, folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  const catalog = openCatalog(folder);
  try {
    use(catalog, folder);
  } finally {
    catalog.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

const files = (folder: string) =>
  Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) => name.startsWith("running-"));

Deno.test("running: a row is there while its process says so, and goes with its tickets", () =>
  withCatalog((catalog, folder) => {
    const end = keepWhileRunning(catalog, folder, row(1));
    const other = openCatalog(folder);
    catalog.addTicket(id(1), { ticketId: new Uint8Array(8), psk: id(3), label: "" });
    forgetEnded(other, folder);
    assertEquals([other.list().length, other.tickets(id(1)).length, files(folder).length], [1, 1, 1]);
    end();
    end();
    assertEquals([other.list().length, other.tickets(id(1)).length, files(folder).length], [0, 0, 0]);
    other.close();
  }));

Deno.test("running: what a killed process has left is forgotten by the next one, and nothing else", () =>
  withCatalog((catalog, folder) => {
    const end = keepWhileRunning(catalog, folder, row(1));
    // Of a process that is gone a file is left that nobody holds, or not even that.
    Deno.writeTextFileSync(`${folder}/running-killed`, "");
    catalog.saveRunning({ ...row(2), running: "running-killed" });
    catalog.saveRunning({ ...row(3), running: "running-nothing" });
    const file = { path: "/x", device: 1, inode: 1, size: 1, mtimeMs: 1, ctimeMs: 1 };
    catalog.save(file, row(4), { salt: id(4), id: id(4), leaves: id(4) }, 9);
    forgetEnded(catalog, folder);
    assertEquals(catalog.list().map((entry) => entry.id[0]).sort(), [1, 4]);
    assertEquals(files(folder).length, 1);
    end();
  }));

Deno.test("running: two that serve the same bytes; the tickets of a reproducible one outlive it", () =>
  withCatalog((catalog, folder) => {
    const ends = [1, 2].map(() => keepWhileRunning(catalog, folder, row(1, "open reproducible")));
    catalog.addTicket(id(1), { ticketId: new Uint8Array(8), psk: id(3), label: "" });
    ends[0]();
    assertEquals(catalog.list().length, 1);
    ends[1]();
    assertEquals([catalog.list().length, catalog.tickets(id(1)).length], [0, 1]);
  }));
