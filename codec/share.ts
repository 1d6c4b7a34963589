/*
 * What a puller says at the door of an exposer on the same machine, and what it hears: datagrams of a Unix socket, which carry the memory
 * itself beside them. See `docs/protocol.md`, "Direct memory".
 *
 *   ask                                          answer
 *     0  104  token, as in a PULL_REQUEST          0  4  segment
 *   104    4  segment                              4  1  0: here it is; else why not
 *   108    8  MAC                                  5  8  MAC
 *
 * Each MAC is the first 8 bytes of HMAC(pull key, a domain string || all bytes before it || exposure key).
 */
import { concatBytes, utf8 } from "../core/bytes.ts";
import { bytes, layout, u32, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MAC_BYTES } from "./packet.ts";
import { TOKEN_BYTES } from "./token.ts";

/** Plaintext of one segment, of which all but the last have as much: whole chunks of any size. */
export const SEGMENT_BYTES = 4_194_304;

/** A request for the memory of one segment. */
export interface ShareAsk {
  /** What the grant gave: 104 bytes. */
  readonly token: Uint8Array;
  /** Which segment, from 0. */
  readonly segment: number;
}

/** The answer to one; when it is `GIVEN`, a descriptor comes with it. */
export interface ShareAnswer {
  /** Which segment, from 0. */
  readonly segment: number;
  /** One of {@linkcode ShareStatus}. */
  readonly status: number;
}

/** What is answered: the memory comes with this; it is for users that are not this one; it cannot be had, now or ever. */
export const ShareStatus = { GIVEN: 0, OTHER_USER: 1, NOT_AVAILABLE: 2 } as const;

/** Wire form of {@linkcode ShareAsk}, without the MAC. */
export const shareAskLayout: Layout<ShareAsk> = layout<ShareAsk>({ token: bytes(TOKEN_BYTES), segment: u32 });

/** Wire form of {@linkcode ShareAnswer}, without the MAC. */
export const shareAnswerLayout: Layout<ShareAnswer> = layout<ShareAnswer>({ segment: u32, status: u8 });

/** Makes a MAC, at least 8 bytes, of what it is given, under the keys of a grant. */
export type ShareMac = (authenticated: Uint8Array) => Uint8Array;

/** A message and its MAC. */
export interface ShareForm<Message> {
  /** The message as bytes. */
  encode(message: Message, mac: ShareMac): Uint8Array<ArrayBuffer>;
  /** What bytes say, if they are long enough; whether it is true is `authenticated`'s matter. */
  decode(encoded: Uint8Array): Message | undefined;
  /** What the MAC at the end is of, and that MAC. */
  authenticated(encoded: Uint8Array): readonly [covered: Uint8Array, mac: Uint8Array];
}

function form<Message>(fields: Layout<Message>, domain: string): ShareForm<Message> {
  const covered = (encoded: Uint8Array) => concatBytes(utf8(domain), encoded.subarray(0, fields.size));
  return {
    encode(message, mac) {
      const encoded = new Uint8Array(fields.size + MAC_BYTES);
      fields.write(encoded, 0, message);
      encoded.set(mac(covered(encoded)).subarray(0, MAC_BYTES), fields.size);
      return encoded;
    },
    decode: (encoded) => encoded.length === fields.size + MAC_BYTES ? fields.read(encoded) : undefined,
    authenticated: (encoded) => [covered(encoded), encoded.subarray(fields.size)],
  };
}

/** The puller's message. */
export const shareAsk: ShareForm<ShareAsk> = form(shareAskLayout, "rgtp2 share ask");

/** The exposer's message. */
export const shareAnswer: ShareForm<ShareAnswer> = form(shareAnswerLayout, "rgtp2 share answer");
