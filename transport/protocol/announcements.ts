import {
  AnnouncedAccess,
  type Announcement,
  ANNOUNCEMENT_DOMAIN,
  decodeAnnouncement,
  encodeAnnouncement,
} from "../../codec/announcement.ts";
import { formatAddress, hostKind, macBytes } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { ManifestKind } from "../../codec/manifest.ts";
import { limits } from "../../core/limits.ts";
import type { Engine } from "../../crypto/engine.ts";
import { sign, staticKeyOf, verify } from "../../crypto/identity.ts";
import type { Identity } from "../../crypto/identity.ts";
import { DropCounter } from "./drops.ts";

/** What an exposer says of an exposure, but for where it is and who says so. */
export type AnnouncedFacts = Omit<Announcement, "address" | "signingKey">;

/** The packet that announces it at one address. @throws {RangeError} when a part does not fit */
export function announcementPacket(
  engine: Engine,
  identity: Identity,
  facts: AnnouncedFacts,
  address: Address,
): Uint8Array<ArrayBuffer> {
  return encodeAnnouncement(
    { ...facts, address, signingKey: identity.signingKey },
    (signed) => sign(engine, identity, ANNOUNCEMENT_DOMAIN, signed),
  );
}

/** Whom an announced exposure lets pull; `"chosen"`: nodes that the exposer knows. */
export type AnnouncedTo = "tickets" | "open" | "passphrase" | "chosen";

/** What is announced, as it was heard. That somebody signed it is all that is known: the rest shows in the handshake. */
export interface Announced {
  /** What the exposer calls it. Anything may stand there. */
  readonly name: string;
  /** What the machine calls itself. Anything may stand there. */
  readonly host: string;
  /** Where it is, the first one heard first. */
  readonly addresses: readonly Address[];
  /** Plaintext bytes. */
  readonly bytes: number;
  /** Whether it is files and folders. */
  readonly isCollection: boolean;
  /** Whom it lets pull. */
  readonly access: AnnouncedTo;
  /** 32 bytes. */
  readonly exposureId: Uint8Array;
  /** The exposer's X25519 key, 32 bytes, by which it proves itself in a handshake. */
  readonly exposerKey: Uint8Array;
}

const accessNames: Readonly<Record<number, AnnouncedTo>> = {
  [AnnouncedAccess.TICKETS]: "tickets",
  [AnnouncedAccess.OPEN]: "open",
  [AnnouncedAccess.PASSPHRASE]: "passphrase",
  [AnnouncedAccess.CHOSEN]: "chosen",
};

interface Row {
  readonly announced: Announced;
  readonly time: number;
}

/** All that is announced, of the packets that came: one entry for each exposure of each exposer, whatever they repeat. */
export class Announcements {
  readonly #engine: Engine;
  readonly #rows = new Map<string, Row>();
  /** Packets that were dropped, by reason. */
  readonly drops: DropCounter = new DropCounter();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What was heard so far, in the order in which it was heard first. */
  get all(): readonly Announced[] {
    return Array.from(this.#rows.values(), ({ announced }) => announced);
  }

  /** Takes a packet. */
  hear(packet: Uint8Array): void {
    const decoded = decodeAnnouncement(packet);
    if (!decoded) return this.drops.count("malformed");
    const { announcement, signed, signature } = decoded;
    const { signingKey, exposureId, time, address } = announcement;
    const key = signingKey.toHex() + exposureId.toHex();
    const row = this.#rows.get(key);
    // The cheap questions first: a signature takes a tenth of a millisecond, and most packets repeat others.
    if (row && isOld(row, time, address)) return;
    if (!row && this.#rows.size >= limits.announcedExposuresMax) return this.drops.count("over the limit");
    if (!canBeReached(address)) return this.drops.count("address of nobody");
    if (!verify(this.#engine, signingKey, ANNOUNCEMENT_DOMAIN, signed, signature)) {
      return this.drops.count("wrong signature");
    }
    const exposerKey = staticKeyOf(signingKey);
    if (!exposerKey) return this.drops.count("wrong signature");
    const addresses = [...row?.announced.addresses ?? [], address];
    this.#rows.set(key, {
      time: Math.max(time, row?.time ?? 0),
      announced: row && row.time >= time
        ? { ...row.announced, addresses }
        : { ...read(announcement), exposerKey, addresses },
    });
  }
}

/** Whether it says nothing that is not known, or that may be added. */
function isOld({ announced: { addresses }, time: known }: Row, time: number, address: Address): boolean {
  const isKnown = addresses.some((one) => formatAddress(one) === formatAddress(address));
  return time <= known && (isKnown || addresses.length >= limits.ticketAddressesMax);
}

function read({ name, host, totalSize, kind, access, exposureId }: Announcement) {
  const isCollection = kind === ManifestKind.COLLECTION;
  return { name, host, bytes: totalSize, isCollection, access: accessNames[access], exposureId };
}

/** Loopback, everybody, groups and nowhere: addresses that are no neighbour's. */
const NO_NEIGHBOUR = /^(0\.|127\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|::1?$|ff[0-9a-f]{2}:)/;

function canBeReached({ host, port }: Address): boolean {
  if (port === 0) return false;
  return hostKind(host) === "ethernet" ? (macBytes(host)![0] & 1) === 0 : !NO_NEIGHBOUR.test(host);
}
