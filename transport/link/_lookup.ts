import { canonicalHost, formatAddress, isIpAddress } from "../../codec/address.ts";
import { bindError } from "./_bind.ts";
import type { LinkOptions } from "./link.ts";

/**
 * The options with an IP address for a host that is a name: the family of a socket must be known before it is made.
 *
 * @throws {RgtpError} INVALID_ARG when there is no address for that name
 */
export async function resolved(options: LinkOptions): Promise<LinkOptions> {
  if (isIpAddress(options.host)) return options;
  try {
    const { lookup } = await import("node:dns/promises");
    return { ...options, host: canonicalHost((await lookup(options.host)).address) };
  } catch (error) {
    throw bindError(error, options);
  }
}

/** What is used here of `Deno.permissions`; absent under Node. */
interface Permissions {
  request(descriptor: { readonly name: "net"; readonly host: string }): Promise<{ readonly state: string }>;
}

/**
 * Asks Deno for the permission to bind, where the way to the socket does not ask, or ends the program when it is refused.
 *
 * @throws {RgtpError} SOCKET when it is refused
 */
export async function askPermission(options: LinkOptions): Promise<void> {
  const deno: unknown = Reflect.get(globalThis, "Deno");
  const permissions = (deno as { readonly permissions?: Permissions } | undefined)?.permissions;
  if (permissions === undefined) return;
  const { state } = await permissions.request({ name: "net", host: formatAddress(options) });
  if (state === "granted") return;
  const refusal = new Error(`net access to ${formatAddress(options)} is ${state}`);
  refusal.name = "NotCapable";
  throw bindError(refusal, options);
}
