import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import { demand, isGranted, toRead, toWrite } from "./_permissions.ts";

/**
 * The state folder whose identity a pull without a secret shows to the exposer: the one that was given, or the usual one if it holds an
 * identity and Deno permits to look. `undefined`: a key for this pull alone, which everything but an exposer's list takes as well.
 *
 * @throws {RgtpError} IO when Deno does not permit to use the folder that was given
 */
export function identityFolder(given: string | undefined): string | undefined {
  if (given !== undefined) {
    demand([toRead(given), toWrite(given)]);
    return given;
  }
  try {
    const usual = defaultStateDir();
    const path = `${usual}/identity`;
    if (!isGranted(toRead(path).descriptor)) return undefined;
    return Deno.statSync(path).isFile ? usual : undefined;
  } catch {
    // Nobody has made one: 'rgtp id create' does.
    return undefined;
  }
}
