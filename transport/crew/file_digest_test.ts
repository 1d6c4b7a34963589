import { createHash } from "node:crypto";
import { assertEquals } from "../../tests/_assert.ts";
import { FileDigest } from "./file_digest.ts";

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
      (await digest.finish())?.toHex(),
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
    for (const digest of [tooShort, missing, ended]) assertEquals(await digest.finish(), undefined);
    ended.handleWritten(BYTES);
  } finally {
    for (const digest of [tooShort, missing, ended]) digest.close();
  }
});
