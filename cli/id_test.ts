import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { loadIdentitySeed } from "../transport/exposure/identity_file.ts";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { formatBackup, parseBackup, putBack } from "./id.ts";

const engine = defaultEngine();
const [A, B] = [new Uint8Array(32).fill(7).with(0, 1), new Uint8Array(32).fill(9).with(0, 2)];
const bytesOf = (text: string) => new TextEncoder().encode(text);

function withFolder(use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("a backup gives back the seed, also with other line ends, and so does a copy of the identity file", () => {
  const text = formatBackup(engine, A);
  assertEquals(parseBackup(engine, bytesOf(text)), A);
  assertEquals(parseBackup(engine, bytesOf(text.replaceAll("\n", "\r\n"))), A);
  assertEquals(parseBackup(engine, A), A);
});

Deno.test("a backup that is cut off anywhere is refused, and never becomes another identity", () => {
  const bytes = bytesOf(formatBackup(engine, A));
  // The line end alone may be missing.
  for (let length = 0; length < bytes.length - 1; length++) {
    const error = assertThrows(() => parseBackup(engine, bytes.slice(0, length)), RgtpError);
    assert(["TRUNCATED", "INVALID_ARG"].includes(error.condition), `${length}: ${error.condition}`);
  }
});

Deno.test("a backup with a changed character is refused, and its seed is in no message", () => {
  const text = formatBackup(engine, A);
  const seed = A.toBase64({ alphabet: "base64url", omitPadding: true });
  for (
    const wrong of [
      text.replace(seed, seed.replace(/^./, "x")),
      text.replace(/fingerprint ./, "fingerprint 1"),
    ]
  ) {
    const { condition, message } = assertThrows(() => parseBackup(engine, bytesOf(wrong)), RgtpError);
    assertEquals(condition, "INVALID_ARG");
    assert(!message.includes(seed.slice(1)));
  }
  for (
    const other of [
      bytesOf("anything else, and rather long it is"),
      new Uint8Array(32),
      new Uint8Array(33).fill(200),
    ]
  ) {
    assertEquals(assertThrows(() => parseBackup(engine, other), RgtpError).condition, "INVALID_ARG");
  }
});

Deno.test("restoring: where none is, where it is there already, and another one only by force", () => {
  withFolder((folder) => {
    const stateDir = `${folder}/state`;
    const held = () => loadIdentitySeed(stateDir, systemRandom).seed;
    assertEquals(putBack(engine, stateDir, A, false), { already: false });
    assertEquals(held(), A);
    assertEquals(putBack(engine, stateDir, A, false), { already: true });
    const { condition, message } = assertThrows(() => putBack(engine, stateDir, B, false), RgtpError);
    assertEquals(condition, "EXISTS");
    assert(message.includes("rgtp id backup") && message.includes("--force"));
    assertEquals(held(), A);
    assertEquals(putBack(engine, stateDir, B, true).already, false);
    assertEquals(held(), B);
    if (Deno.build.os !== "windows") {
      assertEquals((Deno.statSync(`${stateDir}/identity`).mode ?? 0) & 0o777, 0o600);
    }
    assertEquals([...Deno.readDirSync(stateDir)].map(({ name }) => name), ["identity"]);
  });
});

Deno.test("a damaged identity counts as one that is there", () => {
  withFolder((folder) => {
    Deno.writeFileSync(`${folder}/identity`, A.subarray(1));
    assertEquals(assertThrows(() => putBack(engine, folder, A, false), RgtpError).condition, "EXISTS");
    assertEquals(putBack(engine, folder, A, true), { already: false, replaced: "" });
    assertEquals(loadIdentitySeed(folder, systemRandom).seed, A);
  });
});
