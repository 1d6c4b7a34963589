import type { Address } from "../codec/address.ts";
import type { Ask } from "../codec/grant.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { normalPassphrase, stretchPassphrase } from "../crypto/passphrase.ts";
import { bindHostFor, resolveAddresses } from "./addresses.ts";
import { Drive } from "./drive.ts";
import { loadIdentitySeed } from "./exposure/identity_file.ts";
import { chosen, openLink } from "./link/open_link.ts";
import type { LinkChoice } from "./link/open_link.ts";
import { networkWords } from "./network_words.ts";
import { FinderMachine } from "./protocol/finder.ts";
import type { FinderOutput } from "./protocol/finder.ts";
import { passphraseProver } from "./protocol/passphrase_prover.ts";
import type { Silence } from "./protocol/pull_failures.ts";
import type { PullOptions } from "./pull.ts";

/** How a question is asked; see {@linkcode PullOptions}. */
export interface AskOptions
  extends
    LinkChoice,
    Pick<PullOptions, "timeoutMs" | "signal" | "stateDir" | "onStall" | "postQuantum" | "mayContact"> {
  /** Asks for what this passphrase opens. */
  readonly passphrase?: string;
}

const TIMEOUT_MS = 10_000;

/** How a question ended, and what was known of silence then. */
export type Ended = Exclude<FinderOutput, { kind: "send" | "stalled" }> & { readonly silence: Silence };

/** One question, to all addresses of one exposer. `onStall` is told once when no answer comes. */
export async function ask(
  engine: Engine,
  where: readonly Address[],
  wanted: Ask,
  exposerKey: Uint8Array | undefined,
  { timeoutMs = TIMEOUT_MS, stateDir, signal, onStall, passphrase, postQuantum, mayContact, ...choice }:
    AskOptions,
): Promise<Ended> {
  throwIfAborted(signal);
  const addresses = await resolveAddresses(where, {
    timeoutMs,
    link: choice.link,
    ...(signal && { signal }),
    ...(onStall && { onSlow: onStall }),
    ...(mayContact && { mayContact }),
  }).catch((error) => {
    throw signal?.aborted ? cancelled(signal) : error;
  });
  const link = await openLink({ host: bindHostFor(addresses), port: 0, ...chosen(choice) });
  // A passphrase says enough: who has come with it is nobody's business.
  const isNobody = stateDir === undefined || passphrase !== undefined;
  const machine = new FinderMachine(performance.now(), {
    engine,
    random: systemRandom,
    staticPrivate: isNobody
      ? systemRandom(32)
      : createIdentity(engine, loadIdentitySeed(stateDir, systemRandom).seed).staticPrivate,
    ...(exposerKey && { exposerKey }),
    ...(passphrase !== undefined &&
      { passphrase: passphraseProver(engine, systemRandom, stretcher(passphrase)) }),
    ...(postQuantum && { postQuantum }),
    ask: wanted,
    addresses,
    timeoutMs,
    network: () => networkWords(where, addresses, link.stats),
  });
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const drive = new Drive<FinderOutput>(link, machine, (output) => {
    if (output.kind === "stalled") return onStall?.(machine.silence.what);
    if (output.kind !== "send") return resolve({ ...output, silence: machine.silence });
    link.send({ peer: output.to, bytes: output.bytes, segmentSize: output.bytes.length }).catch(reject);
  });
  const stop = () => reject(cancelled(signal));
  signal?.addEventListener("abort", stop);
  try {
    throwIfAborted(signal);
    drive.run().catch(reject);
    return await promise;
  } finally {
    signal?.removeEventListener("abort", stop);
    drive.close();
    link.close();
  }
}

/** The slow hash, once for each exposer that answers. */
function stretcher(passphrase: string): (exposerKey: Uint8Array) => Uint8Array {
  normalPassphrase(passphrase);
  const made = new Map<string, Uint8Array>();
  return (exposerKey) => {
    const name = exposerKey.toHex();
    const stretched = made.get(name) ?? stretchPassphrase(passphrase, exposerKey);
    made.set(name, stretched);
    return stretched;
  };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled(signal);
}

function cancelled(signal: AbortSignal | undefined): RgtpError {
  return signal?.reason instanceof RgtpError
    ? signal.reason
    : new RgtpError("CANCELLED", "the search was cancelled: nothing was pulled", { cause: signal?.reason });
}
