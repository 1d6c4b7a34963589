import { createRequire } from "node:module";
import { projectRoot } from "../../tools/project_files.ts";

const folder = `${projectRoot}.scratch/bench-peers/`;

/** Installs packages for the benchmarks alone, as `NAME@VERSION`: no dependencies of the project. Why that cannot be done; empty when it was. */
export async function install(...packages: readonly string[]): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const options = ["--no-audit", "--no-fund", "--ignore-scripts"];
  try {
    const { success, stderr } = await new Deno.Command("npm", {
      args: ["install", "--prefix", folder, ...options, ...packages],
      stdout: "null",
    }).output();
    return success ? "" : `npm install: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "there is no npm to install it with";
    throw error;
  }
}

/** Loads a package that was installed so. */
export const load: (name: string) => unknown = createRequire(folder);
