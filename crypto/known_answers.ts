import { equalBytes, utf8 } from "../core/mod.ts";
import { AAD, CHACHA_KEY, CHUNK_ANSWERS, SUNSCREEN } from "./_chunk_answers.ts";
import type { Engine } from "./engine.ts";

/**
 * Whether an engine gives the published answers of one case for each of its functions, and refuses what was
 * changed.
 */
export function selfTest(engine: Engine): boolean {
  try {
    return KNOWN_ANSWERS.every((isRight) => isRight(engine));
  } catch {
    // A platform without the function throws instead of answering.
    return false;
  }
}

const hex = Uint8Array.fromHex.bind(Uint8Array);
const NONE = new Uint8Array(0);

const KNOWN_ANSWERS: readonly ((engine: Engine) => boolean)[] = [
  ...CHUNK_ANSWERS,

  // RFC 5869 §A.3.
  (engine) => {
    const prk = engine.hkdfExtract(NONE, new Uint8Array(22).fill(0x0b));
    return equalBytes(
      engine.hkdfExpand(prk, NONE, 42),
      hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"),
    );
  },

  // draft-irtf-cfrg-xchacha-03 §A.3.1.
  (engine) => {
    const nonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
    const sealed = engine.xchacha20Poly1305.seal(CHACHA_KEY, nonce, AAD, SUNSCREEN);
    return equalBytes(sealed.subarray(-16), hex("c0875924c1c7987947deafd8780acf49"));
  },

  // RFC 7748 §6.1.
  ({ x25519 }) =>
    equalBytes(
      x25519.sharedSecret(
        hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
        hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),
      ) ?? NONE,
      hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),
    ),

  // RFC 8032 §7.1, test 1.
  ({ ed25519 }) => {
    const seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    const publicKey = ed25519.publicKey(seed);
    const signature = ed25519.sign(seed, NONE);
    return equalBytes(publicKey, hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")) &&
      equalBytes(signature.subarray(0, 8), hex("e5564300c360ac72")) &&
      ed25519.verify(publicKey, NONE, signature) && !ed25519.verify(publicKey, utf8("x"), signature);
  },
];
