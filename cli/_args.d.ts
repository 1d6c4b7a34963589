/** What is used of `@std/cli/parse_args.js`, which has no types of its own on npm. */
export interface ParseOptions {
  /** Flags that take a value, which stays a string; `"_"` for the other arguments. */
  readonly string?: readonly string[];
  /** Flags that take none. */
  readonly boolean?: readonly string[];
  /** Flags whose values are gathered in an array. */
  readonly collect?: readonly string[];
  /** Is asked about each argument that is no known flag (`key` is absent for one that is no flag at all); `false` drops it. */
  unknown?(arg: string, key?: string, value?: unknown): unknown;
}

/** Splits arguments into flags and, under `_`, the rest. */
export function parseArgs(
  args: readonly string[],
  options?: ParseOptions,
): { _: string[]; [flag: string]: unknown };
