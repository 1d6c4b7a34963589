/*
 * What a program has done to a folder, step by step, and what of it may be there after the power goes: for tests of what is kept on disks.
 *
 * A disk may keep of a file's bytes what it likes of all that was written since the file was last synced, in any order, and the last write
 * in part. Names are kept in the order in which they were made (file systems keep a log of those), but perhaps not the last ones.
 */
import { concatBytes } from "../../core/bytes.ts";
import { seededRandom } from "../../tests/sim/random.ts";

/** Something that was done to a file's bytes, or to the names. Files are numbered, since their names change. */
export type Step =
  | { readonly kind: "write"; readonly file: number; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly file: number; readonly size: number }
  | { readonly kind: "sync"; readonly file: number }
  | { readonly kind: "name"; readonly path: string; readonly what: Named }
  | { readonly kind: "rename"; readonly from: string; readonly to: string }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "sync names" };

/** What has a name: a file by its number, a folder, or a link. */
type Named = number | "folder" | { readonly target: string };

/** A folder as a disk holds it. */
export type DiskImage = ReadonlyMap<string, Uint8Array | "folder" | { readonly target: string }>;

/** What of a step that nothing has made last is kept. */
export interface Luck {
  /** Whether it is. */
  keeps(): boolean;
  /** Of the write that was under way, how many of so many bytes. */
  torn(bytes: number): number;
}

/** All steps until a cut are on the disk. */
export const everything: Luck = { keeps: () => true, torn: (bytes) => bytes };

/** Some of what was written is kept, more of it or less. The same for the same seed. */
export function anyLuck(seed: number): Luck {
  const random = seededRandom(seed, "power");
  const share = random.float();
  return { keeps: () => random.chance(share), torn: (bytes) => random.integer(bytes + 1) };
}

/** Uses a folder, in memory where there is such a place: here nothing is asked of a real disk but time. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const memory = "/dev/shm";
  const dir = isThere(memory) ? { dir: memory } : {};
  const folder = await Deno.makeTempDir({ ...dir, prefix: "rgtp-power-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs some work, and answers with what it has done below a folder. Nothing else may use the disk meanwhile. */
export async function recordDisk(folder: string, work: () => Promise<void>): Promise<readonly Step[]> {
  const steps: Step[] = [];
  const undo = listen(`${folder}/`, steps);
  try {
    await work();
  } finally {
    undo();
  }
  return steps;
}

/** What the disk holds when the power goes behind so many steps. */
export function afterPowerCut(steps: readonly Step[], count: number, luck: Luck): DiskImage {
  const done = steps.slice(0, count);
  const names = namesOf(done, luck);
  const image = new Map<string, Uint8Array | "folder" | { readonly target: string }>();
  for (const [path, what] of names) {
    // Whose folder was never made, is not there either.
    if (path.includes("/") && !names.has(path.slice(0, path.lastIndexOf("/")))) continue;
    image.set(path, typeof what === "number" ? bytesOf(done, what, luck) : what);
  }
  return image;
}

/** Puts it into a folder that is empty. */
export function restoreDisk(image: DiskImage, folder: string): void {
  // A folder's name is shorter than those in it.
  for (const [path, what] of [...image].sort(([one], [other]) => one.length - other.length)) {
    if (what === "folder") Deno.mkdirSync(`${folder}/${path}`);
    else if (what instanceof Uint8Array) Deno.writeFileSync(`${folder}/${path}`, what);
    else Deno.symlinkSync(what.target, `${folder}/${path}`);
  }
}

function namesOf(done: readonly Step[], luck: Luck): Map<string, Named> {
  const names = new Map<string, Named>();
  const lasting = done.findLastIndex(({ kind }) => kind === "sync names");
  for (const [i, step] of done.entries()) {
    if (step.kind !== "name" && step.kind !== "rename" && step.kind !== "remove") continue;
    if (i > lasting && !luck.keeps()) break;
    if (step.kind === "name") names.set(step.path, step.what);
    else if (step.kind === "remove") names.delete(step.path);
    else {
      names.set(step.to, names.get(step.from)!);
      names.delete(step.from);
    }
  }
  return names;
}

function bytesOf(done: readonly Step[], file: number, luck: Luck): Uint8Array {
  const lasting = done.findLastIndex((step) => step.kind === "sync" && step.file === file);
  let bytes = new Uint8Array(0);
  for (const [i, step] of done.entries()) {
    if (!("file" in step) || step.file !== file || step.kind === "sync") continue;
    if (i > lasting && !luck.keeps()) continue;
    if (step.kind === "truncate") bytes = resized(bytes, step.size);
    else {
      const part = step.bytes.subarray(0, i === done.length - 1 ? luck.torn(step.bytes.length) : undefined);
      bytes = resized(bytes, Math.max(bytes.length, step.at + part.length));
      bytes.set(part, step.at);
    }
  }
  return bytes;
}

function resized(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  return concatBytes(bytes.subarray(0, size), new Uint8Array(Math.max(0, size - bytes.length)));
}

function isThere(path: string | URL): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Stands between the program and the disk; what it returns takes that back. */
function listen(folder: string, steps: Step[]): () => void {
  const system = { ...Deno };
  const files = Deno.FsFile.prototype;
  const { writeSync, truncateSync, syncData, syncDataSync, sync } = files;
  const numbers = new Map<string, number>();
  const handles = new WeakMap<Deno.FsFile, number | "folder">();
  let made = 0;

  const within = (path: string | URL) =>
    `${path}`.startsWith(folder) ? `${path}`.slice(folder.length) : undefined;
  const isFolder = (path: string | URL) =>
    `${path}/` === folder || within(path) !== undefined && system.statSync(path).isDirectory;
  const numberOf = (path: string, isNew: boolean) => {
    const known = numbers.get(path);
    if (known !== undefined && !isNew) return known;
    numbers.set(path, made);
    steps.push({ kind: "name", path, what: made });
    return made++;
  };
  const fileOf = (handle: Deno.FsFile) => {
    const file = handles.get(handle);
    return typeof file === "number" ? file : undefined;
  };

  const fakes: Partial<typeof Deno> = {
    openSync: (path, options) => {
      const isNew = within(path) !== undefined && !isThere(path);
      const handle = system.openSync(path, options);
      const name = within(path);
      if (isFolder(path)) handles.set(handle, "folder");
      else if (name !== undefined) handles.set(handle, numberOf(name, isNew));
      return handle;
    },
    writeFileSync: (path, data, options) => {
      system.writeFileSync(path, data, options);
      const name = within(path);
      if (name === undefined) return;
      const file = numberOf(name, true);
      steps.push({ kind: "write", file, at: 0, bytes: (data as Uint8Array).slice() });
    },
    mkdirSync: (path, options) => {
      system.mkdirSync(path, options);
      const name = within(path);
      if (name !== undefined) steps.push({ kind: "name", path: name, what: "folder" });
    },
    symlinkSync: (target, path, options) => {
      system.symlinkSync(target, path, options);
      const name = within(path);
      if (name !== undefined) steps.push({ kind: "name", path: name, what: { target: `${target}` } });
    },
    linkSync: (from, to) => {
      system.linkSync(from, to);
      const names = [within(from), within(to)];
      if (names[0] === undefined || names[1] === undefined) return;
      const file = numbers.get(names[0])!;
      steps.push({ kind: "name", path: names[1], what: file });
      numbers.set(names[1], file);
    },
    renameSync: (from, to) => {
      system.renameSync(from, to);
      const names = [within(from), within(to)];
      if (names[0] === undefined || names[1] === undefined) return;
      steps.push({ kind: "rename", from: names[0], to: names[1] });
      numbers.set(names[1], numbers.get(names[0])!);
      numbers.delete(names[0]);
    },
    removeSync: (path, options) => {
      system.removeSync(path, options);
      const name = within(path);
      if (name === undefined) return;
      steps.push({ kind: "remove", path: name });
      numbers.delete(name);
    },
  };
  Object.assign(Deno, fakes);
  files.writeSync = function (bytes) {
    const at = this.seekSync(0, Deno.SeekMode.Current);
    const count = writeSync.call(this, bytes);
    const file = fileOf(this);
    if (file !== undefined) steps.push({ kind: "write", file, at, bytes: bytes.slice(0, count) });
    return count;
  };
  files.truncateSync = function (size = 0) {
    truncateSync.call(this, size);
    const file = fileOf(this);
    if (file !== undefined) steps.push({ kind: "truncate", file, size });
  };
  files.syncData = async function () {
    await syncData.call(this);
    const file = fileOf(this);
    if (file !== undefined) steps.push({ kind: "sync", file });
  };
  files.syncDataSync = function () {
    syncDataSync.call(this);
    const file = fileOf(this);
    if (file !== undefined) steps.push({ kind: "sync", file });
  };
  files.sync = async function () {
    await sync.call(this);
    if (handles.get(this) === "folder") steps.push({ kind: "sync names" });
  };
  return () => {
    const { openSync, writeFileSync, mkdirSync, symlinkSync, linkSync, renameSync, removeSync } = system;
    Object.assign(Deno, {
      openSync,
      writeFileSync,
      mkdirSync,
      symlinkSync,
      linkSync,
      renameSync,
      removeSync,
    });
    Object.assign(files, { writeSync, truncateSync, syncData, syncDataSync, sync });
  };
}
