import { RgtpError } from "../core/errors.ts";
import type { ExposeOptions } from "../transport/expose.ts";
import { accessPolicy } from "../transport/exposure/access.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { passphraseFlags } from "./_passphrase.ts";

/** Who may pull. */
export const accessFlags = {
  open: { kind: "boolean", help: "let anybody pull who can reach this address: the ticket holds no secret" },
  allow: {
    kind: "strings",
    placeholder: "KEY",
    isKey: true,
    help:
      "let only this node pull, named by the key or the fingerprint that 'rgtp id create' prints there; may be given several times",
  },
  ...passphraseFlags,
} as const satisfies FlagTable;

type AccessFlags = Parsed<typeof accessFlags>["flags"];

/** The same for `expose`; a passphrase has to be read first. */
export function accessOptions({ open, allow }: AccessFlags): ExposeOptions {
  return { ...(open && { open }), ...(allow && { allow }) };
}

/** What the library would call a mistake of its caller, and keys that are none. @throws {RgtpError} INVALID_ARG */
export function checkAccessFlags(flags: AccessFlags): void {
  const { open, allow } = flags;
  if ([open || undefined, allow, flags["password-file"]].filter((one) => one !== undefined).length > 1) {
    throw new RgtpError(
      "INVALID_ARG",
      "--open lets everybody pull, --allow only some nodes, and --password-file those who know a passphrase: say one of them",
    );
  }
  accessPolicy(accessOptions(flags));
}
