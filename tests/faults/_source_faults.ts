/*
 * Faults of whoever owns what is exposed: it changes, gets shorter, is replaced or taken away while it is served or sealed.
 */
import { manyBytes } from "./_content.ts";
import type { Fault } from "./_fault.ts";
import { pause } from "./_scene.ts";
import type { Scene } from "./_scene.ts";

const changed = /changed|became shorter/;

/** More than an exposer holds: so it reads again what it serves. */
function large(scene: Scene): void {
  scene.bytes = 18_000_000 + scene.random.integer(6_000_000);
  scene.settings.exposer.flags.push("--memory", "16MiB");
}

/** The source itself, or the largest file in it. */
function aFile({ source, isFolder }: Scene): string {
  if (!isFolder) return source;
  const files = ["", "/deep", "/deep/er"].flatMap((folder) =>
    Array.from(Deno.readDirSync(source + folder)).filter(({ isFile }) => isFile).map(({ name }) =>
      `${source}${folder}/${name}`
    )
  );
  return files.reduce((one, other) => Deno.statSync(one).size >= Deno.statSync(other).size ? one : other);
}

function overwrite(scene: Scene): void {
  const path = aFile(scene);
  const { size } = Deno.statSync(path);
  const bytes = manyBytes(scene.random, 1 + scene.random.integer(100_000));
  using file = Deno.openSync(path, { write: true });
  file.seekSync(scene.random.integer(Math.max(1, size - bytes.length)), Deno.SeekMode.Start);
  file.writeSync(bytes);
}

/** From now on it is another exposure, and what OUT holds another state. */
async function reexposed(scene: Scene): Promise<void> {
  await scene.tell("exposer", "SIGTERM");
  scene.replaces = true;
}

/** See {@linkcode Fault}. */
export const sourceFaults: readonly Fault[] = [
  ...([
    ["is written to", overwrite],
    ["gets shorter", (scene) => Deno.truncateSync(aFile(scene), scene.random.integer(scene.bytes))],
    ["gets longer", (scene) => Deno.writeFileSync(aFile(scene), scene.random.bytes(9), { append: true })],
    ["gets another time", (scene) => Deno.utimeSync(aFile(scene), 1, 1)],
    ["is replaced", (scene) => {
      const path = aFile(scene);
      Deno.writeFileSync(`${scene.folder.path}/new`, manyBytes(scene.random, 300_000));
      Deno.renameSync(`${scene.folder.path}/new`, path);
    }],
    ["is taken away", (scene) => {
      const path = aFile(scene);
      Deno.renameSync(path, `${scene.folder.path}/away`);
    }],
  ] as const satisfies readonly (readonly [string, (scene: Scene) => void])[]).map((
    [what, strike],
  ): Fault => ({
    name: `the source ${what}`,
    prepare: large,
    strike: async (scene) => {
      strike(scene);
      await scene.noteVersion();
    },
    // What is there now is exposed anew; what is taken away comes back, so that there is something.
    heal: async (scene) => {
      await reexposed(scene);
      if (what === "is taken away" && !scene.isFolder) {
        Deno.renameSync(`${scene.folder.path}/away`, scene.source);
      }
    },
    puller: { SOURCE_CHANGED: changed },
    exposer: { SOURCE_CHANGED: changed },
  })),
  {
    name: "the source is written to while it is sealed",
    prepare: large,
    early: async (scene) => {
      await pause(250 + scene.random.integer(600));
      overwrite(scene);
      await scene.noteVersion();
    },
    heal: reexposed,
    puller: { SOURCE_CHANGED: changed },
    exposer: { SOURCE_CHANGED: changed },
  },
];
