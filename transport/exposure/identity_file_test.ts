import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "../../tests/_assert.ts";
import { defaultStateDir, loadIdentitySeed, stateDirOf } from "./identity_file.ts";

const isWindows = Deno.build.os === "windows";

function refusal(fn: () => unknown): string {
  const error = assertThrows(fn, RgtpError);
  assertEquals(error.condition, "IO");
  return error.message;
}

async function withFolder(use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("an identity of the wrong size is refused, and left alone", async () => {
  await withFolder((folder) => {
    for (const size of [0, 31, 33, 64]) {
      Deno.writeFileSync(`${folder}/identity`, new Uint8Array(size), { mode: 0o600 });
      const message = refusal(() => loadIdentitySeed(folder, systemRandom));
      assertStringIncludes(message, `${size} bytes`);
      assertEquals(Deno.statSync(`${folder}/identity`).size, size);
    }
  });
});

Deno.test("an identity is made once, and kept", async () => {
  await withFolder((folder) => {
    const dir = `${folder}/deep/state`;
    const first = loadIdentitySeed(dir, systemRandom);
    assert(first.isNew && !first.isReadableByOthers);
    const again = loadIdentitySeed(dir, systemRandom);
    assertEquals(again, { ...first, isNew: false });
    assertNotEquals(loadIdentitySeed(`${folder}/other`, systemRandom).seed, first.seed);
    assertEquals([...Deno.readDirSync(dir)].map((entry) => entry.name), ["identity"]);
    if (!isWindows) {
      assertEquals(Deno.statSync(`${dir}/identity`).mode! & 0o777, 0o600);
      assertEquals(Deno.statSync(dir).mode! & 0o777, 0o700);
    }
  });
});

Deno.test({
  name: "an identity that others may read is told" + (isWindows ? " [skipped: Windows has no modes]" : ""),
  ignore: isWindows,
  fn: () =>
    withFolder((folder) => {
      loadIdentitySeed(folder, systemRandom);
      for (
        const [mode, isReadable] of [[0o600, false], [0o640, true], [0o604, true], [0o400, false]] as const
      ) {
        Deno.chmodSync(`${folder}/identity`, mode);
        assertEquals(loadIdentitySeed(folder, systemRandom).isReadableByOthers, isReadable, mode.toString(8));
      }
    }),
});

Deno.test("processes that start at once end with one identity", async () => {
  await withFolder(async (folder) => {
    const code = `
      import { loadIdentitySeed } from ${JSON.stringify(import.meta.resolve("./identity_file.ts"))};
      import { systemRandom } from ${JSON.stringify(import.meta.resolve("../../core/machine.ts"))};
      while (Date.now() < Number(Deno.args[1]));
      console.log(loadIdentitySeed(Deno.args[0], systemRandom).seed.toHex());`;
    await Deno.writeTextFile(`${folder}/start.ts`, code);
    const startMs = Date.now() + 1500;
    const outputs = await Promise.all(Array.from({ length: 6 }, () =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-lock", "--no-check", `${folder}/start.ts`, `${folder}/state`, `${startMs}`],
      }).output()));
    const seeds = outputs.map(({ stdout, stderr, success }) => {
      assert(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout).trim();
    });
    assertEquals(new Set(seeds).size, 1);
    assertEquals(seeds[0], Deno.readFileSync(`${folder}/state/identity`).toHex());
  });
});

Deno.test("the state folder of each system", () => {
  const env = (variables: Record<string, string>) => (name: string) => variables[name];
  assertEquals(stateDirOf("linux", env({ HOME: "/h", XDG_STATE_HOME: "/s" })), "/s/red-giant");
  assertEquals(stateDirOf("linux", env({ HOME: "/h", XDG_STATE_HOME: "s" })), "/h/.local/state/red-giant");
  assertEquals(stateDirOf("linux", env({ HOME: "/h", XDG_STATE_HOME: "" })), "/h/.local/state/red-giant");
  assertEquals(stateDirOf("darwin", env({ HOME: "/h" })), "/h/Library/Application Support/red-giant");
  assertEquals(stateDirOf("windows", env({ LOCALAPPDATA: "C:\\a" })), "C:\\a\\red-giant");
  for (const os of ["linux", "darwin", "windows"] as const) {
    assertStringIncludes(refusal(() => stateDirOf(os, env({}))), "--state-dir");
  }
});

Deno.test({
  name: "without the permission to read the environment, the message says which",
  permissions: { env: false },
  fn() {
    const message = refusal(() => defaultStateDir());
    assertStringIncludes(message, "--allow-env=");
    assertStringIncludes(message, "--state-dir");
  },
});
