import { RgtpError } from "../core/errors.ts";
import type { Io } from "./_io.ts";
import { isGranted } from "./_permissions.ts";
import { visible } from "./_text.ts";

/** One line of JSON on standard output. */
export function emit(io: Io, event: string, fields: Readonly<Record<string, unknown>>): void {
  io.out(JSON.stringify({ event, ...fields }));
}

/** Tells how a command failed, as JSON on `out` or in a line on `err`, and returns the exit status: the error code without its sign. */
export function reportError(error: unknown, io: Io, program: string, json: boolean): number {
  const known = asRgtpError(error);
  const { code, condition, message, data } = known;
  // What nodes of a cluster tell each other has a number of its own.
  const rnp = data.rnp === undefined ? {} : { rnp: data.rnp, rnpName: data.name };
  const number = data.rnp === undefined ? "" : `, RNP ${data.rnp}`;
  if (json) emit(io, "error", { code, name: condition, message, ...rnp });
  else io.err(`${program}: ${visible(message)} (${condition}${number})\n`);
  if (condition === "INTERNAL" && debugging()) io.err(`${stackOf(error)}\n`);
  return Math.abs(code);
}

/** Whether the arguments ask for JSON, for errors that come before they are understood. */
export function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).includes("--json");
}

/** Any error as one of ours; what is none is a fault of this program. */
export function asRgtpError(error: unknown): RgtpError {
  if (error instanceof RgtpError) return error;
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const hint = debugging() ? "" : "; RGTP_DEBUG=1 with --allow-env=RGTP_DEBUG shows where";
  return new RgtpError("INTERNAL", `a fault in this program, please report it: ${what}${hint}`, {
    cause: error,
  });
}

function debugging(): boolean {
  return isGranted({ name: "env", variable: "RGTP_DEBUG" }) && Deno.env.get("RGTP_DEBUG") === "1";
}

function stackOf(error: unknown): string {
  return error instanceof Error && error.stack !== undefined ? error.stack : String(error);
}
