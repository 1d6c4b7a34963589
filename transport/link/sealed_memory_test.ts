import { assert, assertEquals, assertThrows } from "../../tests/_assert.ts";
import { Libc } from "./_libc.ts";
import {
  isSealedMemory,
  makeSealedMemory,
  mapSealedMemory,
  openMemoryFile,
  openWindow,
} from "./sealed_memory.ts";

const libc = Libc.load();
const name = `sealed memory (${libc ? "" : "skipped: needs Linux and --allow-ffi"})`;
const test = (what: string, run: (libc: Libc) => void) =>
  Deno.test({ name: `${name}: ${what}`, ignore: !libc, fn: () => run(libc!) });

const BYTES = 300_000;
const CREATE_SEALABLE = 2;
const [F_ADD_SEALS, SHRINK, GROW, WRITE] = [1033, 2, 4, 8];
const noise = Uint8Array.from({ length: BYTES }, (_, i) => (i * 31) ^ (i >> 8));

/** A descriptor as a stranger may make it: `bytes` of noise (in steps, or one at the end alone), with these seals. */
function stranger({ call }: Libc, seals: number, bytes = BYTES, isHole = false): number {
  const descriptor = call.memfd_create(new Uint8Array([120, 0]), CREATE_SEALABLE);
  if (isHole) call.lseek(descriptor, BigInt(bytes - 1), 0);
  const content = isHole ? Uint8Array.of(1) : noise.subarray(0, bytes);
  assertEquals(Number(call.write(descriptor, content, BigInt(content.length))), content.length);
  assertEquals(call.fcntl(descriptor, F_ADD_SEALS, seals), 0);
  return descriptor;
}

test("what was read is there, and can be changed by nobody", (libc) => {
  const descriptor = makeSealedMemory(
    libc,
    BYTES,
    (at, into) => into.set(noise.subarray(at, at + into.length)),
  );
  assert(isSealedMemory(libc, descriptor, BYTES));
  assertEquals(libc.call.write(descriptor, noise, 1n), -1n);
  assertEquals(libc.call.ftruncate(descriptor, 0n), -1);
  assertEquals(libc.call.ftruncate(descriptor, 2n * BigInt(BYTES)), -1);
  const [one, other] = [openWindow(BYTES)!, openWindow(BYTES)!];
  assert(mapSealedMemory(libc, descriptor, one) && mapSealedMemory(libc, descriptor, other));
  libc.call.close(descriptor);
  assertEquals(one, noise);
  // Who writes to what he sees has a copy of his own.
  one.fill(0);
  assertEquals(other, noise);
});

test("of a file the system copies what there is of it, and the rest is read", (libc) => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeFileSync(path, noise.subarray(0, 200_000));
    const { dev: device, ino } = Deno.statSync(path);
    const inode = ino!;
    const file = openMemoryFile(libc, { path, device, inode });
    assert(file !== undefined);
    const reads: number[] = [];
    const read = (at: number, into: Uint8Array) => {
      reads.push(at);
      into.set(noise.subarray(1000 + at, 1000 + at + into.length));
    };
    const descriptor = makeSealedMemory(libc, BYTES - 1000, read, { descriptor: file, offset: 1000 });
    assertEquals(reads, [199_000]);
    const window = openWindow(BYTES - 1000)!;
    assert(isSealedMemory(libc, descriptor, window.length) && mapSealedMemory(libc, descriptor, window));
    assertEquals(window, noise.subarray(1000));
    for (const opened of [descriptor, file]) libc.call.close(opened);
    assertEquals(openMemoryFile(libc, { path, device, inode: inode + 1 }), undefined);
    assertEquals(openMemoryFile(libc, { path: `${path}-absent`, device, inode }), undefined);
  } finally {
    Deno.removeSync(path);
  }
});

test("a descriptor is memory only when nothing in it can ever change, and all of it is there", (libc) => {
  const all = SHRINK | GROW | WRITE;
  const table: readonly [string, number, boolean][] = [
    ["as it should be", stranger(libc, all), true],
    ["without seals: it could be cut off under the reader", stranger(libc, 0), false],
    ["can be cut off", stranger(libc, GROW | WRITE), false],
    ["can grow", stranger(libc, SHRINK | WRITE), false],
    ["can be written to", stranger(libc, SHRINK | GROW), false],
    ["shorter", stranger(libc, all, BYTES - 1), false],
    ["longer", stranger(libc, all, BYTES), true],
    ["a hole, for which there may be no memory", stranger(libc, all, BYTES, true), false],
    ["an event descriptor", libc.call.eventfd(0, 0), false],
    ["no descriptor", 99_999, false],
  ];
  for (const [what, descriptor, expected] of table) {
    assertEquals(isSealedMemory(libc, descriptor, BYTES), expected, what);
    if (what === "longer") assertEquals(isSealedMemory(libc, descriptor, BYTES - 1), false, what);
    libc.call.close(descriptor);
  }
});

test("large pages are none, however they are sealed: there may be none left when they are read", (libc) => {
  const CREATE_LARGE = 4;
  const bytes = 2 * 1_048_576;
  const descriptor = libc.call.memfd_create(new Uint8Array([120, 0]), CREATE_SEALABLE | CREATE_LARGE);
  // A kernel without them says so here.
  if (descriptor < 0) return;
  assertEquals(libc.call.ftruncate(descriptor, BigInt(bytes)), 0);
  assertEquals(libc.call.fcntl(descriptor, F_ADD_SEALS, SHRINK | GROW | WRITE), 0);
  assertEquals(isSealedMemory(libc, descriptor, bytes), false);
  libc.call.close(descriptor);
});

test("what cannot be mapped leaves memory that can be used", (libc) => {
  const window = openWindow(BYTES)!;
  const event = libc.call.eventfd(0, 0);
  assertEquals(mapSealedMemory(libc, event, window), false);
  libc.call.close(event);
  window.set(noise);
  assertEquals(window, noise);
});

test("a source that fails leaves no descriptor", (libc) => {
  const next = () => {
    const descriptor = libc.call.eventfd(0, 0);
    libc.call.close(descriptor);
    return descriptor;
  };
  const before = next();
  assertThrows(
    () => {
      makeSealedMemory(libc, BYTES, () => {
        throw new TypeError("gone");
      });
    },
    TypeError,
    "gone",
  );
  assertEquals(next(), before);
});

Deno.test("sealed memory: a window that cannot be is none", () => {
  assertEquals(openWindow(2 ** 32 + 1), undefined);
  assertEquals(openWindow(0)?.length, 0);
});
