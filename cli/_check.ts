import type { ErrorName } from "../core/errors.ts";

/** What one look at the machine showed. */
export interface Check {
  /** What was looked at. */
  readonly name: string;
  /** `warn`: it costs speed or reach, or could not be seen. `fail`: transfers do not work. */
  readonly state: "ok" | "warn" | "fail";
  /** What was found. */
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
  /** Of a failure: what a transfer would end with. */
  readonly condition?: ErrorName;
}

/** States as the beginning of a check. */
export const OK = { state: "ok" } as const;
/** See {@linkcode OK}. */
export const WARN = { state: "warn" } as const;

/** What Deno did not let be looked at. */
export function notSeen(name: string, flag: string): Check {
  return { ...WARN, name, what: "not looked at: Deno does not permit it", todo: `run it with ${flag}` };
}

/** What went wrong, in its own words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
