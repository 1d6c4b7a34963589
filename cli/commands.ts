import type { Command } from "./_command.ts";
import { exposeCommand } from "./expose.ts";
import { pullCommand } from "./pull.ts";

/** Every command of `rgtp`, by name. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ["expose", exposeCommand],
  ["pull", pullCommand],
]);
