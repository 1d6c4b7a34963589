import { statfsSync } from "node:fs";
import { assert, assertEquals } from "../../tests/_assert.ts";
import { freeBytesOf } from "./free_space.ts";
import { Libc } from "./_libc.ts";

const libc = Libc.load();
libc?.close();

Deno.test({
  name: "the C library sees the same room on a disk as the runtime" +
    (libc ? "" : " [skipped: the C library is not to be had]"),
  ignore: !libc,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const { bavail, bsize } = statfsSync(folder);
      // Others write there too.
      assert(Math.abs(freeBytesOf(folder)! - bavail * bsize) < 2 ** 30);
      assertEquals(freeBytesOf(`${folder}/not there`), undefined);
    } finally {
      await Deno.remove(folder);
    }
  },
});
