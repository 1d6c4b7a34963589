import fc from "fast-check";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, assertTruncationsRefused, embedded, ramp } from "./_samples.ts";
import {
  chunkBytes,
  chunkCount,
  decodeManifest,
  encodeManifest,
  keyParameters,
  MANIFEST_BYTES,
  manifestFault,
  ManifestKind,
  manifestLayout,
  parameters,
} from "./manifest.ts";
import type { Manifest } from "./manifest.ts";

const blob: Manifest = {
  version: 2,
  kind: ManifestKind.BLOB,
  aead: 0,
  hash: 0,
  chunkSize: 65_536,
  totalSize: 1_000_000,
  indexSize: 0,
  reserved: 0,
  keyCheck: ramp(32, 1),
  root: ramp(32, 101),
};
const collection: Manifest = { ...blob, kind: ManifestKind.COLLECTION, indexSize: 5000 };

const anyManifest: fc.Arbitrary<Manifest> = fc.record({
  collection: fc.boolean(),
  aead: fc.nat(1),
  chunkBits: fc.integer({ min: 12, max: 20 }),
  chunks: fc.oneof(fc.nat(100), fc.integer({ min: 0, max: limits.chunksMax })),
  spare: fc.nat(2 ** 20),
  index: fc.nat(limits.indexBytesMax),
  keyCheck: anyBytes(32),
  root: anyBytes(32),
}).map(({ collection, aead, chunkBits, chunks, spare, index, keyCheck, root }) => {
  const chunkSize = 2 ** chunkBits;
  const totalSize = Math.max(0, chunks * chunkSize - spare % chunkSize);
  const kind = collection ? ManifestKind.COLLECTION : ManifestKind.BLOB;
  const indexSize = collection ? Math.min(index, totalSize) : 0;
  return { version: 2, kind, aead, hash: 0, chunkSize, totalSize, indexSize, reserved: 0, keyCheck, root };
});

/** The bytes of a manifest whose numbers may be illegal. */
function raw(manifest: Manifest): Uint8Array {
  const encoded = new Uint8Array(MANIFEST_BYTES);
  manifestLayout.write(encoded, 0, manifest);
  return encoded;
}

Deno.test("manifest: every field out of bounds is refused, in both directions, and named", () => {
  const table: [Partial<Manifest>, string][] = [
    [{ version: 0 }, "version 0"],
    [{ version: 1 }, "version 1"],
    [{ version: 3 }, "version 3"],
    [{ version: 255 }, "version 255"],
    [{ kind: 2 }, "a stream"],
    [{ kind: 3 }, "unknown kind 3"],
    [{ kind: 255 }, "unknown kind 255"],
    [{ aead: 2 }, "unknown AEAD 2"],
    [{ aead: 255 }, "unknown AEAD 255"],
    [{ hash: 1 }, "unknown hash 1"],
    [{ hash: 255 }, "unknown hash 255"],
    [{ reserved: 1 }, "reserved"],
    [{ reserved: 0xffffffff }, "reserved"],
    [{ chunkSize: 0 }, "chunk size 0"],
    [{ chunkSize: 1 }, "chunk size 1 "],
    [{ chunkSize: 2048 }, "chunk size 2048"],
    [{ chunkSize: 4095 }, "chunk size 4095"],
    [{ chunkSize: 4097 }, "chunk size 4097"],
    [{ chunkSize: 65_535 }, "chunk size 65535"],
    [{ chunkSize: 1_048_577 }, "chunk size 1048577"],
    [{ chunkSize: 2_097_152 }, "chunk size 2097152"],
    [{ chunkSize: 0x80000000 }, "chunk size 2147483648"],
    [{ chunkSize: 0xffffffff }, "chunk size 4294967295"],
    [{ chunkSize: 4096, totalSize: 4096 * limits.chunksMax + 1 }, "2^31 - 1 chunks"],
    [{ chunkSize: 1_048_576, totalSize: 1_048_576 * limits.chunksMax + 1 }, "2^31 - 1 chunks"],
    [{ totalSize: Number.MAX_SAFE_INTEGER }, "2^31 - 1 chunks"],
    [{ indexSize: 1 }, "a blob has no index"],
    [{ kind: 1, totalSize: 10, indexSize: 11 }, "index size 11"],
    [{ kind: 1, totalSize: 2 ** 40, indexSize: limits.indexBytesMax + 1 }, "index size 268435457"],
    [{ kind: 1, totalSize: 2 ** 40, indexSize: 0xffffffff }, "index size 4294967295"],
  ];
  for (const [change, what] of table) {
    const manifest = { ...blob, ...change };
    assertThrows(() => encodeManifest(manifest), RangeError, what);
    const error = assertThrows(() => decodeManifest(raw(manifest)), RgtpError, what);
    assertEquals(error.condition, "NOT_SUPPORTED");
  }
});

Deno.test("manifest: a size that fills 64 bits is refused", () => {
  for (const size of ["0020000000000000", "7fffffffffffffff", "8000000000000000", "ffffffffffffffff"]) {
    const encoded = raw(blob);
    encoded.set(Uint8Array.fromHex(size), 8);
    assertThrows(() => decodeManifest(encoded), RgtpError, "2^31 - 1 chunks");
  }
});

Deno.test("manifest: numbers that are none are refused", () => {
  for (
    const name of [
      "version",
      "kind",
      "aead",
      "hash",
      "chunkSize",
      "totalSize",
      "indexSize",
      "reserved",
    ] as const
  ) {
    for (const value of [-1, 0.5, NaN, Infinity]) {
      assertThrows(() => encodeManifest({ ...collection, [name]: value }), RangeError);
    }
  }
  assertThrows(() => encodeManifest({ ...blob, root: new Uint8Array(31) }), RangeError);
  assertThrows(() => encodeManifest({ ...blob, keyCheck: new Uint8Array(33) }), RangeError);
});

Deno.test("manifest: the borders are legal", () => {
  const table: Partial<Manifest>[] = [
    {},
    { totalSize: 0 },
    { totalSize: 1 },
    { aead: 1 },
    { kind: 1, indexSize: 0 },
    { kind: 1, indexSize: 1_000_000 },
    { kind: 1, totalSize: 2 ** 40, indexSize: limits.indexBytesMax },
    { chunkSize: 4096, totalSize: 4096 * limits.chunksMax },
    { chunkSize: 1_048_576, totalSize: 1_048_576 * limits.chunksMax },
  ];
  for (const change of table) {
    const manifest = { ...blob, ...change };
    assertEquals(manifestFault(manifest), undefined);
    assertEquals(decodeManifest(encodeManifest(manifest)), manifest);
  }
});

Deno.test("manifest: what is written is read, and its chunks add up", () => {
  fc.assert(fc.property(anyManifest, (manifest) => {
    const encoded = encodeManifest(manifest);
    assertEquals(encoded.length, MANIFEST_BYTES);
    assertEquals(decodeManifest(embedded(encoded)), manifest);
    const count = chunkCount(manifest);
    assertEquals(count <= limits.chunksMax, true);
    if (count === 0) return assertEquals(manifest.totalSize, 0);
    const last = chunkBytes(manifest, count - 1);
    assertEquals(last >= 1 && last <= manifest.chunkSize, true);
    assertEquals((count - 1) * manifest.chunkSize + last, manifest.totalSize);
    if (count > 1) assertEquals(chunkBytes(manifest, 0), manifest.chunkSize);
  }));
});

Deno.test("manifest: another length is refused as TRUNCATED", () => {
  const encoded = encodeManifest(blob);
  assertTruncationsRefused(decodeManifest, encoded);
  for (const length of [0, 87, 89, 1200]) {
    const error = assertThrows(
      () => decodeManifest(new Uint8Array(length)),
      RgtpError,
      `this one has ${length}`,
    );
    assertEquals(error.condition, "TRUNCATED");
  }
});

Deno.test("manifest: MANIFEST_BYTES is the size of the table", () =>
  assertEquals(manifestLayout.size, MANIFEST_BYTES));

Deno.test("parameters: the root is zeroed, and nothing else; the manifest stays as it is", () => {
  const encoded = ramp(MANIFEST_BYTES, 1);
  const before = encoded.slice();
  const rootAt = manifestLayout.fields.find((field) => field.name === "root")!.offset;
  assertEquals(
    parameters(embedded(encoded)),
    Uint8Array.from(encoded, (byte, i) => i < rootAt ? byte : 0),
  );
  parameters(encoded).fill(9);
  assertEquals(encoded, before);
});

Deno.test("keyParameters: key check and root are zeroed, and nothing else; the manifest stays as it is", () => {
  const encoded = ramp(MANIFEST_BYTES, 1);
  const before = encoded.slice();
  const keyCheckAt = manifestLayout.fields.find((field) => field.name === "keyCheck")!.offset;
  assertEquals(
    keyParameters(embedded(encoded)),
    Uint8Array.from(encoded, (byte, i) => i < keyCheckAt ? byte : 0),
  );
  keyParameters(encoded).fill(9);
  assertEquals(encoded, before);
});

Deno.test("keyParameters: depend on every field but key check and root", () => {
  const base = keyParameters(encodeManifest(collection)).toHex();
  const changes: Partial<Manifest>[] = [
    { kind: 0, indexSize: 0 },
    { aead: 1 },
    { chunkSize: 4096 },
    { totalSize: 1_000_001 },
    { indexSize: 4999 },
  ];
  for (const change of changes) {
    assertEquals(keyParameters(encodeManifest({ ...collection, ...change })).toHex() === base, false);
  }
  const free = { keyCheck: new Uint8Array(32), root: new Uint8Array(32) };
  assertEquals(keyParameters(encodeManifest({ ...collection, ...free })).toHex(), base);
});
