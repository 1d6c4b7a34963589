import { assert, assertEquals } from "../../tests/_assert.ts";
import { Libc } from "./_libc.ts";
import { MappedFile } from "./mapped_file.ts";
import { openLinuxUdp } from "./linux_udp.ts";

const libc = Libc.load();
libc?.close();
const why = libc === undefined ? "needs Linux and --allow-ffi" : "";

const GIB = 2 ** 30;

function test(name: string, use: (path: string, file: Deno.FsFile) => Promise<void> | void): void {
  Deno.test({
    name: `mapped file: ${name}${why && ` [skipped: ${why}]`}`,
    ignore: why !== "",
    fn: async () => {
      const path = await Deno.makeTempFile({ prefix: "rgtp-mapped-" });
      try {
        using file = await Deno.open(path, { read: true, write: true });
        await use(path, file);
      } finally {
        await Deno.remove(path);
      }
    },
  });
}

function writeAt(file: Deno.FsFile, at: number, text: string): void {
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(text));
}

test(
  "what is written later is seen, at any place, also across the borders of parts; behind the end is nothing",
  (path, file) => {
    const size = 2 * GIB + 100;
    file.truncateSync(size);
    const mapped = MappedFile.open(path, size);
    assert(mapped);
    for (const at of [0, 9, GIB - 3, GIB + 9, 2 * GIB - 1, size - 7]) {
      assertEquals(mapped.view(at, 7), new Uint8Array(7));
      writeAt(file, at, "written");
      assertEquals(new TextDecoder().decode(mapped.view(at, 7)), "written");
    }
    assertEquals(mapped.view(size - 6, 7), undefined);
    assertEquals(mapped.view(0, 2 ** 22), undefined, "longer than parts overlap");
    const held = mapped.view(0, 7)!;
    mapped.close();
    mapped.close();
    assertEquals([mapped.view(0, 7), held], [undefined, new Uint8Array(7)]);
    assertEquals(MappedFile.open(`${path}-none`, 7), undefined);
  },
);

test("a socket sends it from where it lies", async (path, file) => {
  const [bodyBytes, count] = [1000, 100];
  file.truncateSync(bodyBytes * count);
  writeAt(file, 0, "x".repeat(bodyBytes * count));
  const mapped = MappedFile.open(path, bodyBytes * count)!;
  using from = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
  using to = await openLinuxUdp({ host: "127.0.0.1", port: 0 });
  const runs = [mapped.view(0, bodyBytes * count)!];
  const headers = new Uint8Array(count * 24);
  await from.sendSplit!({ peer: to.local, headers, headerBytes: 24, runs, bodyBytes });
  const [{ bytes }] = await to.receive();
  assertEquals(new TextDecoder().decode(bytes.subarray(24, 30)), "xxxxxx");
  mapped.close();
});
