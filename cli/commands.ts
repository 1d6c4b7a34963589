import type { Command } from "./_command.ts";
import { completionsCommand } from "./completions.ts";

/** How a command is had. What one needs is loaded with it: all together take longer to load than most of them to run. */
export type LoadCommand = () => Promise<Command>;

/** Every command of `rgtp`, by name. */
export const commands: ReadonlyMap<string, LoadCommand> = new Map<string, LoadCommand>([
  ["expose", async () => (await import("./expose.ts")).exposeCommand],
  ["pull", async () => (await import("./pull.ts")).pullCommand],
  ["edge", async () => (await import("./edge.ts")).edgeCommand],
  ["serve", async () => (await import("./serve.ts")).serveCommand],
  ["ls", async () => (await import("./ls.ts")).lsCommand],
  ["find", async () => (await import("./find.ts")).findCommand],
  ["verify", async () => (await import("./verify.ts")).verifyCommand],
  ["status", async () => (await import("./status.ts")).statusCommand],
  ["ticket", async () => (await import("./ticket.ts")).ticketCommand],
  ["revoke", async () => (await import("./revoke.ts")).revokeCommand],
  ["info", async () => (await import("./info.ts")).infoCommand],
  ["id", async () => (await import("./id.ts")).idCommand],
  ["node", async () => (await import("./node.ts")).nodeCommand],
  ["doctor", async () => (await import("./doctor.ts")).doctorCommand],
  ["completions", () => Promise.resolve(completionsCommand(allCommands))],
]);

/** All of them, loaded. */
export async function allCommands(): Promise<ReadonlyMap<string, Command>> {
  return new Map(
    await Promise.all(Array.from(commands, async ([name, load]) => [name, await load()] as const)),
  );
}
