/*
 * A transfer so large that threads take part on both sides: its bytes are right, and its hash is that of the file as others reckon it.
 */
import { createHash } from "node:crypto";
import { limits } from "../../core/limits.ts";
import { expose, pull } from "../../mod.ts";
import { assertEquals } from "../_assert.ts";

const BYTES = limits.crewBytesMin + 12_345;

/** Bytes that differ from chunk to chunk. */
function content(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(BYTES / 4));
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    words[i] = state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  }
  return new Uint8Array(words.buffer, 0, BYTES);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

Deno.test("a transfer in which threads take part is right, and so is one that goes on from half of it", async () => {
  const source = content();
  const folder = await Deno.makeTempDir();
  try {
    const options = { host: "127.0.0.1", port: 0, stateDir: `${folder}/state` };
    await using exposure = await expose(source, options);
    const out = `${folder}/out`;
    const first = await pull(exposure.ticket).saveTo(out);
    assertEquals([first.bytes, first.reusedBytes, first.sha256], [BYTES, 0, sha256(source)]);
    assertEquals(sha256(await Deno.readFile(out)), first.sha256);

    // A part of which nothing is known: what is right in it is kept.
    await Deno.rename(out, `${out}.part`);
    const half = BYTES >> 1;
    const file = await Deno.open(`${out}.part`, { write: true });
    await file.truncate(half);
    file.close();
    const second = await pull(exposure.ticket).saveTo(out);
    assertEquals(second.sha256, first.sha256);
    assertEquals(second.reusedBytes > half / 2, true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
