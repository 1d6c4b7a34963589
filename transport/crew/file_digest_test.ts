import { createHash } from "node:crypto";
import { limits } from "../../core/limits.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { FileDigest } from "./file_digest.ts";

const worker = new URL("./digest_worker.ts", import.meta.url);
const BYTES = 5_000_001;
const CHUNK_BYTES = 65_536;

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
  const digest = new FileDigest(worker, there.path, BYTES, CHUNK_BYTES);
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

Deno.test("a chunk that is lent is hashed where it lies, and given back: the rest is read", async () => {
  const bytes = 64 * CHUNK_BYTES + 100;
  await using there = await temporary(bytes);
  const digest = new FileDigest(worker, there.path, bytes, CHUNK_BYTES);
  try {
    // What stands in the file are zeros.
    const expected = new Uint8Array(bytes);
    const memories = [0, 1, 2].map(() => new SharedArrayBuffer(8 * CHUNK_BYTES));
    const lend = (chunk: number, slot: number) => {
      const memory = new Uint8Array(memories[slot % 3], Math.floor(slot / 3) * CHUNK_BYTES, CHUNK_BYTES);
      expected.fill(chunk, chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
      digest.lend(chunk, memory.fill(chunk));
    };
    const reads = (chunk: number) => digest.reads(chunk);
    // Out of order, and with gaps.
    const chunks = [9, 8, 1, 2, 3, 0, 20, 5, 4];
    for (const [slot, chunk] of chunks.entries()) lend(chunk, slot);
    await new Promise((wake) => setTimeout(wake, 30));
    assertEquals(chunks.map(reads), chunks.map(() => true), "nothing of it may be hashed yet");
    digest.handleWritten(6 * CHUNK_BYTES);
    digest.handleWritten(40 * CHUNK_BYTES);
    for (let tries = 0; chunks.some(reads); tries++) {
      assert(tries < 3000, "the thread gave nothing back in half a minute");
      await new Promise((wake) => setTimeout(wake, 10));
    }
    // Their memory is whose it was.
    for (const memory of memories) new Uint8Array(memory).fill(255);
    for (const [slot, chunk] of [40, 63, 50].entries()) lend(chunk, slot);
    digest.handleWritten(bytes);
    assertEquals((await digest.finish())?.toHex(), createHash("sha256").update(expected).digest("hex"));
    assertEquals([40, 50, 63].map(reads), [false, false, false]);
  } finally {
    digest.close();
  }
});

Deno.test("what is far ahead, was told of before, is no whole chunk, or lies where no thread reaches it, is not lent", async () => {
  await using there = await temporary(100 * CHUNK_BYTES);
  const digest = new FileDigest(worker, there.path, 100 * CHUNK_BYTES, CHUNK_BYTES);
  try {
    const shared = new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
    const far = limits.lentBytesMax / CHUNK_BYTES;
    digest.lend(0, new Uint8Array(CHUNK_BYTES));
    digest.lend(1, shared.subarray(1));
    digest.lend(far, shared);
    assertEquals([0, 1, far].map((chunk) => digest.reads(chunk)), [false, false, false]);
    digest.lend(1, shared);
    assert(digest.reads(1));
    digest.handleWritten(CHUNK_BYTES);
    digest.lend(0, shared);
    assert(!digest.reads(0));
  } finally {
    digest.close();
    assert(!digest.reads(1), "whoever has ended reads nothing");
  }
});

Deno.test("there is no digest of a file that is not all there, or not there, or wanted no more", async () => {
  await using there = await temporary(1000);
  const tooShort = new FileDigest(worker, there.path, BYTES, CHUNK_BYTES);
  const missing = new FileDigest(worker, `${there.path}.not`, BYTES, CHUNK_BYTES);
  const ended = new FileDigest(worker, there.path, BYTES, CHUNK_BYTES);
  try {
    const lent = new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
    for (const digest of [tooShort, missing, ended]) {
      digest.lend(46, lent);
      digest.handleWritten(BYTES / 2);
    }
    ended.close();
    for (const digest of [tooShort, missing, ended]) assertEquals(await digest.finish(), undefined);
    for (const digest of [tooShort, missing, ended]) assert(!digest.reads(46));
    ended.lend(0, lent);
    assert(!ended.reads(0));
    ended.handleWritten(BYTES);
  } finally {
    for (const digest of [tooShort, missing, ended]) digest.close();
  }
});
