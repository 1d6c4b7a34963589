import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { makeSpillFile } from "./spill_file.ts";

function withFolder(use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("what was written is read, in any order, and nothing else", () => {
  withFolder((folder) => {
    const spill = makeSpillFile(folder, 10, 100);
    const piece = (n: number) => new Uint8Array(n === 9 ? 40 : 100).fill(n);
    for (const n of [3, 9, 0]) spill.write(n, piece(n));
    spill.write(3, piece(4));
    for (const n of [0, 3, 9]) {
      const into = new Uint8Array(piece(n).length);
      assert(spill.has(n) && spill.read(n, into));
      assertEquals(into, piece(n));
    }
    assert(!spill.has(1) && !spill.read(1, new Uint8Array(100)));
    spill.close();
    spill.close();
    assert(!spill.has(3) && !spill.read(3, new Uint8Array(100)));
    spill.write(1, piece(1));
    assertEquals(names(folder), []);
  });
});

Deno.test({
  name: "it has no name, so that it ends with its process" +
    (Deno.build.os === "windows" ? " [skipped: Windows keeps the names of open files]" : ""),
  ignore: Deno.build.os === "windows",
  fn() {
    withFolder((folder) => {
      const spill = makeSpillFile(folder, 10, 100);
      assertEquals(names(folder), []);
      spill.close();
    });
  },
});

Deno.test("what a killed process left is removed; what is in use, and what is no spill file, stays", () => {
  withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/rgtp-spill-left`, "left");
    Deno.writeTextFileSync(`${folder}/rgtp-spill-used`, "used");
    Deno.writeTextFileSync(`${folder}/thesis`, "mine");
    using used = Deno.openSync(`${folder}/rgtp-spill-used`, { read: true, write: true });
    used.lockSync(true);
    makeSpillFile(folder, 1, 1).close();
    assertEquals(names(folder).sort(), ["rgtp-spill-used", "thesis"]);
  });
});

Deno.test("no room, or no folder: refused with what to do", () => {
  withFolder((folder) => {
    const full = assertThrows(() => makeSpillFile(folder, 2 ** 31, 2 ** 20), RgtpError);
    assertEquals(full.condition, "NO_SPACE");
    assert(full.message.includes("leave --spill out"));
    const none = assertThrows(() => makeSpillFile(`${folder}/none`, 1, 1), RgtpError);
    assertEquals(none.condition, "IO");
    assertEquals(names(folder), []);
  });
});
