import { chunkCount, decodeManifest, ManifestAead, parameters } from "../../codec/manifest.ts";
import { RgtpError } from "../../core/errors.ts";
import type { AeadName, Engine } from "../../crypto/engine.ts";
import { PAGE_LEAVES, verifyLeafPage } from "../../crypto/leaf_pages.ts";
import { chunkNonce, exposureId, keyCheck } from "../../crypto/key_schedule.ts";
import { leafHash, merkleRoot } from "../../crypto/merkle.ts";
import { LEAF_ROW_MAX } from "../../crypto/native/leaf_row.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { portableEngine } from "../../crypto/portable_engine.ts";
import { assert, assertEquals, assertNotEquals, assertRejects } from "../../tests/_assert.ts";
import { exposurePages, pagePiece, pieceBytes } from "./pieces.ts";
import { profiles } from "./profiles.ts";
import type { SealedExposure, SealOptions } from "./seal.ts";
import { sealSource } from "./seal.ts";
import type { ByteSource } from "./source.ts";
import { bytesSource, openFileSource } from "./source.ts";

const engine = nativeEngine;
const secret = new Uint8Array(32).fill(1);
const salt = new Uint8Array(32).fill(2);
const options = { engine, secret, salt, chunkSize: 4096 } satisfies SealOptions;

function sample(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 7 + (i >> 16) + seed) & 255;
  return bytes;
}

/** What a puller makes of an exposure that was granted to it, from its pieces alone. */
function pull(engine: Engine, sealed: SealedExposure, aead: AeadName): Uint8Array {
  const { store, exposureKey } = sealed;
  const manifest = decodeManifest(sealed.manifest);
  assertEquals(sealed.id, exposureId(engine, sealed.manifest));
  assertEquals(manifest.keyCheck, keyCheck(engine, exposureKey));
  const piece = (number: number) => {
    const bytes = store.piece(number)!;
    assertEquals(bytes.length, pieceBytes(manifest, number));
    return bytes;
  };
  const pages = Array.from({ length: exposurePages(manifest) }, (_, page) => {
    const leaves = verifyLeafPage(
      engine.sha256,
      manifest.root,
      sealed.chunkCount,
      page,
      piece(pagePiece(page)),
    );
    assert(leaves, `page ${page}`);
    return leaves;
  });
  const out = new Uint8Array(manifest.totalSize);
  for (let chunk = 0; chunk < sealed.chunkCount; chunk++) {
    const bytes = piece(chunk);
    const at = (chunk % PAGE_LEAVES) * 32;
    const leaf = pages[Math.floor(chunk / PAGE_LEAVES)].subarray(at, at + 32);
    assert(leafHash(engine.sha256, bytes).toHex() === leaf.toHex(), `leaf of chunk ${chunk}`);
    const plaintext = engine.aead(aead).open(
      exposureKey,
      chunkNonce(chunk),
      parameters(sealed.manifest),
      bytes,
    );
    assert(plaintext, `chunk ${chunk} opens`);
    out.set(plaintext, chunk * manifest.chunkSize);
  }
  assertEquals(store.piece(sealed.chunkCount), undefined);
  assertEquals(store.piece(pagePiece(pages.length)), undefined);
  return out;
}

async function refusal(promise: Promise<unknown>, condition: string): Promise<RgtpError> {
  const error = await assertRejects(() => promise, RgtpError);
  assertEquals(error.condition, condition, error.message);
  return error;
}

for (const [name, chunkSize] of Object.entries(profiles)) {
  Deno.test(`every size of file comes out of its pieces: profile ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    for (const size of [0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize + 5]) {
      const bytes = sample(size);
      await Deno.writeFile(`${folder}/file`, bytes);
      const source = openFileSource(`${folder}/file`);
      const sealed = await sealSource(source, { ...options, chunkSize });
      source.close();
      assertEquals(sealed.chunkCount, Math.ceil(size / chunkSize));
      assertEquals(sealed.leaves.length, sealed.chunkCount * 32);
      assertEquals(decodeManifest(sealed.manifest).root, merkleRoot(engine.sha256, sealed.leaves));
      assert(pull(engine, sealed, "chacha20-poly1305").toHex() === bytes.toHex(), `${size}`);
      sealed.store.close();
    }
    await Deno.remove(folder, { recursive: true });
  });
}

for (const engine of [nativeEngine, portableEngine]) {
  for (const aead of ["chacha20-poly1305", "aes-256-gcm"] as const) {
    Deno.test(`sealing with ${aead} of the ${engine.name} engine`, async () => {
      const bytes = sample(3 * 4096 + 5);
      const sealed = await sealSource(bytesSource(bytes), { ...options, engine, aead });
      assertEquals(decodeManifest(sealed.manifest).aead === ManifestAead.AES_256_GCM, aead === "aes-256-gcm");
      // Opened by the other engine: both mean the same bytes.
      const other = engine === nativeEngine ? portableEngine : nativeEngine;
      assertEquals(pull(other, sealed, aead), bytes);
    });
  }
}

Deno.test("more than one page of leaves", async () => {
  const bytes = sample(2050 * 4096 + 77);
  const sealed = await sealSource(bytesSource(bytes), options);
  assertEquals(exposurePages(decodeManifest(sealed.manifest)), 3);
  assert(pull(engine, sealed, "chacha20-poly1305").toHex() === bytes.toHex());
});

Deno.test("zero bytes have no chunks, and the root of the empty string", async () => {
  const sealed = await sealSource(bytesSource(new Uint8Array(0)), options);
  assertEquals(sealed.chunkCount, 0);
  assertEquals(decodeManifest(sealed.manifest).root, engine.sha256.digest());
  assertEquals(sealed.store.piece(0), undefined);
  assertEquals(sealed.store.memoryBytes, 0);
});

Deno.test("the same salt gives the same exposure again; another salt, secret, cut or AEAD another one", async () => {
  const seal = (change: Partial<SealOptions>) =>
    sealSource(bytesSource(sample(10_000)), { ...options, ...change });
  const first = await seal({});
  const again = await seal({});
  assertEquals([again!.id, again!.exposureKey, again!.leaves], [
    first!.id,
    first!.exposureKey,
    first!.leaves,
  ]);
  const changes: Partial<SealOptions>[] = [
    { salt: new Uint8Array(32) },
    { secret: new Uint8Array(32) },
    { chunkSize: 8192 },
    { aead: "aes-256-gcm" },
  ];
  for (const change of changes) {
    const other = await seal(change);
    assertNotEquals(other!.id, first!.id);
    assertNotEquals(other!.exposureKey, first!.exposureKey);
  }
});

Deno.test("expectedLeaves: the same content passes, any other stops with the chunks that are sealed together with its first", async () => {
  const bytes = sample(40 * 4096);
  const { leaves, id } = await sealSource(bytesSource(bytes), options);
  const same = await sealSource(bytesSource(bytes), { ...options, expectedLeaves: leaves });
  assertEquals(same?.id, id);
  bytes[4 * 4096] ^= 1;
  let read = 0;
  const counted = {
    ...bytesSource(bytes),
    read: (at: number, into: Uint8Array) => (read++, into.set(bytes.subarray(at, at + into.length))),
  };
  assertEquals(await sealSource(counted, { ...options, expectedLeaves: leaves }), undefined);
  assertEquals(read, LEAF_ROW_MAX);
  for (const length of [0, 32, leaves.length - 32, leaves.length - 1]) {
    const expectedLeaves = leaves.subarray(0, length);
    assertEquals(await sealSource(bytesSource(sample(40 * 4096)), { ...options, expectedLeaves }), undefined);
  }
});

Deno.test("a source that does not hold still is refused as SOURCE_CHANGED", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/file`;
  const changes: (() => void)[] = [
    () => Deno.truncateSync(path, 5000),
    () => Deno.writeFileSync(path, Uint8Array.of(1), { append: true }),
    () => Deno.utimeSync(path, 1, 1),
  ];
  for (const change of changes) {
    await Deno.writeFile(path, sample(20_000));
    const file = openFileSource(path);
    let reads = 0;
    const source: ByteSource = {
      size: file.size,
      fingerprint: file.fingerprint,
      read(offset, into) {
        if (reads++ === 1) change();
        file.read(offset, into);
      },
      unchanged: () => file.unchanged(),
      close: () => file.close(),
    };
    const error = await refusal(sealSource(source, options), "SOURCE_CHANGED");
    assert(error.message.includes(path));
    file.close();
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("sealing takes turns with timers, reports progress, and can be cancelled", async () => {
  const bytes = new Uint8Array(64 * 1_048_576);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const seen: number[] = [];
  const sealed = await sealSource(bytesSource(bytes), {
    ...options,
    chunkSize: 65_536,
    onProgress: (done) => seen.push(done),
  });
  clearInterval(timer);
  sealed.store.close();
  assert(ticks >= 2, `${ticks} ticks`);
  assert(seen.length >= 2 && seen.at(-1) === bytes.length);
  assertEquals(seen, seen.toSorted((a, b) => a - b));

  const controller = new AbortController();
  const onProgress = (done: number) => done > 0 && controller.abort(new Error("enough"));
  const error = await refusal(
    sealSource(bytesSource(bytes), { ...options, chunkSize: 65_536, signal: controller.signal, onProgress }),
    "CANCELLED",
  );
  assertEquals((error.cause as Error).message, "enough");
  await refusal(
    sealSource(bytesSource(new Uint8Array(0)), { ...options, signal: AbortSignal.abort() }),
    "CANCELLED",
  );
});

Deno.test("options out of range are the caller's mistake", async () => {
  const wrong: Partial<SealOptions>[] = [
    { secret: new Uint8Array(31) },
    { salt: new Uint8Array(33) },
    { chunkSize: 5000 },
    { chunkSize: 2048 },
  ];
  for (const change of wrong) {
    await assertRejects(() => sealSource(bytesSource(sample(10)), { ...options, ...change }), RangeError);
  }
});

Deno.test("an exposure that fits the bound is held whole; one byte less, and it is held in part", async () => {
  const seal = (memoryBytesMax: number) =>
    sealSource(bytesSource(sample(50_000)), { ...options, memoryBytesMax });
  const { store, id } = await seal(Infinity);
  const exact = await seal(store.memoryBytes);
  assertEquals([exact.id, exact.store.holdsSource, exact.store.memoryBytes], [id, false, store.memoryBytes]);
  const less = await seal(store.memoryBytes - 1);
  assertEquals([less.id, less.store.holdsSource], [id, true]);
  assert(less.store.memoryBytes < store.memoryBytes);
});

Deno.test("the salt of one total size is not that of another: P is in the key", async () => {
  const [a, b] = [
    await sealSource(bytesSource(sample(100)), options),
    await sealSource(bytesSource(sample(101)), options),
  ];
  assertNotEquals(a.exposureKey, b.exposureKey);
  assertEquals(chunkCount(decodeManifest(a.manifest)), 1);
});
