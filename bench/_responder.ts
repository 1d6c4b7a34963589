/*
 * One exposure of 100 kB, and who answers handshakes for it, without a network.
 */
import { decodeManifest } from "../codec/manifest.ts";
import { systemRandom as random } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { TokenMint } from "../crypto/tokens.ts";
import { sealSource } from "../transport/exposure/seal.ts";
import { bytesSource } from "../transport/exposure/source.ts";
import type { Exposed } from "../transport/protocol/exposed.ts";
import { Responder } from "../transport/protocol/responder.ts";
import type { ResponderOptions } from "../transport/protocol/responder.ts";

export const engine = defaultEngine();
export const identity = createIdentity(engine, random(32));
/** Where all pullers are. */
export const from = { host: "192.0.2.7", port: 4000 };

const sealed = await sealSource(bytesSource(new Uint8Array(100_000)), {
  engine,
  chunkSize: 65_536,
  secret: random(32),
  salt: random(32),
});

/** The exposure, open to everybody. */
export const exposed: Exposed = {
  id: sealed.id,
  manifestBytes: sealed.manifest,
  manifest: decodeManifest(sealed.manifest),
  exposureKey: sealed.exposureKey,
  leaves: sealed.leaves,
  name: "secret",
  access: () => "open",
  stillGood: () => true,
};

/** Who answers. */
export function responderOf(finds: Pick<ResponderOptions, "find" | "decoy">): Responder {
  return new Responder({
    engine,
    staticPrivate: identity.staticPrivate,
    random,
    mint: new TokenMint(engine, random, 0),
    pullRateMax: Infinity,
    ...finds,
  });
}
