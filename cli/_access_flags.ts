import { RgtpError } from "../core/errors.ts";
import type { ExposeOptions } from "../transport/expose.ts";
import { accessPolicy } from "../transport/exposure/access.ts";
import type { FlagTable, Parsed } from "./_args.ts";

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
} as const satisfies FlagTable;

type AccessFlags = Parsed<typeof accessFlags>["flags"];

/** The same for `expose`. */
export function accessOptions({ open, allow }: AccessFlags): ExposeOptions {
  return { ...(open && { open }), ...(allow && { allow }) };
}

/** What the library would call a mistake of its caller, and keys that are none. @throws {RgtpError} INVALID_ARG */
export function checkAccessFlags(flags: AccessFlags): void {
  if (flags.open && flags.allow) {
    throw new RgtpError(
      "INVALID_ARG",
      "--open lets everybody pull, and --allow only some nodes: say one of them",
    );
  }
  accessPolicy(accessOptions(flags));
}
