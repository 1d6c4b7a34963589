import { RgtpError } from "../core/errors.ts";
import { normalPassphrase } from "../crypto/passphrase.ts";
import type { Io } from "./_io.ts";
import type { FlagTable } from "./_args.ts";
import { readLineFile } from "./_line_file.ts";
import { visible } from "./_text.ts";

/** For what a passphrase opens. */
export const passphraseFlags = {
  "password-file": {
    kind: "string",
    placeholder: "FILE",
    isFile: true,
    help:
      "the passphrase that opens it is the first line of FILE, or of standard input for -; a terminal asks, and shows nothing",
  },
} as const satisfies FlagTable;

/**
 * The passphrase that `--password-file` names: the first line of a file or of standard input that is not blank, without the white space
 * around it. A terminal asks for it, and shows nothing of it. `undefined` without the flag. It never stands among the arguments, which others
 * on this machine can read. One that is `isNew` is asked for twice.
 *
 * @throws {RgtpError} NOT_FOUND or IO when there is nothing to read; INVALID_ARG for what is no passphrase; CANCELLED after Ctrl-C
 */
export async function readPassphrase(
  argument: string | undefined,
  io: Io,
  isNew = false,
): Promise<string | undefined> {
  if (argument === undefined) return undefined;
  if (argument !== "-") return checked(await readLineFile(argument, "passphrase"), `'${visible(argument)}'`);
  if (!io.readHidden) return checked(await io.readLine(), "standard input");
  const typed = checked(await io.readHidden("passphrase: "), "what was typed");
  if (isNew && await io.readHidden("the same again: ") !== typed) {
    throw new RgtpError("INVALID_ARG", "the two passphrases differ: nothing was done");
  }
  return typed;
}

function checked(text: string, where: string): string {
  if (text === "") throw new RgtpError("INVALID_ARG", `there is no passphrase in ${where}: it is empty`);
  if (text.includes("\ufffd")) {
    throw new RgtpError("INVALID_ARG", `the passphrase in ${where} is not UTF-8 text: save it as such`);
  }
  normalPassphrase(text);
  return text;
}
