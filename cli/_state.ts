import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import { Registry } from "../transport/exposure/registry.ts";
import type { FlagTable } from "./_args.ts";
import { demand, toRead, toWrite } from "./_permissions.ts";

/** Flags of the commands that look at the state folder and at nothing else. */
export const stateFlags = {
  "state-dir": {
    kind: "string",
    placeholder: "FOLDER",
    help: "where this machine's identity and its catalog of exposures live",
    default: "$XDG_STATE_HOME/red-giant or its like",
  },
  json: { kind: "boolean", help: "print JSON lines, and nothing else" },
} as const satisfies FlagTable;

/** What those commands take. */
export const statePermissions: readonly (readonly [flag: string, why: string])[] = [
  ["--allow-read=STATE --allow-write=STATE", "the state folder"],
  [
    "--allow-env=XDG_STATE_HOME,HOME",
    "to find the state folder (LOCALAPPDATA on Windows); not with --state-dir",
  ],
];

/** Works with what is kept in the state folder. @throws {RgtpError} IO, NOT_SUPPORTED, and what `use` throws */
export function withRegistry<Result>(
  flags: { readonly "state-dir": string | undefined },
  use: (registry: Registry) => Result,
): Result {
  const stateDir = flags["state-dir"] ?? defaultStateDir();
  demand([toRead(stateDir), toWrite(stateDir)]);
  const registry = new Registry(defaultEngine(), systemRandom, stateDir);
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}
