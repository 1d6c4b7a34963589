/*
 * What is exposed in a run, and what stands somewhere: by path and hash, so that two places can be compared whatever they hold.
 */
import { createCipheriv } from "node:crypto";
import { sha256Of } from "../real/_files.ts";
import type { SeededRandom } from "../sim/random.ts";

/** What stands at a place: by path in it ("" for the place itself, when it is a file) its hash, or what it is. */
export type Listing = ReadonlyMap<string, string>;

const WORK_FOLDER = ".rgtp-part";

/** Bytes that look random, however many: the key stream of ChaCha20, which is far faster than the run's own chance. */
export function manyBytes(random: SeededRandom, bytes: number): Uint8Array {
  const stream = createCipheriv("chacha20", random.bytes(32), new Uint8Array(16));
  return stream.update(new Uint8Array(bytes));
}

/** Writes a file of so many bytes. */
export function makeOneFile(path: string, bytes: number, random: SeededRandom): void {
  Deno.writeFileSync(path, manyBytes(random, bytes));
}

/** Writes a folder whose files hold so many bytes together: some of them small, one empty, some in folders, and a link. */
export function makeFolderOf(path: string, bytes: number, random: SeededRandom): void {
  Deno.mkdirSync(`${path}/deep/er`, { recursive: true });
  Deno.mkdirSync(`${path}/empty folder`);
  Deno.writeFileSync(`${path}/empty`, new Uint8Array(0));
  Deno.symlinkSync("deep", `${path}/link`);
  const files = 2 + random.integer(20);
  for (let file = 0, left = bytes; file < files; file++) {
    const size = file === files - 1 ? left : random.integer(Math.floor(left / 2) + 1);
    left -= size;
    const folder = ["", "deep/", "deep/er/"][random.integer(3)];
    const mode = random.chance(0.2) ? 0o755 : 0o644;
    Deno.writeFileSync(`${path}/${folder}file ${file}`, manyBytes(random, size), { mode });
  }
}

/** What stands at a place; nothing when it is not there. What a pull keeps for the next one is left out. */
export async function listingOf(place: string): Promise<Listing> {
  const found = new Map<string, string>();
  await look(place, "", found);
  return found;
}

/** Bytes that the file system has given to all that stands at some places: how far a pull is, seen from outside and at any moment. */
export function bytesAt(places: readonly string[]): number {
  return places.reduce((sum, place) => sum + allocated(place), 0);
}

/** Whether the other holds all that one does. */
export function isWithin(one: Listing, other: Listing): boolean {
  return [...one].every(([path, what]) => other.get(path) === what);
}

async function look(place: string, path: string, found: Map<string, string>): Promise<void> {
  const whole = path === "" ? place : `${place}/${path}`;
  const info = await Deno.lstat(whole).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (!info) return;
  if (info.isSymlink) found.set(path, `link to ${await Deno.readLink(whole)}`);
  else if (info.isFile) {
    found.set(path, `${(info.mode ?? 0) & 0o100 ? "executable " : ""}${await sha256Of(whole)}`);
  } else {
    if (path !== "") found.set(path, "folder");
    const names = (await Array.fromAsync(Deno.readDir(whole))).map(({ name }) => name);
    for (const name of names.filter((one) => one !== WORK_FOLDER)) {
      await look(place, path === "" ? name : `${path}/${name}`, found);
    }
  }
}

function allocated(path: string): number {
  try {
    const info = Deno.lstatSync(path);
    if (!info.isDirectory) return (info.blocks ?? 0) * 512;
    return bytesAt(Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`));
  } catch {
    // It has just got another name.
    return 0;
  }
}
