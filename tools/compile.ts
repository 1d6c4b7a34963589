/*
 * `deno task compile [TARGET…]`: `rgtp` as one program that needs no Deno, for this machine or for others, in `dist/`. Deno fetches the
 * part of itself that goes into it from its own server, once for each target.
 */
import { projectRoot, projectText } from "./project_files.ts";

/** What Deno can make programs for. */
export const targets: readonly string[] = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];

/** Modules that no import names: threads start them. */
export const included: readonly string[] = [
  "transport/crew/chunk_worker.ts",
  "transport/crew/digest_worker.ts",
];

/** Arguments of `deno compile`; the program has the permissions of the task `rgtp`. */
export function compileArgs(target: string | undefined): string[] {
  const { tasks } = JSON.parse(projectText("deno.json")) as { tasks: Record<string, string> };
  const permissions = tasks.rgtp.split(" ").filter((word) => word.startsWith("--allow-"));
  return [
    "compile",
    "--no-prompt",
    ...permissions,
    ...included.map((path) => `--include=${path}`),
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--output=dist/${target === undefined ? "rgtp" : `rgtp-${target}`}`,
    "cli/main.ts",
  ];
}

if (import.meta.main) {
  const unknown = Deno.args.filter((arg) => !targets.includes(arg));
  if (unknown.length > 0) {
    console.error(`no target: ${unknown.join(", ")}; there are ${targets.join(", ")}`);
    Deno.exit(2);
  }
  for (const target of Deno.args.length === 0 ? [undefined] : Deno.args) {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: compileArgs(target),
      cwd: projectRoot,
    }).spawn().status;
    if (code !== 0) Deno.exit(code);
  }
}
