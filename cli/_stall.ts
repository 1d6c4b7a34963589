import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";

/** Tells, where no view of a pull does, that nothing comes and why; and (`undefined`) that it goes on. */
export function stallTeller(io: Io, json: boolean): (reason: string | undefined) => void {
  return (reason) => {
    if (json) emit(io, ...stallEvent(reason));
    else io.err(`${stallText(reason)}\n`);
  };
}

/** The same as an event for programs. */
export function stallEvent(reason: string | undefined): [event: string, fields: Record<string, string>] {
  return reason === undefined ? ["resumed", {}] : ["stalled", { reason }];
}

/** The same as a line for people. */
export function stallText(reason: string | undefined): string {
  return reason === undefined ? "it goes on" : `nothing comes: ${visible(reason)}`;
}
