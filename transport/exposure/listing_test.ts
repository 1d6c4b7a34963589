import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { systemRandom } from "../../core/machine.ts";
import { encodeCollectionIndex, EntryKind } from "../../codec/collection_index.ts";
import { decodeManifest } from "../../codec/manifest.ts";
import type { Manifest } from "../../codec/manifest.ts";
import { utf8 } from "../../core/bytes.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { assertEquals, assertThrows } from "../../tests/_assert.ts";
import { checkListSize, LIST_CHUNK_BYTES, listingSource, readListing } from "./listing.ts";
import type { ListedExposure } from "./listing.ts";
import { sealSource } from "./seal.ts";

const id = (byte: number) =>
  new Uint8Array(32).fill(byte).toBase64({ alphabet: "base64url", omitPadding: true });

async function madeOf(listed: readonly ListedExposure[]): Promise<{ bytes: Uint8Array; manifest: Manifest }> {
  const source = listingSource(engine, listed);
  const bytes = new Uint8Array(source.size);
  source.read(0, bytes);
  const secrets = { secret: systemRandom(32), salt: systemRandom(32) };
  const sealed = await sealSource(source, { engine, chunkSize: LIST_CHUNK_BYTES, ...secrets });
  return { bytes, manifest: decodeManifest(sealed.manifest) };
}

Deno.test("listing: what is written is read, in the order of the labels, whatever the names are", async () => {
  const names = ["../..", "", "CON", "a\u0000b", "\u202e", "x".repeat(255)];
  const listed = names.map((name, i) => ({ name, id: id(i), bytes: i * 2 ** 40, isCollection: i % 2 > 0 }));
  for (const count of [0, 1, names.length]) {
    const { bytes, manifest } = await madeOf(listed.slice(0, count).reverse());
    assertEquals(readListing(bytes, manifest), listed.slice(0, count));
  }
});

Deno.test("listing: a list that is too large, damaged, or none is refused", async () => {
  const one = { name: "name", id: id(7), bytes: 1, isCollection: false };
  const { bytes, manifest } = await madeOf([one]);
  assertThrows(
    () => checkListSize({ ...manifest, totalSize: limits.listBytesMax + 1 }),
    RgtpError,
    "more than",
  );
  const content = new TextDecoder().decode(bytes.subarray(LIST_CHUNK_BYTES));
  const wrong = [
    content.replace("{", "["),
    content.replace("true", "null").replace("false", "12345"),
    content.replace("1,", "-,"),
    content.replace(id(7), id(8)),
    content.replace('"name":"name"', '"nome":"name"'),
  ];
  for (const text of wrong) {
    const changed = bytes.slice();
    changed.set(utf8(text), LIST_CHUNK_BYTES);
    assertThrows(() => readListing(changed, manifest), RgtpError, "cannot be used");
  }
  const folder = { kind: EntryKind.FOLDER, path: "folder", mtimeMs: 0 } as const;
  const index = encodeCollectionIndex({ chunkSize: LIST_CHUNK_BYTES, entries: [folder] });
  const facts = { ...manifest, indexSize: index.length, totalSize: LIST_CHUNK_BYTES };
  assertThrows(() => readListing(index, facts), RgtpError, "more than files");
});
