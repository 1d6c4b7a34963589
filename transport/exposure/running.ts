import { removeQuietly } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import type { Catalog, CatalogEntry, RunningRow } from "./catalog.ts";

/*
 * Exposures that end with their process, as those of a stream do: the catalog has a row of each while it runs. That it runs shows by a file
 * that its process has locked, since a process that is killed takes nothing back.
 */

/** What the names of those files begin with. */
const PREFIX = "running-";

/**
 * Keeps a row until what this returns is called; twice is fine.
 *
 * @throws {RgtpError} IO, NO_SPACE
 */
export function keepWhileRunning(
  catalog: Catalog,
  stateDir: string,
  row: Omit<RunningRow, "running">,
): () => void {
  const running = `${PREFIX}${row.id.toHex().slice(0, 32)}`;
  const path = `${stateDir}/${running}`;
  let file: Deno.FsFile | undefined;
  try {
    // Before there is a row: one without its file is taken for that of a process that has ended.
    file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    // Another process may serve the same bytes: one of them is enough to show that the exposure runs.
    file.tryLockSync(false);
    catalog.saveRunning({ ...row, running });
  } catch (cause) {
    file?.close();
    throw ioError(cause, "lock", path, "write");
  }
  const held = file;
  let isHeld = true;
  return () => {
    if (!isHeld) return;
    isHeld = false;
    held.close();
    try {
      forgetEnded(catalog, stateDir);
    } catch {
      // A catalog that cannot be written now: whoever opens it next does this.
    }
  };
}

/** Takes away the rows of processes that have ended, however they did. */
export function forgetEnded(catalog: Catalog, stateDir: string): void {
  for (const entry of catalog.list()) {
    if (entry.running === undefined || isHeldByAny(`${stateDir}/${entry.running}`)) continue;
    catalog.drop(entry.id, isReproducible(entry));
    removeQuietly(`${stateDir}/${entry.running}`);
  }
}

/** The same bytes make the same exposure again, to which its tickets are good again. */
function isReproducible({ policy }: CatalogEntry): boolean {
  return policy.split(" ").at(-1) === "reproducible";
}

function isHeldByAny(path: string): boolean {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    return !file.tryLockSync(true);
  } catch (cause) {
    // Where files cannot be locked, nothing is forgotten.
    return !(cause instanceof Deno.errors.NotFound);
  }
}
