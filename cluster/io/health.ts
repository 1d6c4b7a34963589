import { parseAddress } from "../../codec/address.ts";
import type { Check, ServiceRecord } from "../protocol/services.ts";

/** How long a service has for an answer. */
const ANSWER_MS = 2000;

/**
 * Looks at a service: `http` and `https` are asked for their health, and are well when they answer 200 to 299; others, and those that have
 * no path to ask, are well when they take a connection. Never throws.
 */
export async function checkService(
  { protocol, address, health_check }: Pick<ServiceRecord, "protocol" | "address" | "health_check">,
): Promise<Check> {
  const started = performance.now();
  const ok =
    await (health_check === undefined || protocol === "tcp"
      ? connects(address)
      : answersWell(`${protocol}://${address}${health_check}`));
  return { ok, ms: performance.now() - started };
}

async function answersWell(url: string): Promise<boolean> {
  try {
    // Where it leads elsewhere, elsewhere is not this instance.
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function connects(address: string): Promise<boolean> {
  const place = parseAddress(address);
  if (!place) return false;
  const connecting = Deno.connect({ hostname: place.host, port: place.port });
  const closing = connecting.then((connection) => connection.close(), () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ANSWER_MS);
  const isThere = await Promise.race([connecting.then(() => true, () => false), promise.then(() => false)]);
  clearTimeout(timer);
  if (isThere) await closing;
  return isThere;
}
