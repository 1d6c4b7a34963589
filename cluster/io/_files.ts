import { RgtpError } from "../../core/errors.ts";

/** The largest file that is read here: certificates and keys are much smaller. */
const BYTES_MAX = 65_536;

/** Makes a folder that its owner alone may look into; one that is there stays as it is. @throws {RgtpError} IO */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw failure(cause, "make", path);
  }
}

/** The text of a file. @throws {RgtpError} NOT_FOUND, IO */
export async function readText(path: string): Promise<string> {
  try {
    const { size } = await Deno.stat(path);
    if (size > BYTES_MAX) {
      throw new RgtpError("IO", `'${path}' has ${size} bytes: that is none of a node's files`);
    }
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof RgtpError) throw cause;
    throw failure(cause, "read", path);
  }
}

/** Whether there is something of that name. @throws {RgtpError} IO */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return false;
    throw failure(cause, "look at", path);
  }
}

/** Puts a text in place of what a file holds, whole or not at all; its owner alone may read it. @throws {RgtpError} IO */
export async function replaceText(path: string, text: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(temporary, text, { createNew: true, mode: 0o600 });
    await Deno.rename(temporary, path);
  } catch (cause) {
    await Deno.remove(temporary).catch(() => {});
    throw failure(cause, "write", path);
  }
}

function failure(cause: unknown, doing: string, path: string): RgtpError {
  const isAbsent = cause instanceof Deno.errors.NotFound;
  const why = isAbsent ? "it, or its folder, is not there" : (cause as Error).message;
  return new RgtpError(isAbsent ? "NOT_FOUND" : "IO", `cannot ${doing} '${path}': ${why}`, {
    cause,
    data: { path },
  });
}
