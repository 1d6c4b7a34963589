import { defaultEngine } from "../../crypto/default_engine.ts";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { QuickFiles } from "../link/quick_files.ts";
import { Crew } from "./crew.ts";
import { compareFiles, FILE_LIST_MAX, FileOutcome } from "./file_list.ts";
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
async function outcomes(
  crew: Crew,
  files: readonly WholeBytes[],
): Promise<readonly number[] | undefined> {
  const { promise, resolve } = Promise.withResolvers<readonly number[] | undefined>();
  for (let tries = 0; !crew.settleFiles(files, resolve); tries++) {
    assert(tries < 3000, "no thread took the files in half a minute");
    await new Promise((wake) => setTimeout(wake, 10));
  }
  await crew.settled();
  return await promise;
}

Deno.test("a crew compares whole files: two lists at a time, none that it does not reach, not too many", async () => {
  const crew = new Crew(key, file, 1);
  try {
    for (const count of [1, 20, FILE_LIST_MAX]) {
      const files = filesIn((bytes) => crew.memory(bytes), count);
      assertEquals(await outcomes(crew, files), expected(count).map(Number));
    }
    const files = filesIn((bytes) => crew.memory(bytes), FILE_LIST_MAX + 1);
    assertEquals(crew.settleFiles(files, () => {}), false);
    const foreign = filesIn((bytes) => new Uint8Array(new SharedArrayBuffer(bytes)), 2);
    assertEquals(crew.settleFiles(foreign, () => {}), false);
    const few = filesIn((bytes) => crew.memory(bytes), 3);
    const given = [1, 2, 3].map(() => crew.settleFiles(few, () => {}));
    assertEquals(given, [true, true, false]);
  } finally {
    crew.close();
  }
});

Deno.test("a crew that is ended has called back for all, and is gone", async () => {
  const crew = new Crew(key, file, 1);
  const files = filesIn((bytes) => crew.memory(bytes), FILE_LIST_MAX);
  await outcomes(crew, files);
  let areTold = false;
  assert(crew.settleFiles(files, () => areTold = true));
  await crew.end();
  assert(areTold);
  assertEquals(crew.settleFiles(files, () => {}), false);
});

const probe = QuickFiles.of("/tmp");
probe?.close();

Deno.test({
  name: "a crew writes the files that are right, and leaves holes to others",
  ignore: probe === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "rgtp-list-" });
    const quick = QuickFiles.of(folder)!;
    const crew = new Crew(key, file, 1);
    try {
      const open = Array.from({ length: 30 }, (_, i) => quick.open(`${folder}/${i}`, 0o666)!);
      const files = filesIn((bytes) => crew.memory(bytes), 30).map((one, i) => {
        // Zeros where a block begins may be a hole.
        if (i === 20) one.bytes.fill(0, 8192, 8300);
        return { bytes: one.bytes, sha256: i === 20 ? sha256.digest(one.bytes) : one.sha256 };
      });
      const found = await outcomes(crew, files.map((one, i) => ({ ...one, descriptor: open[i].descriptor })));
      open.forEach((one) => one.close());
      files.forEach(({ bytes }, i) => {
        const { WRONG, RIGHT, WRITTEN } = FileOutcome;
        assertEquals(found![i], i === 20 ? RIGHT : i % 3 === 0 ? WRONG : WRITTEN, `${i}`);
        assertEquals(
          Deno.readFileSync(`${folder}/${i}`),
          found![i] === WRITTEN ? bytes.slice() : new Uint8Array(0),
        );
      });
    } finally {
      crew.close();
      quick.close();
      await Deno.remove(folder, { recursive: true });
    }
  },
});
