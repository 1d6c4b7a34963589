/**
 * A door of its own to `rgtp expose`.
 *
 * @module
 */
import { processIo } from "./_io.ts";
import { runCommand } from "./_run.ts";
import { exposeCommand } from "./expose.ts";

if (import.meta.main) Deno.exit(await runCommand(exposeCommand, "rgtp-expose", Deno.args, processIo()));
