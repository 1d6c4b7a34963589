import { RgtpError } from "../core/mod.ts";
import type { Engine } from "./engine.ts";
import { libcryptoEngine } from "./native/libcrypto_engine.ts";
import { nativeEngine } from "./native_engine.ts";
import { portableEngine } from "./portable_engine.ts";
import { selfTest } from "./known_answers.ts";

export { selfTest } from "./known_answers.ts";

/** What works here does not change while a process runs. */
let chosen: Engine | undefined;

/**
 * The fastest engine that works here: that over libcrypto, where Deno permits it already; else the native one,
 * or else the portable one. Each must give known answers first, which takes a few milliseconds, the first time.
 *
 * @throws {RgtpError} CRYPTO_INIT when none gives the right answers
 */
export function defaultEngine(): Engine {
  return chosen ??= chooseEngine([libcryptoEngine() ?? [], nativeEngine, portableEngine].flat());
}

/**
 * The first of `candidates` that gives the known answers of {@linkcode selfTest}.
 *
 * @throws {RgtpError} CRYPTO_INIT when none does; `data.tried` names them
 */
export function chooseEngine(candidates: readonly Engine[]): Engine {
  for (const engine of candidates) if (selfTest(engine)) return engine;
  const tried = candidates.map((engine) => engine.name);
  throw new RgtpError(
    "CRYPTO_INIT",
    `no cryptographic engine works here (tried: ${tried.join(", ") || "none"}); update or repair the runtime`,
    { data: { tried } },
  );
}
