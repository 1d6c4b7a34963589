import { join } from "node:path";
import { projectRoot } from "./_processes.ts";

/** How a command ended. */
export interface End {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as lines of JSON. */
  readonly events: () => Record<string, unknown>[];
}

/** Runs a command to its end; `stdin` is what it may read there. */
export async function rgtp(
  args: readonly string[],
  permissions: readonly string[],
  stdin = "",
): Promise<End> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      `--config=${join(projectRoot, "deno.json")}`,
      ...permissions,
      join(projectRoot, "cli", "main.ts"),
      ...args,
    ],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  // A command may end without reading what it is offered: that is no fault.
  const fed = new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await fed;
  const decoder = new TextDecoder();
  const out = decoder.decode(stdout).trim();
  return {
    code,
    out,
    err: decoder.decode(stderr),
    events: () => out.split("\n").map((line) => JSON.parse(line)),
  };
}
