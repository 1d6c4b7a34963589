import type { Command } from "./_command.ts";
import { completionsCommand } from "./completions.ts";
import { doctorCommand } from "./doctor.ts";
import { edgeCommand } from "./edge.ts";
import { exposeCommand } from "./expose.ts";
import { findCommand } from "./find.ts";
import { idCommand } from "./id.ts";
import { infoCommand } from "./info.ts";
import { lsCommand } from "./ls.ts";
import { nodeCommand } from "./node.ts";
import { pullCommand } from "./pull.ts";
import { revokeCommand } from "./revoke.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { ticketCommand } from "./ticket.ts";
import { verifyCommand } from "./verify.ts";

/** Every command of `rgtp`, by name. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ["expose", exposeCommand],
  ["pull", pullCommand],
  ["edge", edgeCommand],
  ["serve", serveCommand],
  ["ls", lsCommand],
  ["find", findCommand],
  ["verify", verifyCommand],
  ["status", statusCommand],
  ["ticket", ticketCommand],
  ["revoke", revokeCommand],
  ["info", infoCommand],
  ["id", idCommand],
  ["node", nodeCommand],
  ["doctor", doctorCommand],
  ["completions", completionsCommand(() => commands)],
]);
