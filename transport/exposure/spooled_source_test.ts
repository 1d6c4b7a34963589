import { RgtpError } from "../../core/errors.ts";
import { assert, assertEquals, assertRejects } from "../../tests/_assert.ts";
import { noise } from "./_trees.ts";
import { spoolStream } from "./spooled_source.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    await use(folder);
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(pieces);
}

Deno.test("spool: what a stream gave, in pieces of any size, is read at any place", () =>
  withFolder(async (folder) => {
    const bytes = noise(300_000);
    const cuts = [0, 1, 1, 70_000, 299_999, 300_000];
    const pieces = cuts.slice(1).map((cut, i) => bytes.subarray(cuts[i], cut));
    let read = 0;
    const source = await spoolStream(streamOf(pieces), { folder, onRead: (count) => read = count });
    assertEquals([source.size, read, source.fingerprint, source.unchanged()], [
      300_000,
      300_000,
      undefined,
      true,
    ]);
    for (const [from, to] of [[0, 10], [65_000, 200_000], [299_990, 300_000], [300_000, 300_000]]) {
      const into = new Uint8Array(to - from);
      source.read(from, into);
      assertEquals(into, bytes.slice(from, to));
    }
    source.close();
    source.close();
  }));

Deno.test("spool: an empty stream, and the system's folder for temporary files", async () => {
  const source = await spoolStream(streamOf([]));
  assertEquals(source.size, 0);
  source.close();
});

Deno.test({
  name: "spool: the file has no name, and nobody else may read it while it has one" +
    (Deno.build.os === "windows" ? " [skipped: Windows keeps the names of open files]" : ""),
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      const source = await spoolStream(streamOf([new Uint8Array(10)]), { folder });
      assertEquals([...Deno.readDirSync(folder)], []);
      source.close();
    }),
});

Deno.test("spool: a stream that fails, or gives no bytes, is refused, and told that nobody reads on", () =>
  withFolder(async (folder) => {
    const failing = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("the tape tore"));
      },
    });
    const failed = await assertRejects(() => spoolStream(failing, { folder }), RgtpError);
    assertEquals(failed.condition, "IO");
    assert(failed.message.includes("the tape tore"));
    let isCancelled = false;
    const text = new ReadableStream<Uint8Array>({
      pull: (controller) => Reflect.apply(controller.enqueue, controller, ["text"]),
      cancel: () => void (isCancelled = true),
    });
    await assertRejects(() => spoolStream(text, { folder }), TypeError);
    assert(isCancelled);
  }));

Deno.test("spool: a signal ends the reading, also of a stream that never gives anything", () =>
  withFolder(async (folder) => {
    const abort = new AbortController();
    let isCancelled = false;
    const silent = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) });
    const spooled = spoolStream(silent, { folder, signal: abort.signal });
    setTimeout(() => abort.abort(), 10);
    const error = await assertRejects(() => spooled, RgtpError);
    assertEquals([error.condition, isCancelled], ["CANCELLED", true]);
    await assertRejects(() => spoolStream(streamOf([noise(5)]), { folder, signal: abort.signal }), RgtpError);
  }));

Deno.test("spool: a folder that is not there", async () => {
  const error = await assertRejects(
    () => spoolStream(streamOf([]), { folder: "/nowhere/at/all" }),
    RgtpError,
  );
  assertEquals(error.condition, "IO");
});
