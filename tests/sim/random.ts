import type { Random } from "../../core/machine.ts";

export type { Random };

/** A source of chance that gives the same again for the same seed. Not for keys that guard anything. */
export interface SeededRandom {
  /** 32 bits, 0 to 2^32 - 1. */
  uint32(): number;
  /** From 0 up to, but not including, 1. */
  float(): number;
  /** An integer from 0 up to, but not including, `below` (1 to 2^32). */
  integer(below: number): number;
  /** True with probability `rate` (0 to 1). */
  chance(rate: number): boolean;
  /** Bytes, in the form in which machines take their randomness. */
  readonly bytes: Random;
}

/**
 * xoshiro128** (Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c), its state filled by splitmix32 from
 * `seed` (any integer of 32 bits) and `label`: streams of different labels have nothing to do with each other.
 */
export function seededRandom(seed: number, label = ""): SeededRandom {
  const mix = splitmix32(seed ^ fnv1a(label));
  return xoshiro128(mix(), mix(), mix(), mix());
}

/** The generator with its state given; not all zero. */
export function xoshiro128(a: number, b: number, c: number, d: number): SeededRandom {
  const state = Uint32Array.of(a, b, c, d);
  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotateLeft(state[3], 11);
    return result;
  };
  const float = () => uint32() / 2 ** 32;
  return {
    uint32,
    float,
    // The bias of up to below/2^32 does not matter to a simulation.
    integer: (below) => Math.floor(float() * below),
    chance: (rate) => float() < rate,
    bytes: (length) => Uint8Array.from({ length }, () => uint32() >>> 24),
  };
}

function rotateLeft(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

/** Spreads a seed whose bits are few (0, 1, 2…) over a whole state. */
function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/** FNV-1a, 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return hash | 0;
}
