import { RgtpError } from "../../core/errors.ts";

/**
 * Marks a node's folder as in use, until the end of the process or of the block: a second run of the same node would end the links of the
 * first one.
 *
 * @throws {RgtpError} EXISTS when another process uses it, IO
 */
export async function lockFolder(folder: string): Promise<Disposable> {
  const path = `${folder}/lock`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { create: true, write: true, mode: 0o600 });
  } catch (cause) {
    throw new RgtpError("IO", `cannot write '${path}': ${(cause as Error).message}`, { cause });
  }
  if (await file.tryLock(true)) return file;
  file.close();
  throw new RgtpError(
    "EXISTS",
    `another process is this node already, with the folder '${folder}': issue a certificate of its own for each`,
    { data: { path } },
  );
}
