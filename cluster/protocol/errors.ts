import { RgtpError } from "../../core/errors.ts";
import type { ErrorName } from "../../core/errors.ts";

/** The errors that nodes tell each other: number, and what each is to a caller here. */
export const RnpErrorCode = {
  PROTOCOL_ERROR: 1000,
  VERSION_MISMATCH: 1001,
  AUTH_FAILED: 2000,
  UNAUTHORIZED: 2001,
  RESOURCE_EXHAUSTED: 3000,
  QUOTA_EXCEEDED: 3001,
  NOT_FOUND: 4000,
  ALREADY_EXISTS: 4001,
  INTERNAL_ERROR: 5000,
  TIMEOUT: 5001,
} as const;

/** The name of an error between nodes, e.g. `"AUTH_FAILED"`. */
export type RnpErrorName = keyof typeof RnpErrorCode;

/** What went wrong, as it stands in an ERROR message. */
export interface RnpFault {
  /** Which error. */
  readonly code: RnpErrorName;
  /** What, where, and what to do about it. */
  readonly message: string;
  /** Facts about this occurrence. */
  readonly details?: Readonly<Record<string, string | number>>;
}

const conditions: Readonly<Record<RnpErrorName, ErrorName>> = {
  PROTOCOL_ERROR: "PROTOCOL",
  VERSION_MISMATCH: "VERSION",
  AUTH_FAILED: "AUTH_FAIL",
  UNAUTHORIZED: "ACCESS_DENIED",
  RESOURCE_EXHAUSTED: "RATE_LIMITED",
  QUOTA_EXCEEDED: "RATE_LIMITED",
  NOT_FOUND: "NOT_FOUND",
  ALREADY_EXISTS: "EXISTS",
  INTERNAL_ERROR: "INTERNAL",
  TIMEOUT: "TIMEOUT",
};

/** Whether a text from outside names an error. */
export function isRnpErrorName(name: string): name is RnpErrorName {
  return Object.hasOwn(RnpErrorCode, name);
}

/** What a caller gets to handle: `data.rnp` is the fault's number. */
export function rnpError(fault: RnpFault, cause?: unknown): RgtpError {
  return new RgtpError(conditions[fault.code], fault.message, {
    cause,
    data: { ...fault.details, rnp: RnpErrorCode[fault.code], name: fault.code },
  });
}

/** Nobody knows whether a message was handled. */
export function startedAgain(peerId: string): RnpFault {
  return {
    code: "TIMEOUT",
    message: `'${peerId}' was started again before it had acknowledged this: ask it whether it was done`,
    details: { uncertain: 1 },
  };
}
