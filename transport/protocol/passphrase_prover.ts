import type { Random } from "../../core/machine.ts";
import { cpaceKey, cpaceShare } from "../../crypto/cpace.ts";
import type { CPaceMessage, CPaceShare } from "../../crypto/cpace.ts";
import type { Engine } from "../../crypto/engine.ts";
import { passphraseExchange, passphraseKeys } from "../../crypto/passphrase.ts";
import type { PassphraseKeys } from "../../crypto/passphrase.ts";

/** What a puller does to prove a passphrase; apart from the handshake, since few prove one, and what it takes is long to load. */
export interface PassphraseProver {
  /** Our share of CPace, for the exposer with that key. Takes as long as the slow hash does. */
  share(exposerKey: Uint8Array, exchange: Uint8Array): CPaceShare;
  /** What comes of both shares; `undefined` when theirs is none. */
  keys(
    exchange: Uint8Array,
    own: CPaceShare,
    theirs: CPaceMessage,
    handshakeHash: Uint8Array,
  ): PassphraseKeys | undefined;
}

/**
 * Proves what the slow hash makes of a passphrase, for the exposer with that key: it is called once for each handshake, as soon as the key
 * is known.
 */
export function passphraseProver(
  engine: Engine,
  random: Random,
  stretched: (exposerKey: Uint8Array) => Uint8Array,
): PassphraseProver {
  return {
    share: (exposerKey, exchange) =>
      cpaceShare(engine, passphraseExchange(stretched(exposerKey), exposerKey, exchange), random),
    keys: (exchange, own, theirs, handshakeHash) => {
      const key = cpaceKey(engine, exchange, own, theirs, "initiator");
      return key && passphraseKeys(engine, key, handshakeHash);
    },
  };
}
