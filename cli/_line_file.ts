import { RgtpError } from "../core/errors.ts";
import { firstLine } from "./_io.ts";
import { demand, toRead } from "./_permissions.ts";

/**
 * The first line of a file that is not blank, which is to hold `what`; "" when there is none.
 *
 * @throws {RgtpError} NOT_FOUND; IO; the permission that is missing
 */
export async function readLineFile(path: string, what: "ticket" | "passphrase"): Promise<string> {
  demand([toRead(path)]);
  try {
    using file = await Deno.open(path);
    return await firstLine(file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new RgtpError("NOT_FOUND", `there is no file '${path}' with a ${what} in it; check the path`, {
        cause,
      });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RgtpError("IO", `cannot read the ${what} in '${path}': ${why}`, { cause });
  }
}
