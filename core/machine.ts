/**
 * The sans-IO contract.
 *
 * A machine holds protocol state and nothing else: no sockets, files, timers, clocks or sources of randomness.
 * Its methods take the time (milliseconds on a monotonic clock) as their first argument. After *each* call of a
 * `handle…` method or of a verb, the caller drains {@linkcode Machine.poll} until it returns `undefined`, before the next call.
 */
export interface Machine<Output> {
  /** The next thing to carry out, or `undefined` when there is nothing more. */
  poll(): Output | undefined;
  /** When `handleTimeout` is due (monotonic ms); `Infinity` when there is nothing to wait for. */
  readonly deadline: number;
  /** The clock has reached `deadline` (calling it early does nothing). */
  handleTimeout(now: number): void;
}

/** Carries out all that a machine asks for, in order. */
export function drain<Output>(machine: Machine<Output>, perform: (output: Output) => void): void {
  for (let output = machine.poll(); output !== undefined; output = machine.poll()) perform(output);
}

/** Monotonic time in milliseconds. */
export type Clock = () => number;

/** A source of `length` random bytes, fit for keys. */
export type Random = (length: number) => Uint8Array;

/** The system's random source. */
export function systemRandom(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  // getRandomValues takes at most 65,536 bytes a call.
  for (let at = 0; at < length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return bytes;
}
