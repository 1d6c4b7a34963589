/*
 * An exposer that means harm serves collections that no honest one would: over real sockets, with the ticket of an honest one. Pulled,
 * listed and verified they are refused, with nothing made on the disk and no data of files moved.
 */
import { encodeMessagePack, messagePackArrayHead } from "../../codec/msgpack.ts";
import type { MessagePackValue } from "../../codec/msgpack.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import { EntryKind, FileMode } from "../../codec/collection_index.ts";
import { concatBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { createIdentity } from "../../crypto/identity.ts";
import { ExposerShell } from "../../transport/exposer_shell.ts";
import { sealSource } from "../../transport/exposure/seal.ts";
import { bytesSource } from "../../transport/exposure/source.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { pull } from "../../transport/pull.ts";
import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "../_assert.ts";
import { TestFolder } from "./_files.ts";

const CHUNK = 4096;
const DATA_BYTES = 500_000;
const engine = defaultEngine();

const file = (path: string, size = DATA_BYTES, offset = 0): MessagePackValue => {
  return [path, EntryKind.FILE, 0, FileMode.PLAIN, size, offset, new Uint8Array(32)];
};
const index = (...entries: MessagePackValue[]) => encodeMessagePack([1, CHUNK, entries]);
const claim = (entries: number) =>
  concatBytes(messagePackArrayHead(3), Uint8Array.of(1, 0xcd, 0x10, 0), messagePackArrayHead(entries));

const hostile: readonly (readonly [what: string, index: Uint8Array, says: string])[] = [
  ["a path that leads up", index(file("../x")), "path"],
  ["an absolute path", index(file("/etc/cron.d/x")), "path"],
  ["a link that leads out", index(file("a"), ["l", EntryKind.LINK, 0, "../../etc"]), "leads out"],
  ["a file below a link", index(["l", EntryKind.LINK, 0, "."], file("l/x")), "lies in no folder"],
  ["a device of Windows", index(file("aux.txt")), "device"],
  ["names that differ in case alone", index(file("A", 0), file("a")), "are one name"],
  ["ten million entries", claim(10_000_000), "claims 10000000 entries"],
  ["files over each other", index(file("a", 1000), file("b", DATA_BYTES, 999)), "stands at 999"],
  ["a file beyond the end", index(file("a", 2 ** 50)), "end at"],
  ["a file that is longer than all", index(file("a", DATA_BYTES + 1)), "end at"],
];

/** Serves any bytes as a collection, to everybody, and gives what a ticket to it says. */
async function serve(bytes: Uint8Array) {
  const lateBytes = Math.ceil(bytes.length / CHUNK) * CHUNK;
  const plain = new Uint8Array(lateBytes + DATA_BYTES);
  plain.set(bytes);
  const source = { ...bytesSource(plain), collection: { indexSize: bytes.length, lateBytes } };
  const [secret, salt] = [systemRandom(32), systemRandom(32)];
  const sealed = await sealSource(source, { engine, chunkSize: CHUNK, secret, salt });
  const identity = createIdentity(engine, systemRandom(32));
  const link = await openLink({ host: "127.0.0.1", port: 0 });
  const { staticPrivate } = identity;
  const shell = new ExposerShell(link, { engine, random: systemRandom, staticPrivate }, () => {});
  shell.add({
    id: sealed.id,
    manifestBytes: sealed.manifest,
    manifest: decodeManifest(sealed.manifest),
    exposureKey: sealed.exposureKey,
    leaves: sealed.leaves,
    name: "harmless",
    access: () => "open",
    stillGood: () => true,
  }, sealed.store);
  const running = shell.run();
  return {
    ticket: {
      addresses: [link.local],
      exposureId: sealed.id,
      exposerKey: identity.staticKey,
      name: "harmless",
    },
    bytesSent: () => shell.machine.bytesSent,
    [Symbol.asyncDispose]: async () => {
      await shell.close();
      await running;
    },
  };
}

for (const [what, bytes, says] of hostile) {
  Deno.test(`a hostile collection over the network: ${what}`, async () => {
    await using folder = await TestFolder.make();
    await using exposer = await serve(bytes);
    const out = folder.file("out");
    await Deno.mkdir(folder.file("there"));
    const ways = [
      () => pull(exposer.ticket).saveTo(out),
      () => pull(exposer.ticket).saveTo(out, { force: true }),
      () => pull(exposer.ticket).list(),
      () => pull(exposer.ticket).verify(folder.file("there")),
    ];
    for (const way of ways) {
      const error = await assertRejects(way, RgtpError);
      assertEquals(error.condition, "NOT_SUPPORTED", error.message);
      assertStringIncludes(error.message, says);
    }
    assertEquals(Array.from(Deno.readDirSync(folder.path), ({ name }) => name), ["there"]);
    // The index and leaf pages, four times.
    assertLess(exposer.bytesSent(), 4 * (2 * CHUNK + 10_000));
  });
}
