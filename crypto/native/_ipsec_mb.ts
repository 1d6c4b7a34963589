/*
 * The functions of Intel's IPsec Multi-Buffer library that hash messages side by side, and the C library's `memcpy`, which comes with it:
 * it returns where its target lies, so nothing here needs `Deno.UnsafePointer`, and the permission for the library's folder is enough.
 */

const functions = {
  imb_get_version: { parameters: [], result: "u32" },
  imb_get_feature_flags: { parameters: [], result: "u64" },
  imb_get_errno: { parameters: ["buffer"], result: "i32" },
  imb_get_mb_mgr_size: { parameters: [], result: "usize" },
  imb_set_pointers_mb_mgr: { parameters: ["buffer", "u64", "u32"], result: "pointer" },
  init_mb_mgr_sse: { parameters: ["buffer"], result: "void" },
  init_mb_mgr_avx2: { parameters: ["buffer"], result: "void" },
  init_mb_mgr_avx512: { parameters: ["buffer"], result: "void" },
  submit_hash_burst_sse_t2: { parameters: ["buffer", "buffer", "u32", "u32"], result: "u32" },
  submit_hash_burst_avx2_t1: { parameters: ["buffer", "buffer", "u32", "u32"], result: "u32" },
  submit_hash_burst_avx512_t1: { parameters: ["buffer", "buffer", "u32", "u32"], result: "u32" },
  get_next_job_avx512_t1: { parameters: ["buffer"], result: "usize", optional: true },
  submit_job_nocheck_avx512_t1: { parameters: ["buffer"], result: "usize", optional: true },
  flush_job_avx512_t1: { parameters: ["buffer"], result: "usize", optional: true },
  sha256_one_block_sse: { parameters: ["buffer", "buffer"], result: "void" },
  memcpy: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
} as const;

/** The functions, by their names in `intel-ipsec-mb.h`. */
export type IpsecMb = Deno.DynamicLibrary<typeof functions>["symbols"];

/**
 * Loads the library where it is and Deno's permission for it is there already: it is never asked for. `undefined` where there is none, or
 * a release whose structures are not known here.
 */
export function loadIpsecMb(): IpsecMb | undefined {
  // There is no Deno in browsers and under Node; the library is for this processor alone.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return undefined;
  for (const path of PLACES) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      const { symbols } = Deno.dlopen(path, functions);
      if (jobBytes(symbols) !== undefined) return symbols;
    } catch {
      // Not there, or another library of that name: the next.
    }
  }
  return undefined;
}

/** By its place alone, as for libcrypto. */
const PLACES = ["/lib/x86_64-linux-gnu", "/lib64"]
  .flatMap((folder) => [2, 1].map((release) => `${folder}/libIPSec_MB.so.${release}`));

/** Bytes of an `IMB_JOB`, whose fields that are used here are the same in all of these; `undefined`: another release. */
export function jobBytes(library: IpsecMb): number | undefined {
  const version = library.imb_get_version();
  return RELEASES.find(({ from, before }) => from <= version && version < before)?.jobBytes;
}

/** `imb_set_pointers_mb_mgr`: nothing has been kept there before. */
const RESET = 1;
/** The library's own alignment. */
const MANAGER_ALIGNMENT = 64;

/**
 * What the library keeps for jobs of one kind, in memory of ours, which goes when this thread does; `undefined` when it cannot. The library
 * has to be told where it lies each time, so it must not move: it is far too long for V8 to keep among its objects.
 */
export function beginManager(
  library: IpsecMb,
  { flags, init }: { flags: bigint; init: "init_mb_mgr_sse" | "init_mb_mgr_avx2" | "init_mb_mgr_avx512" },
): Uint8Array<ArrayBuffer> | undefined {
  const memory = new Uint8Array(Number(library.imb_get_mb_mgr_size()) + MANAGER_ALIGNMENT);
  const past = Number(library.memcpy(memory, memory, 0n)) % MANAGER_ALIGNMENT;
  const manager = memory.subarray((MANAGER_ALIGNMENT - past) % MANAGER_ALIGNMENT);
  if (library.imb_set_pointers_mb_mgr(manager, flags, RESET) === null) return undefined;
  library[init](manager);
  return library.imb_get_errno(manager) === 0 ? manager : undefined;
}

/** Versions as the library tells them: a byte each for major, minor and patch. */
const RELEASES = [
  { from: 0x01_03_00, before: 0x01_04_00, jobBytes: 200 },
  { from: 0x01_04_00, before: 0x01_06_00, jobBytes: 240 },
  { from: 0x02_00_00, before: 0x02_01_00, jobBytes: 216 },
];

/** `imb_get_feature_flags`: what a processor has. */
export const Feature = { SHANI: 1n, AVX2: 1n << 6n, AVX512: 0xf80n } as const;

/** `imb_set_pointers_mb_mgr`: as if the processor had no instructions for SHA. */
export const SHANI_OFF = 1n;

// intel-ipsec-mb.h: IMB_AUTH_HMAC_SHA_256, IMB_AUTH_SHA_256, IMB_CIPHER_NULL and IMB_ORDER_HASH_CIPHER.
export const HMAC_SHA_256 = 3;
export const SHA_256 = 15;
export const CIPHER_NULL = 3;
export const HASH_FIRST = 2;
/** Fields of an `IMB_JOB`, by their first byte. Addresses and lengths have 64 bits, the rest 32. */
export const JOB = {
  source: 24,
  start: 56,
  length: 64,
  tag: 88,
  tagLength: 96,
  inner: 104,
  outer: 112,
  status: 128,
  cipher: 132,
  hash: 140,
  order: 144,
} as const;
