import { equalBytes } from "../../core/bytes.ts";
import { HASH_BYTES } from "../engine.ts";
import type { Hash } from "../engine.ts";
import {
  beginManager,
  CIPHER_NULL,
  Feature,
  HASH_FIRST,
  type IpsecMb,
  JOB,
  loadIpsecMb,
  SHA_256,
} from "./_ipsec_mb.ts";

/** SHA-256 of many messages side by side, each in a part of the processor's wide registers. */
export interface DigestRow {
  /** Their hashes, in their order. None of them is longer than {@linkcode ROW_BYTES_MAX}. */
  digest(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[];
  /** Whether messages have these hashes; the same otherwise. */
  compare(messages: readonly Uint8Array[], hashes: readonly Uint8Array[]): boolean[];
}

/** The library counts blocks of 64 bytes in 16 bits. */
export const ROW_BYTES_MAX = 4_000_000;
/** With fewer messages a row takes longer than one hash after the other, measured: it takes as long whether it is full or not. */
export const ROW_MIN = 9;
/** So many messages are given to the library before the first comes back: it has room for 128. */
const JOBS_MAX = 64;
const LANES = 16;

/** A library in use is never unloaded, so it is loaded once. */
let isLooked = false;
let loaded: DigestRow | undefined;

/**
 * Hashes by Intel's IPsec Multi-Buffer library, as `loadLeafRow` has leaf hashes by it: where the processor has registers of 512 bits, and it
 * says the same as `hash`. `undefined` elsewhere. The first call takes some 4 ms.
 */
export function loadDigestRow(hash: Hash): DigestRow | undefined {
  if (!isLooked) {
    isLooked = true;
    const library = loadIpsecMb();
    const row = library && digestRow(library, hash);
    if (row && isRight(row, hash)) loaded = row;
  }
  return loaded;
}

/** The same, not tried out. */
export function digestRow(library: IpsecMb, hash: Hash): DigestRow | undefined {
  const { get_next_job_avx512_t1: next, submit_job_nocheck_avx512_t1: submit, flush_job_avx512_t1: flush } =
    library;
  const hasRegisters = (library.imb_get_feature_flags() & Feature.AVX512) === Feature.AVX512;
  const version = library.imb_get_version();
  if (!hasRegisters || !next || !submit || !flush || version < TRIED.from || version >= TRIED.before) {
    return undefined;
  }
  const manager = beginManager(library, { flags: 0n, init: "init_mb_mgr_avx512" });
  if (!manager) return undefined;
  const view = new DataView(manager.buffer, manager.byteOffset, manager.length);
  const tags = new Uint8Array(JOBS_MAX * HASH_BYTES);
  const addressOf = (bytes: Uint8Array) => {
    const buffer = bytes as Uint8Array<ArrayBuffer>;
    return library.memcpy(buffer, buffer, 0n);
  };
  // Both are too long to be moved.
  const [managerAt, tagsAt] = [addressOf(manager), addressOf(tags)];

  /** The job lies in the manager, which says where. */
  const set = (index: number, message: Uint8Array) => {
    const job = Number(next(manager) - managerAt);
    view.setBigUint64(job + JOB.source, addressOf(message), true);
    view.setBigUint64(job + JOB.start, 0n, true);
    view.setBigUint64(job + JOB.length, BigInt(message.length), true);
    view.setBigUint64(job + JOB.tag, tagsAt + BigInt(index * HASH_BYTES), true);
    view.setBigUint64(job + JOB.tagLength, BigInt(HASH_BYTES), true);
    view.setInt32(job + JOB.status, 0, true);
    view.setInt32(job + JOB.cipher, CIPHER_NULL, true);
    view.setInt32(job + JOB.hash, SHA_256, true);
    view.setInt32(job + JOB.order, HASH_FIRST, true);
  };
  const digestSome = (messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[] => {
    let done = 0;
    messages.forEach((message, slot) => {
      set(slot, message);
      if (submit(manager) !== 0n) done++;
    });
    while (flush(manager) !== 0n) done++;
    if (done !== messages.length) return messages.map((message) => hash.digest(message));
    return messages.map((_, slot) => tags.slice(slot * HASH_BYTES, (slot + 1) * HASH_BYTES));
  };
  const digest = (messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer>[] => {
    const hashes = new Array<Uint8Array<ArrayBuffer>>(messages.length);
    // The longest first: whose turn comes late shall not keep fifteen empty lanes waiting.
    const order = messages.map((_, index) => index).sort((a, b) => messages[b].length - messages[a].length);
    for (let first = 0; first < order.length; first += JOBS_MAX) {
      const some = order.slice(first, first + JOBS_MAX);
      digestSome(some.map((index) => messages[index])).forEach((one, slot) => hashes[some[slot]] = one);
    }
    return hashes;
  };
  return {
    digest,
    compare: (messages, hashes) => digest(messages).map((one, index) => equalBytes(one, hashes[index])),
  };
}

/** Releases in which jobs that are longer than those of HMACs were tried. */
const TRIED = { from: 0x01_03_00, before: 0x01_04_00 };

/** Of all lengths, one beyond 16 bits, as they are and with every other one changed. */
function isRight(row: DigestRow, hash: Hash): boolean {
  const lengths = Array.from({ length: LANES + 3 }, (_, i) => i === 1 ? 65_536 + 7 : 500 * i);
  const messages = lengths.map((length, i) => new Uint8Array(new SharedArrayBuffer(length)).fill(i + 1));
  const hashes = messages.map((message) => hash.digest(message));
  const isSame = row.compare(messages, hashes);
  messages.forEach((message, i) => message[message.length - 1] ^= i % 2);
  const isSameNow = row.compare(messages, hashes);
  return isSame.every((same) => same) && isSameNow.every((same, i) => same === (i % 2 === 0));
}
