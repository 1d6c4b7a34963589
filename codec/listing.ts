/*
 * Packets of variable size that no machine serves yet; their bytes are fixed here so that they stay free.
 *
 *   EXPOSE_MANIFEST  word (flag 1 = a proof follows; field = hashes of the proof); 8 tag; 88 manifest; [u32 chunk; 32n proof]; 8 MAC
 *   HAVE             word (field = runs); 8 tag; 16 label; n × (u32 first chunk, u32 count); 8 MAC
 */
import { concatBytes } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { bytes, layout, u32 } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { MAC_BYTES, PacketType, TAG_BYTES, WORD_BYTES, wordOf, writeWord } from "./packet.ts";
import type { PacketMac } from "./packet.ts";

/** EXPOSE_MANIFEST. */
export interface ManifestPacket {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** 88 bytes. */
  readonly manifest: Uint8Array;
  /** Inclusion proof of one chunk, when asked for. */
  readonly proof?: { readonly chunk: number; readonly path: readonly Uint8Array[] };
}

/** Wire form of what every EXPOSE_MANIFEST has after the word. */
export const manifestPacketHeadLayout: Layout<Pick<ManifestPacket, "tag" | "manifest">> = layout<
  Pick<ManifestPacket, "tag" | "manifest">
>({ tag: bytes(TAG_BYTES), manifest: bytes(MANIFEST_BYTES) });

// A path in a tree of 2^31 - 1 leaves.
const PROOF_HASHES_MAX = 31;
const HASH_BYTES = 32;

/** Encodes a manifest packet. @throws {RangeError} when a part does not fit its field */
export function encodeManifestPacket({ tag, manifest, proof }: ManifestPacket, mac: PacketMac): Uint8Array {
  const path = proof?.path ?? [];
  if (path.length > PROOF_HASHES_MAX || path.some((hash) => hash.length !== HASH_BYTES)) {
    throw new RangeError(`a proof is at most ${PROOF_HASHES_MAX} hashes of ${HASH_BYTES} bytes`);
  }
  const head = new Uint8Array(WORD_BYTES + manifestPacketHeadLayout.size);
  writeWord(head, PacketType.EXPOSE_MANIFEST, proof ? 1 : 0, path.length);
  manifestPacketHeadLayout.write(head, WORD_BYTES, { tag, manifest });
  const tail = new Uint8Array(proof ? 4 : 0);
  if (proof) u32.write(new DataView(tail.buffer), 0, proof.chunk);
  const body = concatBytes(head, tail, ...path);
  return concatBytes(body, mac(body));
}

/** The manifest packet that bytes hold, or `undefined`. The MAC is left to the caller. */
export function decodeManifestPacket(packet: Uint8Array): ManifestPacket | undefined {
  const word = wordOf(packet, PacketType.EXPOSE_MANIFEST);
  if (!word) return undefined;
  const hasProof = (word.flags & 1) !== 0;
  const proofAt = WORD_BYTES + manifestPacketHeadLayout.size;
  const hashes = hasProof ? word.field : 0;
  const length = proofAt + (hasProof ? 4 + HASH_BYTES * hashes : 0) + MAC_BYTES;
  if (hashes > PROOF_HASHES_MAX || packet.length !== length) return undefined;
  const common = manifestPacketHeadLayout.read(packet, WORD_BYTES)!;
  if (!hasProof) return common;
  const view = new DataView(packet.buffer, packet.byteOffset);
  const path = Array.from(
    { length: hashes },
    (_, i) => packet.slice(proofAt + 4 + HASH_BYTES * i, proofAt + 4 + HASH_BYTES * (i + 1)),
  );
  return { ...common, proof: { chunk: u32.read(view, proofAt), path } };
}

/** A run of chunks. */
export interface Run {
  /** First chunk. */
  readonly first: number;
  /** Chunks, at least 1. */
  readonly count: number;
}

/** HAVE: what a partial source holds. */
export interface Have {
  /** The puller's flow tag. */
  readonly tag: Uint8Array;
  /** First 16 bytes of the exposure ID. */
  readonly label: Uint8Array;
  /** Ascending and disjoint. */
  readonly runs: readonly Run[];
}

/** Wire form of {@linkcode Run}. */
export const runLayout: Layout<Run> = layout<Run>({ first: u32, count: u32 });
/** Wire form of what every HAVE has after the word. */
export const haveHeadLayout: Layout<Pick<Have, "tag" | "label">> = layout<Pick<Have, "tag" | "label">>({
  tag: bytes(TAG_BYTES),
  label: bytes(16),
});
const HAVE_HEAD_BYTES = WORD_BYTES + haveHeadLayout.size;
/** Runs that fit one packet. */
export const haveRunsMax: number = Math.floor(
  (limits.controlPacketBytesMax - HAVE_HEAD_BYTES - MAC_BYTES) / runLayout.size,
);

/** Encodes a HAVE packet. @throws {RangeError} when the runs do not fit one packet */
export function encodeHave({ tag, label, runs }: Have, mac: PacketMac): Uint8Array {
  if (runs.length > haveRunsMax) throw new RangeError(`${runs.length} runs, ${haveRunsMax} fit`);
  const body = new Uint8Array(HAVE_HEAD_BYTES + runs.length * runLayout.size);
  writeWord(body, PacketType.HAVE, 0, runs.length);
  haveHeadLayout.write(body, WORD_BYTES, { tag, label });
  runs.forEach((run, i) => runLayout.write(body, HAVE_HEAD_BYTES + i * runLayout.size, run));
  return concatBytes(body, mac(body));
}

/** The HAVE packet that bytes hold, or `undefined`. The MAC is left to the caller. */
export function decodeHave(packet: Uint8Array): Have | undefined {
  const word = wordOf(packet, PacketType.HAVE);
  if (!word) return undefined;
  if (
    word.field > haveRunsMax || packet.length !== HAVE_HEAD_BYTES + word.field * runLayout.size + MAC_BYTES
  ) {
    return undefined;
  }
  const runs: Run[] = [];
  let end = 0;
  for (let i = 0; i < word.field; i++) {
    const run = runLayout.read(packet, HAVE_HEAD_BYTES + i * runLayout.size)!;
    if (run.first < end || run.count === 0 || run.first + run.count > limits.chunksMax) return undefined;
    end = run.first + run.count;
    runs.push(run);
  }
  return { ...haveHeadLayout.read(packet, WORD_BYTES)!, runs };
}
