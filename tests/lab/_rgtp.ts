/** Files by `rgtp expose` and `rgtp pull`, as people run them. */
import type { MadeFile } from "../real/_files.ts";
import { portOf, startExposer, startPuller } from "../real/_processes.ts";
import type { Contestant, Fetched } from "./_contest.ts";
import { run } from "./_namespaces.ts";
import type { Place } from "./_place.ts";

/** The flag that asks for a class of traffic. A command without it has one class. */
const CLASS_FLAG = "--priority";

/** RGTP with the class of traffic that its puller has by default, or another one. */
export function rgtp(name: string, trafficClass?: string): Contestant {
  const flags = trafficClass === undefined ? [] : [CLASS_FLAG, trafficClass];
  return {
    name,
    whyNot: async () => {
      if (flags.length === 0) return "";
      const help = await run(...rgtpWords("pull", "--help"));
      return help.includes(CLASS_FLAG) ? "" : `rgtp pull knows no ${CLASS_FLAG}`;
    },
    serve: async (place, file, folder) => {
      const { exposer, ready } = await startExposer(file.path, {
        host: place.address,
        stateDir: await Deno.makeTempDir({ dir: folder }),
        via: place.via("exposer"),
        permissions: ["-A"],
        // All of it in memory: what sealing again costs is another question.
        flags: ["--memory", "4GiB"],
      });
      return {
        port: portOf(ready.ticket),
        fetch: (out, secondsMax) => pull(place, file, ready.ticket, out, secondsMax, flags),
        [Symbol.asyncDispose]: () => exposer[Symbol.asyncDispose](),
      };
    },
  };
}

async function pull(
  place: Place,
  file: MadeFile,
  ticket: string,
  out: string,
  secondsMax: number,
  flags: readonly string[],
): Promise<Fetched> {
  const started = performance.now();
  // Files in memory are beyond the permissions that a pull is usually given.
  await using puller = startPuller(ticket, out, flags, { via: place.via("puller"), permissions: ["-A"] });
  const done = await puller.done(secondsMax * 1000).catch(() => undefined);
  const wall = (performance.now() - started) / 1000;
  const cut = { seconds: wall, handshakeSeconds: 0, otherSeconds: 0, bytes: puller.progress };
  if (!done) {
    const error = puller.last("error");
    return error ? { ...cut, outcome: "failed", said: error.message } : { ...cut, outcome: "cut off" };
  }
  if (done.sha256 !== file.sha256) throw new Error(`${out} is not what was exposed`);
  const { seconds, handshakeSeconds, bytes } = done;
  return {
    outcome: "whole",
    bytes,
    seconds,
    handshakeSeconds,
    otherSeconds: wall - seconds - handshakeSeconds,
  };
}

function rgtpWords(...args: string[]): string[] {
  const file = (name: string) => new URL(`../../${name}`, import.meta.url).pathname;
  return [
    Deno.execPath(),
    ...["run", "-A", "--quiet", "--config", file("deno.json"), file("cli/main.ts")],
    ...args,
  ];
}
