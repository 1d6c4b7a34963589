import { limits } from "../../core/limits.ts";

/**
 * How many threads beside the present one pay for work on so many bytes, at most `max`: none where there is one processor (or the process
 * is bound to one), little to do, or no permission to read the file that they run.
 */
export function threadsFor(file: URL, bytes: number, max: number): number {
  if (bytes < limits.crewBytesMin || !isReadable(file)) return 0;
  return Math.min(max, navigator.hardwareConcurrency - 1);
}

function isReadable(file: URL): boolean {
  if (!("Deno" in globalThis) || file.protocol !== "file:") return false;
  return Deno.permissions.querySync({ name: "read", path: file }).state === "granted";
}
