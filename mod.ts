/**
 * RGTP: expose data once; any number of pullers take the chunks they miss, at the speed they can bear, and resume years later.
 *
 * @example
 * ```ts
 * import { expose, pull } from "@red-giant/rgtp";
 *
 * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0 });
 * const bytes = await pull(exposure.ticket).bytes();
 * if (new TextDecoder().decode(bytes) !== "hello") throw new Error("unexpected");
 * ```
 *
 * @module
 */
export { errorTable, RgtpError, strerror } from "./core/errors.ts";
export type { ErrorName } from "./core/errors.ts";
export { formatTicket, parseTicket, redactTicket } from "./codec/ticket.ts";
export type { Ticket } from "./codec/ticket.ts";
export type { Address } from "./codec/address.ts";
export { isPublicAddress } from "./codec/public_address.ts";
export * from "./transport/mod.ts";
