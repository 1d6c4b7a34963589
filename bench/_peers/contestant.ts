/** The work of one block: `parity` symbols from `data` symbols, and `lost` of these back from all that is left. */
export interface Shape {
  /** Data symbols. */
  readonly data: number;
  /** Parity symbols. */
  readonly parity: number;
  /** Bytes of each. */
  readonly symbolSize: number;
  /** Data symbols that are missing: as many as there is parity. */
  readonly lost: readonly number[];
}

/** Something that codes blocks of one shape. It has shown that what it repairs is what was lost. */
export interface Contestant {
  readonly name: string;
  /** Makes the parity so many times; answers with how many microseconds that took. Absent when it is not asked to. */
  readonly encode?: (times: number) => number | Promise<number>;
  /** Repairs a block so many times. */
  readonly decode?: (times: number) => number | Promise<number>;
  readonly close?: () => void | Promise<void>;
}

/** A contestant that is not here. */
export interface Absent {
  readonly name: string;
  readonly why: string;
}

/** Times something that runs in this process. */
export function timed(work: () => void): (times: number) => number {
  return (times) => {
    const started = performance.now();
    for (let i = 0; i < times; i++) work();
    return (performance.now() - started) * 1000;
  };
}

/** @throws {Error} when two symbols differ: whoever codes wrongly is not timed */
export function prove(name: string, made: Uint8Array, expected: Uint8Array): void {
  const same = made.length === expected.length && made.every((byte, i) => byte === expected[i]);
  if (!same) throw new Error(`${name} does not give back what was lost`);
}
