import type { Engine } from "./engine.ts";
import { libcryptoEngine } from "./native/libcrypto_engine.ts";
import { selfTest } from "./known_answers.ts";

/** What works here does not change while a process runs. */
let loaded: Engine | undefined;

/**
 * The engine that `defaultEngine` gives, for who can wait: where that is libcrypto, the libraries of the others are not loaded, which take
 * as long as a small file takes to arrive.
 *
 * @throws {RgtpError} CRYPTO_INIT when no engine gives the right answers
 */
export async function loadEngine(): Promise<Engine> {
  return loaded ??= await chosenEngine();
}

async function chosenEngine(): Promise<Engine> {
  const engine = libcryptoEngine();
  if (engine && selfTest(engine)) return engine;
  const { defaultEngine } = await import("./default_engine.ts");
  return defaultEngine();
}
