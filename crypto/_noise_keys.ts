import type { X25519, X25519Key } from "./engine.ts";

/** The private keys that a message of a handshake needs, each taken in once, and let go with the message. */
export class MessageKeys implements Disposable {
  readonly #x25519: X25519;
  readonly #keys = new Map<Uint8Array, X25519Key>();

  constructor(x25519: X25519) {
    this.#x25519 = x25519;
  }

  /** @throws {RangeError} when the key is not 32 bytes */
  of(privateKey: Uint8Array): X25519Key {
    const known = this.#keys.get(privateKey);
    if (known) return known;
    const key = this.#x25519.open?.(privateKey) ?? unopened(this.#x25519, privateKey);
    this.#keys.set(privateKey, key);
    return key;
  }

  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key[Symbol.dispose]();
    this.#keys.clear();
  }
}

function unopened(x25519: X25519, privateKey: Uint8Array): X25519Key {
  return {
    publicKey: () => x25519.publicKey(privateKey),
    sharedSecret: (publicKey) => x25519.sharedSecret(privateKey, publicKey),
    [Symbol.dispose]() {},
  };
}
