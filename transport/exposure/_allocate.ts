import { RgtpError } from "../../core/errors.ts";

/**
 * Memory for sealed chunks, in large pieces that live long. Shared memory, though nothing is shared: the engine does not count it as its
 * own, and so does not think that a heap of hundreds of megabytes may well keep tens of megabytes of garbage.
 *
 * @throws {RgtpError} NOMEM
 */
export function allocate(bytes: number): Uint8Array {
  try {
    return new Uint8Array(new SharedArrayBuffer(bytes));
  } catch (cause) {
    throw new RgtpError(
      "NOMEM",
      `the system refused ${bytes} bytes of memory for sealed chunks; lower --memory, or free some memory`,
      { cause, data: { bytes } },
    );
  }
}
