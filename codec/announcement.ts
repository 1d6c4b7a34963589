/*
 * EXPOSE_REQUEST: an exposure, announced to a group of the local network.
 *
 *   word; u64 time (Unix s); 32 exposure ID; 32 Ed25519 key; 18 address; u64 plaintext bytes; u8 kind; u8 access; u8 name length;
 *   u8 host length; name; host; 64 signature
 */
import { concatBytes, utf8 } from "../core/bytes.ts";
import { ADDRESS_BYTES, addressBytes, addressOf } from "./address.ts";
import type { Address } from "./address.ts";
import { bytes, layout, u64, u8 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { ManifestKind } from "./manifest.ts";
import { PacketType, WORD_BYTES, wordOf, writeWord } from "./packet.ts";

/** Whom an announced exposure lets pull. */
export const AnnouncedAccess = { TICKETS: 0, OPEN: 1, PASSPHRASE: 2, CHOSEN: 3 } as const;

/** What is announced. */
export interface Announcement {
  /** When it was exposed, seconds since 1970: of two announcements of one exposure the later counts. */
  readonly time: number;
  /** 32 bytes. */
  readonly exposureId: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly signingKey: Uint8Array;
  /** Where the exposer listens. */
  readonly address: Address;
  /** Plaintext bytes. */
  readonly totalSize: number;
  /** One of `ManifestKind`: BLOB or COLLECTION. */
  readonly kind: number;
  /** One of {@linkcode AnnouncedAccess}. */
  readonly access: number;
  /** What the exposer calls it: at most 255 bytes of UTF-8. */
  readonly name: string;
  /** What the machine is called, or nothing: at most 255 bytes of UTF-8. */
  readonly host: string;
}

/** The fixed part of an EXPOSE_REQUEST, after the word. */
export interface AnnouncementHead
  extends Pick<Announcement, "time" | "exposureId" | "signingKey" | "totalSize" | "kind" | "access"> {
  /** As in tokens. */
  readonly address: Uint8Array;
  /** Bytes of the name that follows. */
  readonly nameBytes: number;
  /** Bytes of the host's name behind it. */
  readonly hostBytes: number;
}

/** Wire form of {@linkcode AnnouncementHead}. */
export const announcementHeadLayout: Layout<AnnouncementHead> = layout<AnnouncementHead>({
  time: u64,
  exposureId: bytes(32),
  signingKey: bytes(32),
  address: bytes(ADDRESS_BYTES),
  totalSize: u64,
  kind: u8,
  access: u8,
  nameBytes: u8,
  hostBytes: u8,
});

/** What comes before the signature, and what it signs. */
export const ANNOUNCEMENT_DOMAIN = "rgtp2 announcement";
const SIGNATURE_BYTES = 64;

/** A packet that holds an announcement, signed by a function that gets all before the signature. @throws {RangeError} when a part does not fit */
export function encodeAnnouncement(
  announcement: Announcement,
  sign: (signed: Uint8Array) => Uint8Array,
): Uint8Array<ArrayBuffer> {
  const [name, host] = [utf8(announcement.name), utf8(announcement.host)];
  const head = new Uint8Array(WORD_BYTES + announcementHeadLayout.size);
  writeWord(head, PacketType.EXPOSE_REQUEST, 0, 0);
  announcementHeadLayout.write(head, WORD_BYTES, {
    ...announcement,
    address: addressBytes(announcement.address),
    nameBytes: name.length,
    hostBytes: host.length,
  });
  const signed = concatBytes(head, name, host);
  const signature = sign(signed);
  if (signature.length === SIGNATURE_BYTES) return concatBytes(signed, signature);
  throw new RangeError(`a signature has ${SIGNATURE_BYTES} bytes, not ${signature.length}`);
}

/** An announcement, and what shows that its key's holder made it. */
export interface SignedAnnouncement {
  /** What is said. */
  readonly announcement: Announcement;
  /** The bytes that are signed; a view. */
  readonly signed: Uint8Array;
  /** 64 bytes; a view. */
  readonly signature: Uint8Array;
}

/** The announcement in a packet, or `undefined`. The signature is left to the caller. */
export function decodeAnnouncement(packet: Uint8Array): SignedAnnouncement | undefined {
  const head = wordOf(packet, PacketType.EXPOSE_REQUEST)
    ? announcementHeadLayout.read(packet, WORD_BYTES)
    : undefined;
  if (!head || head.kind > ManifestKind.COLLECTION || head.access > AnnouncedAccess.CHOSEN) return undefined;
  const nameAt = WORD_BYTES + announcementHeadLayout.size;
  const hostAt = nameAt + head.nameBytes;
  const end = hostAt + head.hostBytes;
  if (packet.length !== end + SIGNATURE_BYTES) return undefined;
  const [name, host] = [textOf(packet.subarray(nameAt, hostAt)), textOf(packet.subarray(hostAt, end))];
  if (name === undefined || host === undefined) return undefined;
  const { nameBytes: _nameBytes, hostBytes: _hostBytes, address, ...rest } = head;
  return {
    announcement: {
      ...rest,
      address: addressOf(address),
      name,
      host,
    },
    signed: packet.subarray(0, end),
    signature: packet.subarray(end),
  };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    // ignoreBOM: the default would drop one at the front, and change the name.
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
