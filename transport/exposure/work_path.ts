/** The folder in OUT where a pull keeps what is not whole yet; a collection may have nothing of that name. */
export const WORK_FOLDER = ".rgtp-part";

/** Where the work folder of an output folder is. */
export function workPath(out: string): string {
  return `${withoutSlash(out)}/${WORK_FOLDER}`;
}

/** The path of a folder without slashes at its end, so that names can be put behind it. */
export function withoutSlash(path: string): string {
  return path.replace(Deno.build.os === "windows" ? /(?<=.)[/\\]+$/ : /(?<=.)\/+$/, "");
}
