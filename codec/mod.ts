/**
 * Every byte that comes from outside is parsed here: packets, manifests, tickets, addresses.
 *
 * Promised: a decoder takes any bytes, and returns a value, or `undefined` (packets: wrong ones are counted and dropped by whoever
 * asked), or throws an `RgtpError` (manifests and tickets: a person has to know). It never hangs, and allocates no more than its
 * input's size asks for. Not promised: that a MAC or signature was right; that is the caller's to check.
 *
 * @example
 * ```ts
 * import { formatTicket, parseTicket } from "@red-giant/rgtp/codec";
 *
 * const text = formatTicket({
 *   addresses: [{ host: "192.0.2.1", port: 9000 }],
 *   exposureId: new Uint8Array(32),
 *   exposerKey: new Uint8Array(32),
 *   name: "disk image.iso",
 * });
 * if (parseTicket(text).name !== "disk image.iso") throw new Error("unexpected");
 * ```
 *
 * @module
 */
export * from "./address.ts";
export * from "./announcement.ts";
export * from "./collection_index.ts";
export * from "./collection_path.ts";
export * from "./control.ts";
export * from "./ethernet_frame.ts";
export * from "./geometry.ts";
export * from "./grant.ts";
export * from "./group.ts";
export * from "./handshake.ts";
export * from "./layout.ts";
export * from "./listing.ts";
export * from "./manifest.ts";
export * from "./packet.ts";
export * from "./passphrase.ts";
export * from "./public_address.ts";
export * from "./pull_request.ts";
export * from "./share.ts";
export * from "./ticket.ts";
export * from "./token.ts";
