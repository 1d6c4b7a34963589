import {
  addressBytes,
  canonicalHost,
  CHUNK_HEADER_BYTES,
  chunkAvailable,
  chunkDataBlock,
  chunkDataIndex,
  chunkHeaderLayout,
  complete,
  decodeAnnouncement,
  decodeAnswer,
  decodeAsk,
  decodeChallenge,
  decodeCollectionIndex,
  decodeGroup,
  decodeGroupStatus,
  decodeHandshake,
  decodeHave,
  decodeManifest,
  decodeManifestPacket,
  decodePassphraseAsk,
  decodePullRequest,
  decodeTokenBody,
  encodeAnnouncement,
  encodeAnswer,
  encodeAsk,
  encodeChallenge,
  encodeCollectionIndex,
  encodeGroup,
  encodeGroupStatus,
  encodeHandshake,
  encodeHave,
  encodeManifest,
  encodeManifestPacket,
  encodePassphraseAsk,
  encodePullRequest,
  encodeTokenBody,
  formatAddress,
  formatTicket,
  handshakePrologue,
  isChunkData,
  keepalive,
  keepaliveEcho,
  MAC_BYTES,
  PacketType,
  parseAddress,
  parseTicket,
  rateReport,
  refusal,
  retry,
  stampChunkHeader,
  WORD_BYTES,
  writeChunkHeader,
} from "../../codec/mod.ts";
import type {
  Address,
  Announcement,
  Answer,
  Ask,
  Challenge,
  ChunkHeader,
  CollectionIndex,
  ControlPacket,
  Group,
  GroupStatus,
  Handshake,
  Have,
  Manifest,
  ManifestPacket,
  PassphraseAsk,
  PullRequest,
  Ticket,
  TokenBody,
} from "../../codec/mod.ts";
import { concatBytes, utf8 } from "../../core/mod.ts";
import { assert, assertEquals } from "../_assert.ts";
import { own } from "./_load.ts";

/** One encoding, and what it says. */
interface Case {
  readonly kind: string;
  readonly name: string;
  readonly input: unknown;
  /** The encoding, or `text`. */
  readonly hex?: string;
  readonly text?: string;
}

/** How one kind of thing becomes bytes, and what its bytes say. */
interface Kind {
  encode(input: unknown): Uint8Array;
  /** Absent for what is only ever made, never read. */
  decode?(encoded: Uint8Array): unknown;
}

function kind<T>(encode: (input: T) => Uint8Array, decode?: (encoded: Uint8Array) => unknown): Kind {
  // The input comes from a file: only the comparison of its bytes shows that it was a T.
  return { encode: (input) => encode(input as T), ...(decode && { decode }) };
}

/** A kind whose packets end in a MAC: the case names the 8 bytes. */
function authenticated<T>(
  encode: (input: T, mac: () => Uint8Array) => Uint8Array,
  decode: (packet: Uint8Array) => object | undefined,
): Kind {
  return kind<T & { mac: Uint8Array }>(
    ({ mac, ...input }) => encode(input as T, () => mac),
    (packet) => {
      const value = decode(packet);
      return value && { ...value, mac: packet.slice(-MAC_BYTES) };
    },
  );
}

function control<T extends object>(packet: ControlPacket<T>): Kind {
  return authenticated<T & { flags: number; field: number }>(
    (input, mac) => packet.encode(input, input, mac),
    packet.decode,
  );
}

function text<T>(format: (input: T) => string, parse: (text: string) => unknown): Kind {
  return kind<T>((input) => utf8(format(input)), (encoded) => parse(new TextDecoder().decode(encoded)));
}

type ChunkData = ChunkHeader & { block: number; index: number; symbol: Uint8Array };

const kinds: Readonly<Record<string, Kind>> = {
  EXPOSE_REQUEST: kind<Announcement & { signature: Uint8Array }>(
    ({ signature, ...announcement }) => encodeAnnouncement(announcement, () => signature),
    (packet) => {
      const { announcement, signature } = decodeAnnouncement(packet) ?? {};
      return announcement && { ...announcement, signature };
    },
  ),
  EXPOSE_MANIFEST: authenticated<ManifestPacket>(encodeManifestPacket, decodeManifestPacket),
  CHUNK_AVAILABLE: control(chunkAvailable),
  PULL_REQUEST: authenticated<PullRequest>(encodePullRequest, decodePullRequest),
  CHUNK_DATA: kind<ChunkData>(
    ({ block, index, symbol, tag, request, piece, receipt }) => {
      const packet = concatBytes(new Uint8Array(CHUNK_HEADER_BYTES), symbol);
      writeChunkHeader(packet, block, index, piece);
      stampChunkHeader(packet, 0, tag, request, receipt);
      return packet;
    },
    (packet) =>
      isChunkData(packet)
        ? {
          block: chunkDataBlock(packet),
          index: chunkDataIndex(packet),
          ...chunkHeaderLayout.read(packet, WORD_BYTES),
          symbol: packet.slice(CHUNK_HEADER_BYTES),
        }
        : undefined,
  ),
  EXPOSURE_COMPLETE: control(complete),
  HANDSHAKE: kind<Handshake>(encodeHandshake, decodeHandshake),
  RATE_REPORT: control(rateReport),
  KEEPALIVE: control(keepalive),
  "KEEPALIVE echo": control(keepaliveEcho),
  REFUSAL: kind<{ echo: Uint8Array; flags: number; field: number; mac: Uint8Array }>(
    (input) => refusal.encode(input, input, input.mac.length > 0 ? () => input.mac : undefined),
    (packet) => ({ ...refusal.decode(packet), mac: packet.slice(refusal.size) }),
  ),
  RETRY: kind<{ exchange: Uint8Array; cookie: Uint8Array }>((input) => retry.encode(input), retry.decode),
  HAVE: authenticated<Have>(encodeHave, decodeHave),
  GROUP_STATUS: authenticated<GroupStatus>(encodeGroupStatus, decodeGroupStatus),
  group: kind<Group>(encodeGroup, decodeGroup),
  manifest: kind<Manifest>(encodeManifest, decodeManifest),
  ask: kind<Ask>(encodeAsk, decodeAsk),
  "passphrase ask": kind<PassphraseAsk>(
    ({ share, ask }) => encodePassphraseAsk(share, ask),
    decodePassphraseAsk,
  ),
  answer: kind<Answer>(encodeAnswer, decodeAnswer),
  challenge: kind<Challenge>(({ share, cookie }) => encodeChallenge(share, cookie), decodeChallenge),
  prologue: kind<{ version: number; pattern: string; offers: number[] }>(({ version, pattern, offers }) =>
    handshakePrologue(version, pattern, offers)
  ),
  "collection index": kind<CollectionIndex>(encodeCollectionIndex, decodeCollectionIndex),
  "token body": kind<TokenBody>(encodeTokenBody, decodeTokenBody),
  "address bytes": kind<Address>(addressBytes),
  ticket: text<Ticket>(formatTicket, parseTicket),
  address: text<Address>(formatAddress, parseAddress),
};

const vectors = own<{ source: string; cases: readonly Case[] }>("packets.json");

/** The input with its bytes as bytes. */
function revive(value: unknown): unknown {
  if (typeof value === "string" && value.startsWith("0x")) return Uint8Array.fromHex(value.slice(2));
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, revive(part)]));
}

for (const vector of vectors.cases) {
  Deno.test(`vectors: ${vector.kind}: ${vector.name}`, () => {
    const { encode, decode } = kinds[vector.kind];
    const input = revive(vector.input);
    const encoded = vector.hex === undefined ? utf8(vector.text!) : Uint8Array.fromHex(vector.hex);
    assertEquals(encode(input).toHex(), encoded.toHex());
    if (decode) assertEquals(decode(encoded), input);
  });
}

Deno.test("vectors: say whose they are, and hold every packet type and every kind", () => {
  assert(vectors.source.length > 0);
  const held = new Set(vectors.cases.map((vector) => vector.kind));
  for (const name of [...Object.keys(PacketType), ...Object.keys(kinds)]) assert(held.has(name), name);
});

Deno.test("vectors: the type in each packet's first byte is the one that it is listed under", () => {
  for (const { kind, hex } of vectors.cases) {
    const type = new Map<string, number>(Object.entries(PacketType)).get(kind.split(" ")[0]);
    if (type !== undefined) assertEquals(parseInt(hex!.slice(0, 2), 16), 0x20 | type, kind);
  }
});

Deno.test("vectors: hosts stand in their one spelling", () => {
  for (const { kind, input } of vectors.cases) {
    if (kind.startsWith("address")) {
      assertEquals((input as Address).host, canonicalHost((input as Address).host));
    }
  }
});
