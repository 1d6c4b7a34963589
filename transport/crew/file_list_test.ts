import { defaultEngine } from "../../crypto/default_engine.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { Crew } from "./crew.ts";
import { compareFiles, FILE_LIST_MAX } from "./file_list.ts";
import type { WholeBytes } from "./file_list.ts";

const { sha256 } = defaultEngine();
const key = { aead: "chacha20-poly1305", key: new Uint8Array(32), aad: new Uint8Array(0) } as const;
const file = new URL("./chunk_worker.ts", import.meta.url);

/** Files of all lengths; each third one is not what it should be. */
function filesIn(memory: (bytes: number) => Uint8Array<SharedArrayBuffer>, count: number): WholeBytes[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = memory(700 * i).fill(i);
    return { bytes, sha256: sha256.digest(i % 3 === 0 ? new Uint8Array(3) : bytes) };
  });
}

const expected = (count: number) => Array.from({ length: count }, (_, i) => i % 3 !== 0);

Deno.test("whole files are compared with their hashes, few or many", () => {
  const memory = (bytes: number) => new Uint8Array(new SharedArrayBuffer(bytes));
  for (const count of [0, 1, 8, 9, 40]) {
    assertEquals(compareFiles(sha256, filesIn(memory, count)), expected(count));
  }
});

/** As soon as a thread is ready for it. */
async function outcomes(crew: Crew, files: readonly WholeBytes[]): Promise<boolean[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<boolean[] | undefined>();
  for (let tries = 0; !crew.compareFiles(files, resolve); tries++) {
    assert(tries < 3000, "no thread took the files in half a minute");
    await new Promise((wake) => setTimeout(wake, 10));
  }
  // One list at a time.
  assertEquals(crew.compareFiles(files, resolve), false);
  await crew.settled();
  return await promise;
}

Deno.test("a crew compares whole files: a list at a time, none that it does not reach, not too many", async () => {
  const crew = new Crew(key, file, 1);
  try {
    for (const count of [1, 20, FILE_LIST_MAX]) {
      const files = filesIn((bytes) => crew.memory(bytes), count);
      assertEquals(await outcomes(crew, files), expected(count));
    }
    const files = filesIn((bytes) => crew.memory(bytes), FILE_LIST_MAX + 1);
    assertEquals(crew.compareFiles(files, () => {}), false);
    const foreign = filesIn((bytes) => new Uint8Array(new SharedArrayBuffer(bytes)), 2);
    assertEquals(crew.compareFiles(foreign, () => {}), false);
  } finally {
    crew.close();
  }
});
