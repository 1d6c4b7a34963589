/**
 * `rgtp`: all commands behind one name. `rgtp --help` lists them.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { processIo } from "./_io.ts";
import { runProgram } from "./_run.ts";
import { commands } from "./commands.ts";

if (import.meta.main) {
  const program = { name: "rgtp", version: config.version, commands };
  Deno.exit(await runProgram(program, Deno.args, processIo()));
}
