import { assert, assertEquals, assertRejects, assertThrows } from "../../tests/_assert.ts";
import { QuickFile, QuickFiles } from "./quick_files.ts";

const probe = QuickFiles.of("/tmp");
probe?.close();
/** The C library is not everywhere. */
const ignore = probe === undefined;

async function inFolder(use: (folder: string, files: QuickFiles) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "rgtp-quick-" });
  const files = QuickFiles.of(folder)!;
  try {
    await use(folder, files);
  } finally {
    files.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "quick files: what was written at places is there, with its mode, length and time",
  ignore,
  fn: () =>
    inFolder(async (folder, files) => {
      const path = `${folder}/grün`;
      const file = files.open(path, 0o777)!;
      assert(file instanceof QuickFile);
      file.writeAt(3, Uint8Array.of(1, 2, 3));
      file.writeAt(0, new Uint8Array(0));
      file.truncate(9);
      const back = new Uint8Array(12);
      assertEquals([file.readAt(2, back), [...back.subarray(0, 7)]], [7, [0, 1, 2, 3, 0, 0, 0]]);
      for (const time of [1_700_000_000_123, -1500, 2 ** 41]) {
        file.setTime(new Date(time));
        assertEquals(Deno.statSync(path).mtime?.getTime(), time);
      }
      file.sync();
      await file.syncLater();
      file.close();
      file.close();
      const { size, mode } = Deno.statSync(path);
      assertEquals([size, mode! & 0o777], [9, 0o777 & ~Deno.umask()]);
      // One that is there stays as it is.
      const again = files.open(path, 0o666)!;
      assertEquals(again.readAt(3, back), 6);
      again.close();
    }),
});

Deno.test({
  name: "quick files: a name goes to where nothing stands, and a link is never followed",
  ignore,
  fn: () =>
    inFolder((folder, files) => {
      Deno.writeTextFileSync(`${folder}/a`, "a");
      Deno.writeTextFileSync(`${folder}/b`, "b");
      Deno.symlinkSync("nowhere", `${folder}/link`);
      for (const place of ["b", "link", "none/a", "\0", "x".repeat(5000)]) {
        assertEquals(files.nameAnew(`${folder}/a`, `${folder}/${place}`), false, place);
      }
      assertEquals(Deno.readTextFileSync(`${folder}/b`), "b");
      assertEquals(files.nameAnew(`${folder}/a`, `${folder}/c`), true);
      assertEquals(Deno.readTextFileSync(`${folder}/c`), "a");
      for (const place of ["link", "none/a", "\0", "x".repeat(5000)]) {
        assertEquals(files.open(`${folder}/${place}`, 0o666), undefined, place);
      }
      assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name).sort(), ["b", "c", "link"]);
    }),
});

Deno.test({
  name: "quick files: what the system refuses is an error with its name",
  ignore,
  fn: () =>
    inFolder(async (_folder, files) => {
      const full = files.open("/dev/full", 0)!;
      const { code } = assertThrows(() => full.writeAt(0, Uint8Array.of(1)), Error, "pwrite") as Error & {
        code: string;
      };
      assertEquals(code, "ENOSPC");
      assertThrows(() => full.truncate(1), Error, "EINVAL");
      assertThrows(() => full.sync(), Error, "EINVAL");
      await assertRejects(() => full.syncLater(), Error, "fdatasync");
      full.close();
    }),
});

Deno.test({
  name: "quick files: none where Deno does not permit to write the folder",
  permissions: { read: true, ffi: true, write: false },
  fn: () => assertEquals(QuickFiles.of("/tmp"), undefined),
});

Deno.test({
  name: "quick files: what is open when they are closed can be used and closed later",
  ignore,
  fn: () =>
    inFolder(async (folder) => {
      const files = QuickFiles.of(folder)!;
      const file = files.open(`${folder}/a`, 0o666)!;
      files.close();
      const synced = file.syncLater();
      file.writeAt(0, Uint8Array.of(7));
      await synced;
      file.close();
      assertEquals([...Deno.readFileSync(`${folder}/a`)], [7]);
    }),
});
