import { createHash } from "node:crypto";
import { assertEquals } from "../../tests/_assert.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { digestAlong, FileDigest } from "./file_digest.ts";

const worker = new URL("./digest_worker.ts", import.meta.url);
const BYTES = 5_000_001;

/** A file of so many bytes, filled with zeros. */
async function temporary(bytes: number): Promise<{ path: string; file: Deno.FsFile } & AsyncDisposable> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/out.part`;
  const file = await Deno.open(path, { write: true, create: true });
  await file.truncate(bytes);
  const remove = async () => {
    file.close();
    await Deno.remove(folder, { recursive: true });
  };
  return { path, file, [Symbol.asyncDispose]: remove };
}

Deno.test("a file is hashed while it is written, and renamed", async () => {
  await using there = await temporary(BYTES);
  const digest = new FileDigest(worker, there.path, BYTES);
  try {
    const content = new Uint8Array(BYTES).map((_, i) => (i * 7 + (i >> 9)) & 255);
    for (let at = 0; at < BYTES; at += 700_000) {
      const end = Math.min(BYTES, at + 700_000);
      for (let from = at; from < end;) from += await there.file.write(content.subarray(from, end));
      digest.handleWritten(end);
      await new Promise((wake) => setTimeout(wake, 5));
    }
    assertEquals(
      (await digest.digest)?.toHex(),
      createHash("sha256").update(content).digest("hex"),
    );
  } finally {
    digest.close();
  }
});

Deno.test("there is no digest of a file that is not all there, or not there, or wanted no more", async () => {
  await using there = await temporary(1000);
  const tooShort = new FileDigest(worker, there.path, BYTES);
  const missing = new FileDigest(worker, `${there.path}.not`, BYTES);
  const ended = new FileDigest(worker, there.path, BYTES);
  try {
    for (const digest of [tooShort, missing, ended]) digest.handleWritten(BYTES / 2);
    ended.close();
    for (const digest of [tooShort, missing, ended]) assertEquals(await digest.digest, undefined);
    ended.handleWritten(BYTES);
  } finally {
    for (const digest of [tooShort, missing, ended]) digest.close();
  }
});

Deno.test("who writes hashes what he has written himself; what cannot be read has no digest", async () => {
  const content = new Uint8Array(BYTES).map((_, i) => (i * 11 + (i >> 7)) & 255);
  const read = (at: number, into: Uint8Array) => {
    into.set(content.subarray(at, at + into.length));
    return true;
  };
  const digest = digestAlong(nativeEngine.sha256, BYTES, read);
  for (const end of [1, 70_000, 70_000, 3_000_000, BYTES]) digest.handleWritten(end);
  assertEquals((await digest.digest)?.toHex(), createHash("sha256").update(content).digest("hex"));
  // What is at hand is not read; only where it is what comes next.
  const inOrder = digestAlong(nativeEngine.sha256, BYTES, (at, into) => at === 1_000_000 && read(at, into));
  inOrder.handleWritten(1_000_000, content.subarray(0, 1_000_000));
  inOrder.handleWritten(1_030_000, content.subarray(1_010_000, 1_030_000));
  inOrder.handleWritten(BYTES, content.subarray(1_030_000));
  assertEquals((await inOrder.digest)?.toHex(), createHash("sha256").update(content).digest("hex"));
  const failing = () => {
    throw new Error("no disk");
  };
  for (
    const one of [
      digestAlong(nativeEngine.sha256, 10, () => false),
      digestAlong(nativeEngine.sha256, 10, failing),
    ]
  ) {
    one.handleWritten(10);
    assertEquals(await one.digest, undefined);
  }
  const ended = digestAlong(nativeEngine.sha256, BYTES, read);
  ended.handleWritten(1000);
  ended.close();
  assertEquals(await ended.digest, undefined);
});
