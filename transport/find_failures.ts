/*
 * Why something was not found, in words: what was wrong, where, and what to do about it.
 */
import type { Ask } from "../codec/grant.ts";
import { RgtpError } from "../core/errors.ts";
import type { ErrorName } from "../core/errors.ts";
import type { FinderFailure } from "./protocol/finder.ts";
import { silenceError } from "./protocol/pull_failures.ts";
import type { Silence } from "./protocol/pull_failures.ts";

/** What was looked for. */
export interface Asked {
  /** Where, as text. */
  readonly place: string;
  /** What. */
  readonly wanted: Ask;
  /** With it, or without. */
  readonly passphrase: string | undefined;
  /** Where the key came from that was not proved, if it was not given. */
  readonly knownPath?: string | undefined;
  /** What is known of why nothing came. */
  readonly silence: Silence;
}

/** Why nothing was found. */
export function findFailure(
  why: FinderFailure,
  { place: address, wanted, passphrase, knownPath, silence }: Asked,
): RgtpError {
  if (why === "silence" || why === "version") return silenceError(silence);
  const what = "name" in wanted
    ? `called '${wanted.name}'`
    : "exposureId" in wanted
    ? "of that ID"
    : "to list";
  const kinds: Readonly<Record<typeof why, readonly [ErrorName, string]>> = {
    "wrong key": ["AUTH_FAIL", wrongKey(address, knownPath)],
    denied: [
      "ACCESS_DENIED",
      passphrase === undefined
        ? `the exposer at ${address} has nothing ${what} for this node, whose key 'rgtp id' shows; what needs a ticket is not ` +
          "found by name, and what needs a passphrase only with it"
        : `the exposer at ${address} has nothing ${what} that this passphrase opens: it is wrong, there is no such thing, or there were ` +
          "too many wrong guesses lately (then the right one is good again within minutes)",
    ],
    "source changed": [
      "SOURCE_CHANGED",
      `what is ${what} at ${address} has changed since it was exposed: it must be exposed again`,
    ],
  };
  return new RgtpError(...kinds[why], { data: { address } });
}

function wrongKey(address: string, knownPath: string | undefined): string {
  if (knownPath === undefined) {
    return `the exposer at ${address} does not hold the key that was given: another one runs there, or someone pretends to be it; ` +
      "compare the key with its owner's 'rgtp id'";
  }
  return `THE EXPOSER AT ${address} HAS CHANGED: it does not hold the key by which it is known here. Someone may pretend to be it, or its ` +
    `identity was made anew. Ask its owner for the key ('rgtp id'); only if it is right, take the line of ${address} out of ` +
    `'${knownPath}', and give --key the first time`;
}
