import { postQuantumModes } from "../transport/protocol/handshake_shape.ts";
import type { PostQuantum } from "../transport/protocol/handshake_shape.ts";
import type { FlagTable } from "./_args.ts";

/** Whether handshakes are safe from quantum computers to come. */
export const handshakeFlags = {
  "post-quantum": {
    kind: "choice",
    choices: postQuantumModes,
    help:
      "handshakes that a quantum computer to come could not open, if they are recorded today: where the other side can, always " +
      "(others are refused), or never",
    default: "auto",
  },
} as const satisfies FlagTable;

/** What they say; commands without the flag say nothing. */
export function handshakeOptions(
  flags: { readonly "post-quantum"?: PostQuantum | undefined },
): { postQuantum?: PostQuantum } {
  const postQuantum = flags["post-quantum"];
  return postQuantum === undefined ? {} : { postQuantum };
}
