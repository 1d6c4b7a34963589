import { RgtpError } from "../../core/errors.ts";
import { pageBytes } from "../../crypto/leaf_pages.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../../tests/_assert.ts";
import type { OpenPartOptions, PartFile } from "./part_file.ts";
import { openPart } from "./part_file.ts";

const chunkSize = 4096;
const CHUNKS = 10;
const hash = nativeEngine.sha256;
const id = new Uint8Array(32).fill(1);
const otherId = new Uint8Array(32).fill(2);

/** The exposure's plaintext; other seeds are other exposures, alike in chunk 2. */
function content(seed = 0, totalSize = 9 * chunkSize + 5): Uint8Array {
  return Uint8Array.from(
    { length: totalSize },
    (_, i) => (i >> 12 === 2 ? i : i * 7 + (i >> 12) + seed) & 255,
  );
}

function chunkOf(bytes: Uint8Array, chunk: number): Uint8Array {
  return bytes.subarray(chunk * chunkSize, (chunk + 1) * chunkSize);
}

interface Place {
  readonly folder: string;
  readonly out: string;
  open(change?: Partial<OpenPartOptions>): PartFile;
  /** Names in the folder, sorted. */
  names(): string[];
}

async function withPlace(use: (place: Place) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const out = `${folder}/out`;
  const manifest = { chunkSize, totalSize: content().length };
  try {
    await use({
      folder,
      out,
      open: (change) => openPart({ path: out, manifest, id, hash, ...change }),
      names: () => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a puller does: candidates first, then the rest from afar. Which chunks came from afar, which were kept, how often it rejected. */
function pull(part: PartFile, bytes: Uint8Array, chunksMax = Infinity) {
  const chunks = Math.ceil(bytes.length / chunkSize);
  const flags = part.candidates(0);
  const result = { fetched: [] as number[], kept: [] as number[], rejects: 0 };
  for (let chunk = 0; chunk < chunks && part.chunksHeld < chunksMax; chunk++) {
    const right = chunkOf(bytes, chunk);
    const into = new Uint8Array(right.length);
    let isHeld = false;
    let isCandidate = flags?.[chunk] === 1;
    while (isCandidate && !isHeld && part.read(chunk, into)) {
      isHeld = into.toHex() === right.toHex();
      if (isHeld) part.keep(chunk, into);
      else {
        result.rejects++;
        isCandidate = part.reject(chunk);
      }
    }
    if (isHeld) result.kept.push(chunk);
    else {
      part.write(chunk, right);
      result.fetched.push(chunk);
    }
  }
  return result;
}

function refusal(fn: () => unknown, condition: string): RgtpError {
  const error = assertThrows(fn, RgtpError);
  assertEquals(error.condition, condition, error.message);
  return error;
}

const all = Array.from({ length: CHUNKS }, (_, chunk) => chunk);

Deno.test("an output that exists and has another size is refused, and left alone", async () => {
  await withPlace(({ out, open, names }) => {
    Deno.writeFileSync(out, content().subarray(1));
    const error = refusal(() => open(), "EXISTS");
    assertStringIncludes(error.message, out);
    assertEquals(names(), ["out"]);
    Deno.removeSync(out);
    Deno.mkdirSync(out);
    for (const force of [false, true]) refusal(() => open({ force }), "EXISTS");
    Deno.removeSync(out);
    Deno.symlinkSync("nowhere", out);
    refusal(() => open(), "EXISTS");
  });
});

Deno.test("a fresh pull: nothing to try, and the output appears whole at the end", async () => {
  await withPlace(async ({ out, open, names }) => {
    const part = open();
    assertEquals([part.candidateKinds, part.candidates(0), part.page(0)], [[], undefined, undefined]);
    // In any order.
    for (const chunk of all.toReversed()) part.write(chunk, chunkOf(content(), chunk));
    assertEquals(names(), ["out.part", "out.part.rgtp"]);
    assertEquals(await part.finish(), "complete");
    assertEquals(names(), ["out"]);
    assertEquals(Deno.readFileSync(out), content());
    const seen: number[] = [];
    assertEquals(await part.sha256((bytes) => seen.push(bytes)), hash.digest(content()));
    assertEquals(seen.at(-1), content().length);
    part.close();
    part.close();
    assertEquals(names(), ["out"]);
  });
});

Deno.test("one that spares threads hashes as it writes, in whatever order: nothing is left to read at the end", async () => {
  await withPlace(async ({ out, open }) => {
    const part = open();
    part.spareThreads();
    for (const chunk of [1, 0, ...all.slice(2).reverse()]) part.write(chunk, chunkOf(content(), chunk));
    await part.finish();
    const hashed: number[] = [];
    // What it has hashed before is told at once, whatever stands there now.
    Deno.writeFileSync(out, new Uint8Array(content().length));
    assertEquals(await part.sha256((bytes) => hashed.push(bytes)), hash.digest(content()));
    assertEquals(hashed, [content().length]);
    part.close();
  });
});

Deno.test("every size of output", async () => {
  for (const totalSize of [0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize + 5]) {
    await withPlace(async ({ out, open }) => {
      const bytes = content(0, totalSize);
      const part = open({ manifest: { chunkSize, totalSize } });
      pull(part, bytes);
      assertEquals(await part.finish(), "complete");
      part.close();
      assertEquals(Deno.readFileSync(out), bytes);
      const again = open({ manifest: { chunkSize, totalSize } });
      assertEquals(pull(again, bytes).fetched, []);
      assertEquals(await again.finish(), "already-complete");
      assertEquals(await again.sha256(), hash.digest(bytes));
      again.close();
    });
  }
});

Deno.test("a pull that was cut off goes on with what it had, pages too", async () => {
  await withPlace(async ({ out, open, names }) => {
    const first = open();
    const page = new Uint8Array(pageBytes(CHUNKS, 0)).fill(9);
    first.savePage(0, page);
    pull(first, content(), 4);
    first.close();
    assertEquals(names(), ["out.part", "out.part.rgtp"]);
    const second = open();
    assertEquals(second.candidateKinds, ["journal"]);
    assertEquals(second.page(0), page);
    assertEquals(pull(second, content()), { kept: [0, 1, 2, 3], fetched: [4, 5, 6, 7, 8, 9], rejects: 0 });
    assertEquals(second.candidates(0), undefined);
    await second.finish();
    second.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("a chunk of the part that has gone bad is found and fetched again", async () => {
  await withPlace(async ({ out, open }) => {
    const first = open();
    pull(first, content(), 4);
    first.close();
    using file = Deno.openSync(`${out}.part`, { write: true });
    file.seekSync(2 * chunkSize + 100, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.of(0xee, 0xee));
    const second = open();
    assertEquals(pull(second, content()), { kept: [0, 1, 3], fetched: [2, 4, 5, 6, 7, 8, 9], rejects: 1 });
    await second.finish();
    second.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("without its journal a part is tried whole", async () => {
  for (const damage of ["lost", "cut", "garbage"]) {
    await withPlace(async ({ out, open }) => {
      const first = open();
      pull(first, content(), 4);
      first.close();
      const journal = `${out}.part.rgtp`;
      if (damage === "lost") Deno.removeSync(journal);
      if (damage === "cut") Deno.truncateSync(journal, 65);
      if (damage === "garbage") Deno.writeFileSync(journal, content(5));
      const second = open();
      assertEquals(second.candidateKinds, ["part"]);
      const { kept, fetched } = pull(second, content());
      assertEquals([kept, fetched], [[0, 1, 2, 3], [4, 5, 6, 7, 8, 9]], damage);
      await second.finish();
      second.close();
      assertEquals(Deno.readFileSync(out), content());
    });
  }
});

Deno.test("a journal without its part is worth nothing", async () => {
  await withPlace(({ out, open }) => {
    const first = open();
    pull(first, content(), 4);
    first.close();
    Deno.removeSync(`${out}.part`);
    const second = open();
    assertEquals([second.candidateKinds, second.candidates(0)], [[], undefined]);
    second.close();
  });
});

Deno.test("the part of another exposure is tried before it is overwritten, also after a second stop", async () => {
  await withPlace(async ({ out, open }) => {
    const foreign = open({ id: otherId });
    pull(foreign, content(50));
    foreign.close();
    const stopped = open();
    assertEquals(stopped.candidateKinds, ["part"]);
    assertEquals(pull(stopped, content(), 1), { kept: [], fetched: [0], rejects: 1 });
    stopped.close();
    const part = open();
    const { kept, fetched } = pull(part, content());
    assertEquals([kept, fetched], [[0, 2], [1, 3, 4, 5, 6, 7, 8, 9]]);
    await part.finish();
    part.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("a part of another size is cut or stretched, and tried as far as it reaches", async () => {
  for (const [size, reach] of [[3 * chunkSize, 3], [3 * chunkSize + 1, 4], [20 * chunkSize, 10]]) {
    await withPlace(async ({ out, open }) => {
      Deno.writeFileSync(`${out}.part`, content(0, size));
      const part = open();
      assertEquals(part.candidates(0)?.reduce((sum, flag) => sum + flag, 0), reach);
      pull(part, content());
      await part.finish();
      part.close();
      assertEquals(Deno.readFileSync(out), content());
    });
  }
});

Deno.test("an output that is complete already is only read", async () => {
  await withPlace(async ({ out, open, names }) => {
    Deno.writeFileSync(out, content());
    for (const force of [false, true]) {
      const part = open({ force });
      assertEquals(part.candidateKinds, ["same-size"]);
      assertEquals(pull(part, content()), { kept: all, fetched: [], rejects: 0 });
      assertEquals(names(), ["out"]);
      assertEquals(await part.finish(), "already-complete");
      assertEquals(await part.sha256(), hash.digest(content()));
      part.close();
      assertEquals(names(), ["out"]);
    }
  });
});

Deno.test("an output of the right size that differs is refused without force", async () => {
  await withPlace(({ out, open, names }) => {
    Deno.writeFileSync(out, content(50));
    const part = open();
    refusal(() => pull(part, content()), "EXISTS");
    part.close();
    assertEquals(names(), ["out"]);
    assertEquals(Deno.readFileSync(out), content(50));
  });
});

Deno.test("with force an older output lends what is still right, and stays whole until the end", async () => {
  const older = content(0, 12 * chunkSize);
  older.set(content(50).subarray(3 * chunkSize, 5 * chunkSize), 3 * chunkSize);
  for (const size of [content().length, 12 * chunkSize, 6 * chunkSize]) {
    await withPlace(async ({ out, open, names }) => {
      const before = older.slice(0, size);
      Deno.writeFileSync(out, before);
      const part = open({ force: true });
      assertEquals(part.candidateKinds, [size === content().length ? "same-size" : "older"]);
      const { kept, fetched } = pull(part, content());
      const right = all.filter((chunk) =>
        chunk !== 3 && chunk !== 4 && !(size === 6 * chunkSize && chunk >= 6)
      );
      assertEquals([kept, fetched], [right, all.filter((chunk) => !right.includes(chunk))]);
      assertEquals(Deno.readFileSync(out), before);
      assertEquals(await part.finish(), "complete");
      assertEquals(await part.sha256(), hash.digest(content()));
      part.close();
      assertEquals(Deno.readFileSync(out), content());
      assertEquals(names(), ["out"]);
    });
  }
});

Deno.test("what is in the part goes before the older output, which is tried next", async () => {
  await withPlace(async ({ out, open }) => {
    Deno.writeFileSync(out, content());
    Deno.writeFileSync(`${out}.part`, content(50));
    const part = open({ force: true });
    assertEquals(part.candidateKinds, ["part", "same-size"]);
    assertEquals(pull(part, content()), { kept: all, fetched: [], rejects: 9 });
    assertEquals(await part.finish(), "complete");
    part.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("an output that changes after it was compared spoils nothing", async () => {
  await withPlace(async ({ out, open }) => {
    Deno.writeFileSync(out, content());
    const complete = open();
    pull(complete, content());
    Deno.writeFileSync(out, content(1));
    Deno.utimeSync(out, 1, 1);
    const error = await assertRejects(() => complete.finish(), RgtpError);
    assertEquals(error.condition, "SOURCE_CHANGED");
    complete.close();

    const older = content();
    older[9 * chunkSize] ^= 1;
    Deno.writeFileSync(out, older);
    const part = open({ force: true });
    pull(part, content());
    Deno.writeFileSync(out, content(1));
    assertEquals((await assertRejects(() => part.finish(), RgtpError)).condition, "SOURCE_CHANGED");
    part.close();
    assertEquals(Deno.readFileSync(out), content(1));
    // The next pull takes what was kept, and the rest from afar.
    const again = open({ force: true });
    pull(again, content());
    assertEquals(await again.finish(), "complete");
    again.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("what appears at the output meanwhile is not replaced without force", async () => {
  await withPlace(async ({ out, open, names }) => {
    const part = open();
    pull(part, content());
    Deno.writeFileSync(out, Uint8Array.of(1));
    assertEquals((await assertRejects(() => part.finish(), RgtpError)).condition, "EXISTS");
    assertEquals(Deno.readFileSync(out), Uint8Array.of(1));
    part.close();
    assertEquals(names(), ["out", "out.part", "out.part.rgtp"]);
    const forced = open({ force: true });
    assertEquals(pull(forced, content()).fetched, []);
    await forced.finish();
    forced.close();
    assertEquals(Deno.readFileSync(out), content());
  });
});

Deno.test("a pull that wrote nothing leaves nothing behind", async () => {
  await withPlace(({ open, names }) => {
    open().close();
    assertEquals(names(), []);
  });
});

Deno.test("mistakes of the caller are told as such", async () => {
  await withPlace(async ({ open }) => {
    const part = open();
    for (const chunk of [-1, 10, 0.5, NaN]) {
      assertThrows(() => part.write(chunk, new Uint8Array(chunkSize)), RangeError);
    }
    assertThrows(() => part.write(0, new Uint8Array(chunkSize - 1)), RangeError);
    assertThrows(() => part.write(9, new Uint8Array(chunkSize)), RangeError);
    assertEquals(part.read(0, new Uint8Array(5)), false);
    await assertRejects(() => part.finish(), TypeError, "10 chunks");
    await assertRejects(() => part.sha256(), TypeError, "not finished");
    part.close();
    await assertRejects(() => part.finish(), TypeError, "closed");
    assertThrows(() => part.write(0, new Uint8Array(chunkSize)), TypeError, "closed");
  });
});

Deno.test("places that cannot be written are named, with what to do", async () => {
  await withPlace(({ folder, open }) => {
    Deno.writeFileSync(`${folder}/file`, Uint8Array.of(1));
    const table: [path: string, advice: string][] = [
      [`${folder}/none/out`, "no such folder"],
      [`${folder}/file/out`, "not a folder"],
      [`${folder}/${"n".repeat(250)}`, "shorter"],
    ];
    for (const [path, advice] of table) {
      const error = refusal(() => open({ path }), "IO");
      assertStringIncludes(error.message, advice);
      assertStringIncludes(error.message, path);
    }
    Deno.symlinkSync(`${folder}/file`, `${folder}/out.part`);
    assertStringIncludes(refusal(() => open(), "IO").message, "remove it");
    assertEquals(Deno.readFileSync(`${folder}/file`), Uint8Array.of(1));
  });
});

const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;

Deno.test({
  name: "a folder that may not be written is named" + (isRoot ? " [skipped: root ignores modes]" : ""),
  ignore: isRoot,
  fn: () =>
    withPlace(({ folder, open }) => {
      Deno.chmodSync(folder, 0o500);
      assertStringIncludes(refusal(() => open(), "IO").message, "permit");
      Deno.chmodSync(folder, 0o700);
    }),
});

Deno.test({
  name: "a missing Deno permission is named",
  permissions: { read: true, write: false },
  fn() {
    const manifest = { chunkSize, totalSize: 1 };
    const error = refusal(() => openPart({ path: "/some/out", manifest, id, hash }), "IO");
    assertStringIncludes(error.message, "--allow-write=/some/out.part.rgtp");
  },
});

Deno.test("hashing what was not written in order lets timers run", async () => {
  await withPlace(async ({ open }) => {
    const manifest = { chunkSize: 1_048_576, totalSize: 96 * 1_048_576 };
    const part = open({ manifest });
    const chunk = new Uint8Array(1_048_576);
    for (let i = 95; i >= 0; i--) part.write(i, chunk);
    await part.finish();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await part.sha256();
    clearInterval(timer);
    part.close();
    assert(ticks >= 2, `${ticks} ticks`);
  });
});
