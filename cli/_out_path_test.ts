import { assertEquals, assertLessOrEqual, assertThrows } from "../tests/_assert.ts";
import { RgtpError } from "../core/errors.ts";
import { outputPath, safeName } from "./_out_path.ts";

const ID = "0123456789abcdef";

Deno.test("safeName() keeps an honest name, and makes any other one harmless", () => {
  const table: [string, string][] = [
    ["video.mkv", "video.mkv"],
    ["Bericht März (2).pdf", "Bericht März (2).pdf"],
    ["Ma\u0308rz", "März"],
    ["../../etc/passwd", "_._.._etc_passwd"],
    ["/etc/passwd", "_etc_passwd"],
    ["C:\\Windows\\x", "C__Windows_x"],
    ["a\x00b\x1b[2J\n", "a_b_[2J_"],
    ["photo\u202egpj.exe", "photo_gpj.exe"],
    [".bashrc", "_bashrc"],
    ["-rf", "_rf"],
    [" a . ", "a"],
    ["nul", "_nul"],
    ["COM1.txt", "_COM1.txt"],
    ["console.txt", "console.txt"],
    ["", "pulled-01234567"],
    [".", "pulled-01234567"],
    ["..", "pulled-01234567"],
    ["///", "pulled-01234567"],
    ["\ud800", "pulled-01234567"],
  ];
  for (const [name, safe] of table) {
    assertEquals(safeName(name, ID), safe);
    assertEquals(/[/\\]|^\.|^-/.test(safeName(name, ID)), false, name);
  }
});

Deno.test("safeName() leaves room for what a pull appends, and keeps the extension", () => {
  const long = safeName("é".repeat(120) + "x".repeat(10) + ".tar", ID);
  assertLessOrEqual(new TextEncoder().encode(long).length, 240);
  assertEquals(long.endsWith(".tar"), true);
});

Deno.test("outputPath() takes a file as it is, and puts the name into a folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assertEquals(outputPath(undefined, "a/b", ID), "a_b");
    assertEquals(outputPath("x.bin", "a", ID), "x.bin");
    assertEquals(outputPath(folder, "a", ID), `${folder}/a`);
    assertEquals(outputPath(`${folder}/`, "a", ID), `${folder}/a`);
    assertThrows(() => outputPath(`${folder}/none/`, "a", ID), RgtpError, "there is no folder");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
