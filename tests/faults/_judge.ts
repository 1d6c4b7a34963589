/*
 * What may come of a run. A process ends well; or by a signal that it was sent; or with an error whose code, name and exit status agree,
 * and that the fault explains. Everything else is trouble.
 */
import type { RgtpProcess } from "../real/_processes.ts";

/**
 * What explains that a process ends with an error: for each condition what its message must say. And, under {@linkcode GAVE_UP}, how Deno
 * itself may give up before the program has had its say.
 */
export type Explanations = Readonly<Record<string, RegExp>>;

/** How tables call it when Deno could not load the program. */
export const GAVE_UP = "Deno gave up";

/** What a run must never come to. */
export type TroubleKind = "corrupt" | "hang" | "unexplained";

/** A run that came to it. */
export class Trouble extends Error {
  readonly kind: TroubleKind;

  constructor(kind: TroubleKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** What hangs does so for ever: this is far more than any run takes, also on a machine whose processors fifty programs want. */
export const HANG_MS = 240_000;
/** 128 and the number of a signal that asks a program to end, as shells write it. */
const ASKED_TO_END: readonly number[] = [130, 143];
/** Signs of a fault in the program, or below it, wherever they appear. */
const FAULT = /panicked|Uncaught|Unhandled|\n\s+at .*\.[jt]s:\d|RUST_BACKTRACE/;

/**
 * How a process ended: `"complete"`, `"killed"`, `"stopped"`, {@linkcode GAVE_UP}, or the name of an error. `sent` is the signal that it was sent, if any.
 *
 * @throws {Trouble} when nothing explains it
 */
export async function endOf(
  process: RgtpProcess,
  explanations: Explanations,
  sent: Deno.Signal | undefined,
): Promise<string> {
  const status = await process.ended(HANG_MS).catch((error) => {
    throw new Trouble(process.isOver ? "unexplained" : "hang", String(error));
  });
  // One that has not come to listen yet is ended by any.
  if (status.signal !== null && status.signal === sent) return sent === "SIGKILL" ? "killed" : "stopped";
  const unexplained = (why: string) => new Trouble("unexplained", process.failure(`${why}:`).message);
  if (status.signal !== null) throw unexplained(`ended by ${status.signal}`);
  if (process.events.length === 0 && explanations[GAVE_UP]?.test(process.stderr)) return GAVE_UP;
  if (FAULT.test(process.stderr)) throw unexplained("wrote a trace of a fault");
  const error = process.last("error");
  if (ASKED_TO_END.includes(status.code) && sent !== undefined) return "stopped";
  if (!error) {
    if (status.code === 0) return "complete";
    throw unexplained(`ended with status ${status.code} and no error`);
  }
  if (status.code !== -error.code) throw unexplained(`ended with status ${status.code}`);
  if (!explanations[error.name]?.test(error.message)) {
    throw unexplained("ended with what no fault here explains");
  }
  return error.name;
}
