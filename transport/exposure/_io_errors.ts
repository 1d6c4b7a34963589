import type { ErrorName } from "../../core/errors.ts";
import { RgtpError } from "../../core/errors.ts";

/** Errors that Deno gives no name: it tells their numbers, here those of Linux, in the message. */
const namesByNumber: Readonly<Record<string, string>> = { 27: "EFBIG", 122: "EDQUOT" };

/** The operating system's name of an error, such as `"ENOSPC"`; empty for other errors. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return namesByNumber[/\(os error (\d+)\)$/.exec(error.message)?.[1] ?? ""] ?? "";
}

/** Whether Deno refused, for lack of a permission, rather than the operating system. */
export function isPermissionLack(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}

/** What to do about the errors that people meet. */
const advice: Readonly<Record<string, readonly [ErrorName, string]>> = {
  ENOENT: ["IO", "there is no such folder; make it, or name another place"],
  ENOTDIR: ["IO", "a part of the path is not a folder; name another place"],
  EISDIR: ["IO", "it is a folder; name a file"],
  EACCES: [
    "IO",
    "the system does not permit it; change the permissions of the file and its folder, or name another place",
  ],
  EPERM: [
    "IO",
    "the system does not permit it; change the permissions of the file and its folder, or name another place",
  ],
  EROFS: ["IO", "the file system is read-only; name a place on another one"],
  ENAMETOOLONG: ["IO", "the name is too long for the file system; name a shorter one"],
  EMFILE: ["IO", "too many files are open; raise the limit (ulimit -n) or run fewer at once"],
  ENFILE: ["IO", "too many files are open on this machine; close some programs"],
  EIO: ["IO", "the device failed; check the disk"],
  EFBIG: [
    "IO",
    "the file is too large for the file system or the limit (ulimit -f); name a place on another one",
  ],
  ENOSPC: ["NO_SPACE", "the disk is full; free some space and run it again: what has arrived is kept"],
  EDQUOT: [
    "NO_SPACE",
    "the disk quota is used up; free some space and run it again: what has arrived is kept",
  ],
};

/**
 * The error for a failed file operation: what was tried, on which path, and what to do about it. An `RgtpError` passes as it is.
 *
 * `doing` continues "cannot …", e.g. `"write"`; `permission` is the Deno permission that the operation takes.
 */
export function ioError(
  cause: unknown,
  doing: string,
  path: string,
  permission: "read" | "write",
): RgtpError {
  if (cause instanceof RgtpError) return cause;
  if (isPermissionLack(cause)) {
    return new RgtpError("IO", `cannot ${doing} '${path}': run again with --allow-${permission}=${path}`, {
      cause,
      data: { path, permission },
    });
  }
  const errno = errnoOf(cause);
  const [condition, what] = advice[errno] ?? ["IO", cause instanceof Error ? cause.message : String(cause)];
  return new RgtpError(condition, `cannot ${doing} '${path}': ${what}`, { cause, data: { path, errno } });
}
