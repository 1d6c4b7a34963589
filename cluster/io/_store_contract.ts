/*
 * What every store promises, as tests that each of them has to pass.
 */
import { assert, assertEquals } from "../../tests/_assert.ts";
import { change, keyOf, valuesOf } from "./store.ts";
import type { Store } from "./store.ts";

/** Runs all of it against stores that `open` makes, each of them empty; two of one `name` share what they hold. */
export function testStore(engine: string, open: (name: string) => Promise<Store>, ignore = false): void {
  const test = (what: string, run: () => Promise<void>) =>
    Deno.test({ name: `store on ${engine}: ${what}`, fn: run, ignore });

  test("what was put is there, under its revision, until it is removed", async () => {
    await using store = await open("one");
    assertEquals(await store.get("nodes.a"), undefined);
    assert(await store.replace("nodes.a", { n: 1, text: "ä", bytes: new Uint8Array([1, 2]) }, 0));
    const first = (await store.get("nodes.a"))!;
    assertEquals([first.key, first.value.n, first.value.text], ["nodes.a", 1, "ä"]);
    assert(first.revision > 0);
    assert(await store.replace("nodes.a", { n: 2 }, first.revision));
    const second = (await store.get("nodes.a"))!;
    assertEquals(second.value, { n: 2 });
    assert(await store.replace("nodes.a", undefined, second.revision));
    assertEquals(await store.get("nodes.a"), undefined);
    assert(await store.replace("nodes.a", { n: 3 }, 0), "after its removal there is none");
  });

  test("whoever comes too late changes nothing, and hears so", async () => {
    await using store = await open("two");
    assert(await store.replace("nodes.a", { n: 1 }, 0));
    const { revision } = (await store.get("nodes.a"))!;
    assert(await store.replace("nodes.a", { n: 2 }, revision));
    assertEquals(await store.replace("nodes.a", { n: 3 }, revision), false);
    assertEquals(await store.replace("nodes.a", { n: 3 }, 0), false);
    assertEquals(await store.replace("nodes.a", undefined, revision), false);
    assertEquals((await store.get("nodes.a"))!.value, { n: 2 });
  });

  test("a revision does not come back when an entry is made anew", async () => {
    await using store = await open("three");
    await store.replace("nodes.a", { n: 1 }, 0);
    const { revision } = (await store.get("nodes.a"))!;
    await store.replace("nodes.a", undefined, revision);
    await store.replace("nodes.a", { n: 2 }, 0);
    assertEquals(await store.replace("nodes.a", { n: 3 }, revision), false);
  });

  test("a list has the entries of its token, and no others, in order", async () => {
    await using store = await open("four");
    const path = keyOf("files", "/a b/ü.txt");
    for (const key of ["nodes.b", "nodes.a", "nodesx.c", "instances.d", path]) {
      await store.replace(key, { key }, 0);
    }
    assertEquals((await store.list("nodes")).map(({ key }) => key), ["nodes.a", "nodes.b"]);
    assertEquals(await valuesOf(store, "files"), [{ key: path }]);
    assertEquals(await store.list("services"), []);
  });

  test("of changes that meet none is lost", async () => {
    await using one = await open("five");
    await using other = await open("five");
    const add = (value: { readonly n: number } | undefined) => ({ n: (value?.n ?? 0) + 1 });
    const stores = [one, other, one, other];
    await Promise.all(stores.map(async (store) => {
      for (let i = 0; i < 10; i++) await change(store, "nodes.a", add);
    }));
    assertEquals((await one.get("nodes.a"))!.value, { n: 40 });
  });

  test("lists end, and lack nothing, while rows are replaced all the time", async () => {
    await using one = await open("seven");
    await using other = await open("seven");
    for (const key of ["nodes.a", "nodes.b", "nodes.c"]) await one.replace(key, { n: 0 }, 0);
    let isOver = false;
    const changing = (async () => {
      while (!isOver) await change(other, "nodes.b", (value) => ({ n: Number(value?.n) + 1 }));
    })();
    for (let i = 0; i < 200; i++) assertEquals((await one.list("nodes")).length, 3);
    isOver = true;
    await changing;
  });

  test("no change is no write, and a change may remove", async () => {
    await using store = await open("six");
    await store.replace("nodes.a", { n: 1 }, 0);
    const before = await store.get("nodes.a");
    await change(store, "nodes.a", (value) => value);
    assertEquals(await store.get("nodes.a"), before);
    assertEquals(await change(store, "nodes.a", () => undefined), undefined);
    assertEquals(await store.get("nodes.a"), undefined);
  });
}
