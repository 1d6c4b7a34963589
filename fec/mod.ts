/**
 * Repairing what got lost: systematic Reed-Solomon over GF(2^8) with a Cauchy matrix. A block of k data symbols (1 to 128) has up to
 * 255 - k parity symbols, and any k of them all give back the rest. A piece falls into blocks as `blockPlan` of `codec` says.
 *
 * Promised: the bytes are those of `docs/protocol.md`, and of any library that makes 1 / (i ^ j) under 0x11D its parity matrix; a
 * call keeps nothing and takes no memory that grows; wrong shapes are declared errors. Not promised: to notice a symbol that is
 * wrong. A repaired chunk has to be checked against its leaf.
 *
 * @example
 * ```ts
 * import { makeParity, repair } from "@red-giant/rgtp/fec";
 *
 * const bytes = crypto.getRandomValues(new Uint8Array(10 * 1200 - 7)); // the last symbol is short
 * const data = { bytes, count: 10, symbolSize: 1200, stride: 1200 };
 * const parity = [new Uint8Array(1200), new Uint8Array(1200)];
 * makeParity(data, 10, parity);
 *
 * const before = bytes.toHex();
 * bytes.fill(0, 3 * 1200, 4 * 1200); // symbols 3 and 9 got lost
 * bytes.fill(0, 9 * 1200);
 * repair(data, [3, 9], new Map([[10, parity[0]], [11, parity[1]]]));
 * if (bytes.toHex() !== before) throw new Error("unexpected");
 * ```
 *
 * @module
 */
export * from "./piece_blocks.ts";
export * from "./reed_solomon.ts";
