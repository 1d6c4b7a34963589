import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertThrows } from "../../tests/_assert.ts";
import { testStore } from "./_store_contract.ts";
import { openSqliteStore } from "./sqlite_store.ts";

const folder = await Deno.makeTempDir({ prefix: "rnp-store-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

testStore("SQLite", (name) => Promise.resolve(openSqliteStore(`${folder}/${name}.db`)));

Deno.test("store on SQLite: what was put is there after a restart", async () => {
  const path = `${folder}/again.db`;
  {
    await using store = openSqliteStore(path);
    await store.replace("nodes.a", { n: 1 }, 0);
  }
  await using store = openSqliteStore(path);
  assertEquals((await store.get("nodes.a"))?.value, { n: 1 });
});

Deno.test("store on SQLite: a file that is no database, or in no folder, is refused by name", async () => {
  await Deno.writeTextFile(
    `${folder}/none.db`,
    "no database at all, but long enough to look like a header".repeat(20),
  );
  for (const path of [`${folder}/none.db`, `${folder}/absent/x.db`]) {
    const error = assertThrows(() => openSqliteStore(path), RgtpError, path);
    assertEquals(error.condition, "IO");
  }
});
