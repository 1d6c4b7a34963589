/**
 * Cryptography: one {@linkcode Engine} interface over three platforms, and what the protocol builds on it:
 * Merkle trees, Noise handshakes, identities, key derivation, cookies, grants and tokens.
 *
 * Everything is synchronous and touches nothing: engine, time and randomness are arguments.
 *
 * Promised: all engines give the same bytes for every input; whatever comes from outside and is not
 * authentic is `undefined` or `false`, never an exception and never half accepted; secrets are compared in a
 * time that does not depend on them, as far as JavaScript permits; keys that end are overwritten.
 *
 * Not promised: that no copy of a secret stays in memory (the garbage collector moves and forgets as it
 * likes); resistance to somebody who measures time or power on the same machine, with the portable engine
 * above all; that a nonce is not used twice, where the caller chooses it; forward secrecy of an exposure's
 * chunks, whose key stays the same as long as the exposure does.
 *
 * @example
 * ```ts
 * import { chunkNonce, defaultEngine, leafHash, leafPager, verifyLeafPage } from "@red-giant/rgtp/crypto";
 *
 * const engine = defaultEngine();
 * const aead = engine.aead("chacha20-poly1305");
 * const [key, parameters] = [crypto.getRandomValues(new Uint8Array(32)), new Uint8Array(56)];
 *
 * // The exposer seals a chunk and names it by its leaf.
 * const sealed = aead.seal(key, chunkNonce(0), parameters, new TextEncoder().encode("data"));
 * const pager = leafPager(engine.sha256, leafHash(engine.sha256, sealed));
 *
 * // The puller trusts the root alone: first the leaves, then the chunk.
 * const leaves = verifyLeafPage(engine.sha256, pager.root, 1, 0, pager.page(0));
 * if (leaves?.toHex() !== leafHash(engine.sha256, sealed).toHex()) throw new Error("unexpected");
 * const opened = aead.open(key, chunkNonce(0), parameters, sealed);
 * if (new TextDecoder().decode(opened) !== "data") throw new Error("unexpected");
 * ```
 *
 * @module
 */
export type { Random } from "../core/machine.ts";
export { isUsableX25519Key } from "./points.ts";
export * from "./cpace.ts";
export * from "./default_engine.ts";
export * from "./engine.ts";
export * from "./grant_seal.ts";
export * from "./identity.ts";
export * from "./key_schedule.ts";
export * from "./leaf_pages.ts";
export * from "./merkle.ts";
export * from "./native/libcrypto_engine.ts";
export * from "./native_engine.ts";
export * from "./noise.ts";
export * from "./passphrase.ts";
export * from "./portable_engine.ts";
export * from "./sealed_box.ts";
export * from "./tokens.ts";
