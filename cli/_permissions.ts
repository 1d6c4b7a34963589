import { basename, dirname, join } from "node:path";
import { formatAddress, isIpAddress, isIpv6 } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { bindHostFor } from "../transport/addresses.ts";
import { visible } from "./_text.ts";

/** A permission that a command cannot do without, and the flag that gives it. */
export interface Need {
  /** As Deno names it. */
  readonly descriptor: Deno.PermissionDescriptor;
  /** As it is written on the command line. */
  readonly flag: string;
}

/** To read a path. */
export function toRead(path: string): Need {
  return { descriptor: { name: "read", path }, flag: `--allow-read=${path}` };
}

/** To write a path. */
export function toWrite(path: string): Need {
  return { descriptor: { name: "write", path }, flag: `--allow-write=${path}` };
}

/** To send to, or bind, a host and port; all of them without one. */
export function toNet(host?: string): Need {
  return host === undefined
    ? { descriptor: { name: "net" }, flag: "--allow-net" }
    : { descriptor: { name: "net", host }, flag: `--allow-net=${host}` };
}

/**
 * A socket that can reach the ticket's addresses, and these themselves. Names become addresses that nobody has permitted, and beside
 * IPv6 ones the socket spells IPv4 ones differently: then it takes the whole network.
 */
export function netNeeds({ addresses }: Pick<Ticket, "addresses">): Need[] {
  const hosts = addresses.map(({ host }) => host);
  const isOneFamily = new Set(hosts.map(isIpv6)).size === 1;
  if (!hosts.every(isIpAddress) || !isOneFamily) return [toNet()];
  const socket = { host: bindHostFor(addresses), port: 0 };
  return [socket, ...addresses].map((address) => toNet(formatAddress(address)));
}

/**
 * Looks whether Deno grants all of this, before it is used: else Deno would stop and ask the user.
 *
 * @throws {RgtpError} IO, or SOCKET for the network, with the flags that are missing
 */
export function demand(needs: readonly Need[]): void {
  const missing = needs.filter(({ descriptor }) => !isGranted(descriptor));
  if (missing.length === 0) return;
  const flags = [...new Set(missing.map(({ flag }) => visible(flag)))].join(" ");
  const condition = missing.every(({ descriptor }) => descriptor.name === "net") ? "SOCKET" : "IO";
  throw new RgtpError(condition, `Deno does not permit what this needs: run it again with ${flags}`, {
    data: { flags },
  });
}

/** Whether Deno grants it without a question. */
export function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/**
 * Where a path leads to when links are followed; the last part need not exist. Deno asks for the permission of that place as well as
 * soon as an open file's state is looked at. Needs the permission to read `path`.
 */
export function linksFollowed(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Not there: then it will be made in its folder.
  }
  try {
    return join(Deno.realPathSync(dirname(path)), basename(path));
  } catch {
    // What is wrong with it shows, with a better message, when it is opened.
    return path;
  }
}
