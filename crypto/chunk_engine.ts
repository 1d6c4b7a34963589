import { CHUNK_ANSWERS } from "./_chunk_answers.ts";
import type { ChunkEngine } from "./engine.ts";
import { loadLibcrypto } from "./native/_libcrypto.ts";
import { libcryptoChunks } from "./native/_libcrypto_chunks.ts";

/**
 * What a thread that works on chunks takes: of the engine that {@linkcode defaultEngine} would choose, what chunks need. Where that is
 * libcrypto, nothing else is loaded.
 *
 * @throws {RgtpError} CRYPTO_INIT when no engine gives the right answers
 */
export async function chunkEngine(): Promise<ChunkEngine> {
  const library = loadLibcrypto();
  if (library) {
    try {
      const engine = libcryptoChunks(library);
      if (CHUNK_ANSWERS.every((isRight) => isRight(engine))) return engine;
    } catch {
      // A library without one of them: another engine.
    }
  }
  const { defaultEngine } = await import("./default_engine.ts");
  return defaultEngine();
}
