import type { Command } from "./_command.ts";
import { exposeCommand } from "./expose.ts";
import { pullCommand } from "./pull.ts";
import { revokeCommand } from "./revoke.ts";
import { statusCommand } from "./status.ts";
import { ticketCommand } from "./ticket.ts";
import { verifyCommand } from "./verify.ts";

/** Every command of `rgtp`, by name. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ["expose", exposeCommand],
  ["pull", pullCommand],
  ["verify", verifyCommand],
  ["status", statusCommand],
  ["ticket", ticketCommand],
  ["revoke", revokeCommand],
]);
