/**
 * A door of its own to `rgtp pull`.
 *
 * @module
 */
import { processIo } from "./_io.ts";
import { runCommand } from "./_run.ts";
import { pullCommand } from "./pull.ts";

if (import.meta.main) Deno.exit(await runCommand(pullCommand, "rgtp-pull", Deno.args, processIo()));
