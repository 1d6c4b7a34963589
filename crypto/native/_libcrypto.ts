/*
 * The functions of OpenSSL 3 that the engine calls. As for the C library, nothing here needs `Deno.UnsafePointer`: pointers come from
 * functions and go into functions, so the permission for the library's folder is enough.
 */

const functions = {
  OPENSSL_init_crypto: { parameters: ["u64", "pointer"], result: "i32" },
  EVP_CIPHER_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_CIPHER_CTX_new: { parameters: [], result: "pointer" },
  EVP_CIPHER_CTX_reset: { parameters: ["pointer"], result: "i32" },
  EVP_CIPHER_CTX_ctrl: { parameters: ["pointer", "i32", "i32", "buffer"], result: "i32" },
  EVP_CipherInit_ex2: {
    parameters: ["pointer", "pointer", "buffer", "buffer", "i32", "pointer"],
    result: "i32",
  },
  EVP_CipherUpdate: { parameters: ["pointer", "buffer", "buffer", "buffer", "i32"], result: "i32" },
  EVP_CipherFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_MD_fetch: { parameters: ["pointer", "buffer", "pointer"], result: "pointer" },
  EVP_MD_CTX_new: { parameters: [], result: "pointer" },
  EVP_MD_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_DigestInit_ex2: { parameters: ["pointer", "pointer", "pointer"], result: "i32" },
  EVP_DigestUpdate: { parameters: ["pointer", "buffer", "usize"], result: "i32" },
  EVP_DigestFinal_ex: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_DigestSignInit: { parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"], result: "i32" },
  EVP_DigestSign: { parameters: ["pointer", "buffer", "buffer", "buffer", "usize"], result: "i32" },
  EVP_DigestVerifyInit: {
    parameters: ["pointer", "pointer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  EVP_DigestVerify: { parameters: ["pointer", "buffer", "usize", "buffer", "usize"], result: "i32" },
  EVP_PKEY_new_raw_private_key: { parameters: ["i32", "pointer", "buffer", "usize"], result: "pointer" },
  EVP_PKEY_new_raw_public_key: { parameters: ["i32", "pointer", "buffer", "usize"], result: "pointer" },
  EVP_PKEY_get_raw_public_key: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  EVP_PKEY_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_CTX_new: { parameters: ["pointer", "pointer"], result: "pointer" },
  EVP_PKEY_CTX_free: { parameters: ["pointer"], result: "void" },
  EVP_PKEY_derive_init: { parameters: ["pointer"], result: "i32" },
  EVP_PKEY_derive_set_peer: { parameters: ["pointer", "pointer"], result: "i32" },
  EVP_PKEY_derive: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
} as const;

/** The functions, by their names in OpenSSL's manual. Most give 1 when they succeed; those that give a pointer, anything but null. */
export type Libcrypto = Deno.DynamicLibrary<typeof functions>["symbols"];

// openssl/crypto.h: what the user may have configured (engines, providers, FIPS) reads files that nobody gave us, and at the end of the
// process there is nothing to clean up that other threads may not still be using.
const INIT_NO_LOAD_CONFIG = 0x80n;
const INIT_NO_ATEXIT = 0x80000n;

/**
 * Loads the library where it is and Deno's permission for it is there already: it is never asked for. `undefined` where there is none, or
 * one that lacks a function (before 3.0).
 */
export function loadLibcrypto(): Libcrypto | undefined {
  // There is no Deno in browsers and under Node.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return undefined;
  for (const path of places(Deno.build.arch)) {
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      const { symbols } = Deno.dlopen(path, functions);
      if (symbols.OPENSSL_init_crypto(INIT_NO_LOAD_CONFIG | INIT_NO_ATEXIT, null) === 1) return symbols;
    } catch {
      // Not there, or another library of that name: the next.
    }
  }
  return undefined;
}

/**
 * Where distributions with glibc, which Deno is built for, keep it. Not by its name alone, nor in /lib itself: Alpine's is there, and would
 * bring a second C library into the process.
 */
function places(arch: string): string[] {
  return [`/lib/${arch}-linux-gnu`, "/lib64", `/usr/lib/${arch}-linux-gnu`, "/usr/lib64"]
    .map((folder) => `${folder}/libcrypto.so.3`);
}
