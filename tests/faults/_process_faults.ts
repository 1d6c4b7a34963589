/*
 * Faults of processes: killed, told to stop, suspended, short of descriptors, with another time.
 */
import type { Fault } from "./_fault.ts";
import { GAVE_UP } from "./_judge.ts";
import { pause } from "./_scene.ts";
import type { Scene } from "./_scene.ts";

/** Nobody answers, whether or not somebody has before. */
export const silence = /no answer from|no longer answers/;
const manyFiles = /too many files are open.*ulimit -n/;
/** EMFILE where Deno reads the program, or looks how large its own stack is. */
const denoManyFiles = /(?:Deno has panicked|Import '[^']*' failed)[^]*(?:left|code|os error):? 24\b/;

const DAY_MS = 86_400_000;

async function suspend(scene: Scene, side: "exposer" | "puller"): Promise<void> {
  const process = scene.process(side);
  process.send("SIGSTOP");
  await pause(scene.random.integer(2500));
  process.send("SIGCONT");
}

/** So many descriptors a process may have from its start on: about what Deno itself needs, which gives up with fewer; and a few more. */
function fewDescriptors(scene: Scene, side: "exposer" | "puller"): void {
  scene.settings[side].via = ["prlimit", `--nofile=${22 + scene.random.integer(20)}`];
}

async function noMoreDescriptors(scene: Scene, side: "exposer" | "puller"): Promise<void> {
  // Before that Deno is still loading the program, which has no say yet.
  await scene.process("puller").next("progress").catch(() => {});
  const { pid } = scene.process(side);
  const open = await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`)).catch(() => []);
  const most = open.length + scene.random.integer(3);
  // Its process may have ended: then nothing strikes.
  await new Deno.Command("prlimit", { args: ["--pid", `${pid}`, `--nofile=${most}`], stdin: "null" })
    .output();
}

/** See {@linkcode Fault}. */
export const processFaults: readonly Fault[] = [
  { name: "the puller is killed", strike: (scene) => scene.tell("puller", "SIGKILL") },
  {
    name: "the exposer is killed",
    prepare: (scene) => void (scene.timeout = "2s"),
    strike: (scene) => scene.tell("exposer", "SIGKILL"),
    puller: { TIMEOUT: silence },
  },
  {
    name: "the exposer is killed and started again",
    strike: async (scene) => {
      await scene.tell("exposer", "SIGKILL");
      await pause(scene.random.integer(800));
      await scene.startExposer();
    },
  },
  {
    name: "both are killed",
    strike: async (scene) => {
      await Promise.all([scene.tell("exposer", "SIGKILL"), scene.tell("puller", "SIGKILL")]);
    },
  },
  {
    name: "the puller is told to stop",
    strike: (scene) => scene.tell("puller", scene.random.chance(0.5) ? "SIGINT" : "SIGTERM"),
  },
  {
    name: "the exposer is told to stop",
    prepare: (scene) => void (scene.timeout = "2s"),
    strike: (scene) => scene.tell("exposer", scene.random.chance(0.5) ? "SIGINT" : "SIGTERM"),
    puller: { WITHDRAWN: /has stopped serving|stopped/, TIMEOUT: silence },
  },
  { name: "the puller is suspended", strike: (scene) => suspend(scene, "puller") },
  { name: "the exposer is suspended", strike: (scene) => suspend(scene, "exposer") },
  {
    name: "the puller may open few files",
    needs: "prlimit",
    prepare: (scene) => fewDescriptors(scene, "puller"),
    puller: { IO: manyFiles, SOCKET: manyFiles, [GAVE_UP]: denoManyFiles },
  },
  {
    name: "the exposer may open few files",
    needs: "prlimit",
    prepare: (scene) => fewDescriptors(scene, "exposer"),
    puller: { TIMEOUT: silence },
    exposer: { IO: manyFiles, SOCKET: manyFiles, [GAVE_UP]: denoManyFiles },
  },
  {
    name: "the puller may open no more files",
    needs: "prlimit",
    strike: (scene) => noMoreDescriptors(scene, "puller"),
    puller: { IO: manyFiles, SOCKET: manyFiles },
  },
  {
    name: "the exposer may open no more files",
    needs: "prlimit",
    strike: (scene) => noMoreDescriptors(scene, "exposer"),
  },
  {
    name: "a clock is set",
    prepare: (scene) => {
      const days = [0.01, 1, 400, 20_000][scene.random.integer(4)];
      const byMs = days * DAY_MS * (scene.random.float() * 2 - 1);
      scene.settings[scene.anySide()].clock = { afterMs: scene.random.integer(1500), byMs };
    },
  },
];
