/*
 * Faults of disks: full, failing, slow, taken away, and files that hold something else than what was written.
 */
import { mountTmpfs } from "../real/_mounts.ts";
import type { SmallDisk } from "../real/_mounts.ts";
import type { DiskOperation } from "./_broken_disk.ts";
import { listingOf } from "./_content.ts";
import { damageFile } from "./_damage.ts";
import type { Fault } from "./_fault.ts";
import { silence } from "./_process_faults.ts";
import type { Scene, Side } from "./_scene.ts";

/** What Deno's own caches take, before it comes to the program. */
const CACHE_BYTES = 40_000;
const ofSomebodyElse = "of somebody else";
const full = /free some space|disk is full/;
const failing = /the device failed; check the disk/;
const disks = new WeakMap<Scene, SmallDisk>();

/** Moves a place of the scene to a small disk. */
async function toSmallDisk(scene: Scene, what: "out" | "stateDir", bytes: number): Promise<void> {
  const disk = await mountTmpfs(scene.folder.file("disk"), `${Math.ceil(bytes / 4096) * 4}k`);
  scene.cleanup.use(disk);
  disks.set(scene, disk);
  scene[what] = `${disk.path}/${what}`;
}

/** What a pull takes: whole pages for each file, and the journal. */
function roomFor(scene: Scene): number {
  return scene.bytes + 600_000;
}

function failingDisk(scene: Scene, side: Side, operations: readonly DiskOperation[]): void {
  const { random } = scene;
  const operation = operations[random.integer(operations.length)];
  const after = Math.floor(100 ** random.float()) - 1;
  const times = random.chance(0.5) ? 1 : 1_000_000;
  scene.settings[side].disk = { folder: scene.folder.path, failing: { operation, after, times } };
}

/** Kills both, and damages files of one of them as they lie there. */
async function damageAtRest(scene: Scene, side: Side, files: () => readonly string[]): Promise<void> {
  await scene.tell(side, "SIGKILL");
  const there = files().filter((path) => Deno.lstatSync(path).isFile);
  for (const path of there) {
    if (there.length === 1 || scene.random.chance(0.5)) damageFile(path, scene.random);
  }
}

/** Files below a folder that is there, or a file that is. */
function filesAt(path: string): string[] {
  try {
    if (!Deno.lstatSync(path).isDirectory) return [path];
    return Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`);
  } catch {
    return [];
  }
}

/** What the program's message says to do. */
function moveAway(scene: Scene): void {
  if (scene.process("exposer").last("error")) {
    Deno.renameSync(scene.stateDir, scene.folder.file("state that was damaged"));
  }
}

const damaged = /if it is damaged, move it away|move it away to become a new node/;

/** See {@linkcode Fault}. */
export const diskFaults: readonly Fault[] = [
  {
    name: "the disk of the output is full",
    needs: "mounts",
    prepare: (scene) => toSmallDisk(scene, "out", scene.bytes * (0.1 + 0.8 * scene.random.float())),
    heal: (scene) => disks.get(scene)?.remount(`size=${4 * roomFor(scene)}`),
    puller: { NO_SPACE: full },
  },
  {
    name: "somebody else fills the disk of the output",
    needs: "mounts",
    prepare: (scene) => toSmallDisk(scene, "out", roomFor(scene)),
    strike: (scene) => {
      const { path } = disks.get(scene)!;
      using other = Deno.openSync(`${path}/other`, { write: true, create: true });
      try {
        for (;;) other.writeSync(new Uint8Array(65_536));
      } catch {
        // Now it is full.
      }
    },
    heal: (scene) => Deno.removeSync(`${disks.get(scene)!.path}/other`),
    puller: { NO_SPACE: full },
  },
  {
    name: "the disk of the state is full",
    needs: "mounts",
    prepare: (scene) => toSmallDisk(scene, "stateDir", 4096 * (1 + scene.random.integer(40))),
    heal: (scene) => disks.get(scene)?.remount("size=8m"),
    puller: { TIMEOUT: silence },
    // SQLite tells less of its file of shared memory than of the others.
    exposer: { NO_SPACE: full, IO: /the disk is full or fails/ },
  },
  {
    name: "files may not grow",
    needs: "prlimit",
    prepare: (scene) => {
      scene.settings.puller.via = ["prlimit", `--fsize=${CACHE_BYTES + scene.random.integer(scene.bytes)}`];
    },
    puller: { IO: /too large for the file system or the limit \(ulimit -f\)/ },
  },
  {
    name: "files of the state may not grow",
    needs: "prlimit",
    prepare: (scene) => {
      scene.settings.exposer.via = ["prlimit", `--fsize=${CACHE_BYTES + scene.random.integer(60_000)}`];
    },
    puller: { TIMEOUT: silence },
    exposer: { IO: /\(ulimit -f\)/, NO_SPACE: full },
  },
  {
    name: "the disk of the output fails",
    prepare: (scene) => failingDisk(scene, "puller", ["open", "read", "write", "truncate", "sync", "rename"]),
    puller: { IO: failing },
  },
  {
    name: "the disk of the source fails",
    prepare: (scene) => failingDisk(scene, "exposer", ["open", "read"]),
    puller: { TIMEOUT: silence, WITHDRAWN: /stopped/ },
    exposer: { IO: failing },
  },
  {
    name: "a slow disk",
    prepare: (scene) => {
      const slowMs = 1 + scene.random.integer(30);
      scene.settings[scene.anySide()].disk = { folder: scene.folder.path, slowMs };
    },
  },
  {
    name: "the disk of the output is taken away",
    needs: "mounts",
    prepare: (scene) => toSmallDisk(scene, "out", roomFor(scene)),
    strike: async (scene) => {
      const puller = scene.process("puller");
      puller.send("SIGSTOP");
      // Who has all of it and is about to say so has lost it afterwards.
      if (!await scene.hasAll()) await disks.get(scene)!.detach();
      puller.send("SIGCONT");
    },
    puller: { IO: /there is no such folder/ },
  },
  {
    name: "what a pull keeps is damaged",
    strike: (scene) =>
      damageAtRest(scene, "puller", () => [
        ...[`${scene.out}.part`, `${scene.out}.part.rgtp`, `${scene.out}/.rgtp-part`].flatMap(filesAt),
      ]),
  },
  {
    name: "the catalog is damaged",
    prepare: (scene) => void (scene.timeout = "3s"),
    strike: async (scene) => {
      await damageAtRest(
        scene,
        "exposer",
        () => filesAt(scene.stateDir).filter((path) => /catalog/.test(path)),
      );
      await scene.startExposer();
    },
    heal: moveAway,
    puller: { TIMEOUT: silence, ACCESS_DENIED: /ask for a new ticket|not exposed there|no longer/ },
    exposer: { IO: damaged, NOT_SUPPORTED: /newer version/ },
  },
  {
    name: "the identity is damaged",
    prepare: (scene) => void (scene.timeout = "3s"),
    strike: async (scene) => {
      await damageAtRest(
        scene,
        "exposer",
        () => filesAt(scene.stateDir).filter((path) => /identity/.test(path)),
      );
      await scene.startExposer();
    },
    heal: moveAway,
    puller: {
      TIMEOUT: silence,
      AUTH_FAIL: /does not hold the key that the ticket names/,
    },
    exposer: { IO: damaged },
  },
  {
    name: "something appears at the output",
    strike: async (scene) => {
      try {
        Deno.writeTextFileSync(scene.out, ofSomebodyElse, { createNew: true });
        for (const what of (await listingOf(scene.out)).values()) scene.strange.add(what);
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        // Of a folder, some is there already.
      }
    },
    heal: (scene) => {
      if (Deno.lstatSync(scene.out).size === ofSomebodyElse.length) Deno.removeSync(scene.out);
    },
    puller: { EXISTS: /name another output/ },
  },
];
