import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../tests/_assert.ts";
import type { ByteSource } from "./source.ts";
import { bytesSource, openFileSource } from "./source.ts";

function withFile(bytes: Uint8Array, use: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeFileSync(`${folder}/file`, bytes);
    use(`${folder}/file`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function refusal(fn: () => unknown, condition: string): RgtpError {
  const error = assertThrows(fn, RgtpError);
  assertEquals(error.condition, condition, error.message);
  return error;
}

const sample = Uint8Array.from({ length: 1000 }, (_, i) => i & 255);

function readsAnywhere(source: ByteSource): void {
  for (
    const [offset, length] of [[0, 1000], [0, 10], [10, 10], [500, 500], [3, 7], [1000, 0], [0, 0], [999, 1]]
  ) {
    const into = new Uint8Array(length);
    source.read(offset, into);
    assertEquals(into, sample.slice(offset, offset + length));
  }
  for (const [offset, length] of [[0, 1001], [1000, 1], [-1, 1], [0.5, 1], [NaN, 1], [2 ** 53, 1]]) {
    assertThrows(() => source.read(offset, new Uint8Array(length)), RangeError, "in a source of 1000");
  }
  assert(source.unchanged());
  source.close();
  source.close();
}

Deno.test("bytesSource() reads anywhere, and nothing outside", () => {
  assertEquals(bytesSource(sample).fingerprint, undefined);
  readsAnywhere(bytesSource(sample));
});

Deno.test("openFileSource() reads anywhere, and nothing outside", () => {
  withFile(sample, (path) => {
    readsAnywhere(openFileSource(path));
  });
});

Deno.test("a file's fingerprint is that of the file, not of the name", () => {
  withFile(sample, (path) => {
    Deno.symlinkSync(path, `${path}.link`);
    const [direct, linked] = [openFileSource(path), openFileSource(`${path}.link`)];
    assertEquals(direct.fingerprint, linked.fingerprint);
    assertEquals(direct.fingerprint?.path, Deno.realPathSync(path));
    assertEquals(direct.fingerprint?.size, 1000);
    direct.close();
    linked.close();
    assert(!direct.unchanged(), "a closed source promises nothing");
  });
});

Deno.test("unchanged() sees other times, another size, and another file in its place", () => {
  const changes: ((path: string) => void)[] = [
    (path) => Deno.utimeSync(path, 1, 1),
    (path) => Deno.writeFileSync(path, Uint8Array.of(1), { append: true }),
    (path) => Deno.truncateSync(path, 999),
  ];
  for (const change of changes) {
    withFile(sample, (path) => {
      const source = openFileSource(path);
      change(path);
      assert(!source.unchanged());
      source.close();
    });
  }
});

Deno.test("a file that became shorter is refused as SOURCE_CHANGED", () => {
  withFile(sample, (path) => {
    const source = openFileSource(path);
    Deno.truncateSync(path, 600);
    source.read(0, new Uint8Array(600));
    const error = refusal(() => source.read(500, new Uint8Array(200)), "SOURCE_CHANGED");
    assertEquals(error.data.at, 600);
    source.close();
  });
});

Deno.test("what cannot be exposed is refused by name", () => {
  withFile(sample, (path) => {
    const folder = path.slice(0, -"/file".length);
    assertStringIncludes(refusal(() => openFileSource(`${path}x`), "NOT_FOUND").message, `${path}x`);
    assertStringIncludes(
      refusal(() => openFileSource(folder), "NOT_SUPPORTED").message,
      "one file is needed",
    );
    refusal(() => openFileSource(`${path}/x`), "IO");
  });
});

Deno.test({
  name: "a pipe is refused before the open would wait for it" +
    (Deno.build.os === "windows" ? " [skipped: no mkfifo]" : ""),
  ignore: Deno.build.os === "windows",
  fn() {
    withFile(sample, (path) => {
      assert(new Deno.Command("mkfifo", { args: [`${path}.pipe`] }).outputSync().success);
      refusal(() => openFileSource(`${path}.pipe`), "NOT_SUPPORTED");
    });
  },
});

Deno.test({
  name: "a missing Deno permission is named",
  permissions: { read: false },
  fn() {
    const error = refusal(() => openFileSource("/some/file"), "IO");
    assertStringIncludes(error.message, "--allow-read=/some/file");
  },
});
