/** The project's folder, with a slash at its end. */
export const projectRoot: string = new URL("../", import.meta.url).pathname;

/** Folders that are not the project: made by tools, or left by people. */
const NOT_OURS = new Set([".git", ".scratch", "node_modules", "coverage"]);

/** Files that are not text. */
const BINARY = /\.(wasm|png|jpg|ico|gz|zip|pcap|cpuprofile)$/;

/** Paths of all text files, relative to the project's folder, in order of their names. */
export function projectFiles(folder = ""): string[] {
  const paths: string[] = [];
  for (const entry of Deno.readDirSync(projectRoot + folder)) {
    const path = folder + entry.name;
    if (entry.isDirectory && !NOT_OURS.has(entry.name)) paths.push(...projectFiles(`${path}/`));
    if (entry.isFile && !BINARY.test(entry.name)) paths.push(path);
  }
  return paths.sort();
}

/** The text of a file, by its path in the project. */
export function projectText(path: string): string {
  return Deno.readTextFileSync(projectRoot + path);
}

/** The Deno version that the project is built and tested with: the one place where it is written. */
export function denoVersion(): string {
  return projectText(".deno-version").trim();
}
