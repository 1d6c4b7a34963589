/** Every condition that a caller may have to handle: its code and its short text. Codes to -15 are those of RGTP since its first draft. */
export const errorTable = {
  OK: [0, "no error"],
  NOMEM: [-1, "out of memory"],
  INVALID_ARG: [-2, "an argument is not valid"],
  SOCKET: [-3, "the network refused an operation"],
  CRYPTO_INIT: [-4, "no usable cryptographic engine"],
  ENCRYPT: [-5, "sealing failed"],
  DECRYPT: [-6, "opening failed: wrong key or damaged data"],
  AUTH_FAIL: [-7, "the other side could not prove who it is"],
  MERKLE_FAIL: [-8, "data does not belong to the exposure"],
  FEC_FAIL: [-9, "repair failed"],
  TRUNCATED: [-10, "data ends too early"],
  CHUNK_INDEX_OOB: [-11, "chunk index outside the exposure"],
  TIMEOUT: [-12, "no progress in the time allowed"],
  RATE_LIMITED: [-13, "the other side limits the rate"],
  NOT_SUPPORTED: [-14, "not supported here"],
  INTERNAL: [-15, "a fault in this program"],
  NOT_FOUND: [-16, "nothing of that name or path"],
  ACCESS_DENIED: [-17, "not allowed, or not exposed there"],
  SOURCE_CHANGED: [-18, "the exposed source has changed"],
  EXISTS: [-19, "the output exists already"],
  IO: [-20, "a file could not be read or written"],
  NO_SPACE: [-21, "the disk is full"],
  BUSY: [-22, "another pull works on this output"],
  ADDRESS_IN_USE: [-23, "the port is taken"],
  WITHDRAWN: [-24, "the exposer has stopped serving this exposure"],
  VERSION: [-25, "the other side speaks another version of the protocol"],
  CANCELLED: [-26, "cancelled by the caller"],
  PROTOCOL: [-27, "the other side broke the protocol"],
} as const;

/** The name of an error condition, e.g. `"TIMEOUT"`. */
export type ErrorName = keyof typeof errorTable;

/**
 * The short text of an error code; `"unknown error"` with the code for one that is not in the table.
 *
 * @example
 * ```ts
 * import { strerror } from "@red-giant/rgtp";
 * if (strerror(-12) !== "TIMEOUT: no progress in the time allowed") throw new Error("unexpected");
 * ```
 */
export function strerror(code: number): string {
  for (const [name, [value, text]] of Object.entries(errorTable)) {
    if (value === code) return `${name}: ${text}`;
  }
  return `unknown error ${code}`;
}

/** What a caller handles: a condition with a stable `code`, a message that says what, where and what to do, and its cause. */
export class RgtpError extends Error {
  /** Name of the condition, e.g. `"TIMEOUT"`. */
  readonly condition: ErrorName;
  /** The condition's number: negative. */
  readonly code: number;
  /** Facts about this occurrence, for programs. */
  readonly data: Readonly<Record<string, unknown>>;

  /** `message` says what was wrong, where, and what to do about it. */
  constructor(
    condition: ErrorName,
    message: string,
    options: { cause?: unknown; data?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RgtpError";
    this.condition = condition;
    this.code = errorTable[condition][0];
    this.data = options.data ?? {};
  }
}
