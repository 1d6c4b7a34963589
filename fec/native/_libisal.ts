/*
 * The functions of Intel's ISA-L that make sums of products, and the C library's `memcpy`, which comes with it: it returns where its
 * target lies, so nothing here needs `Deno.UnsafePointer`, and the permission for the library's folder is enough.
 */

const functions = {
  ec_init_tables: { parameters: ["i32", "i32", "buffer", "buffer"], result: "void" },
  ec_encode_data: { parameters: ["i32", "i32", "i32", "buffer", "buffer", "buffer"], result: "void" },
  memcpy: { parameters: ["buffer", "buffer", "usize"], result: "usize" },
} as const;

/** The functions, by their names in `isa-l/erasure_code.h`. */
export type Libisal = Deno.DynamicLibrary<typeof functions>["symbols"];

/**
 * Loads the library where it is and Deno's permission for it is there already: it is never asked for. `undefined` where there is none.
 */
export function loadLibisal(): Libisal | undefined {
  // There is no Deno in browsers and under Node.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return undefined;
  for (const folder of [`/lib/${Deno.build.arch}-linux-gnu`, "/lib64"]) {
    const path = `${folder}/libisal.so.2`;
    if (Deno.permissions.querySync({ name: "ffi", path }).state !== "granted") continue;
    try {
      return Deno.dlopen(path, functions).symbols;
    } catch {
      // Not there, or another library of that name: the next.
    }
  }
  return undefined;
}
