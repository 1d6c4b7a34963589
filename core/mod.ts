/**
 * The vocabulary that every other room shares: errors, limits, the sans-IO contract, and a few helpers for bytes.
 * It imports nothing and touches nothing.
 *
 * @module
 */
export * from "./bytes.ts";
export * from "./errors.ts";
export * from "./fifo.ts";
export * from "./limits.ts";
export * from "./machine.ts";
