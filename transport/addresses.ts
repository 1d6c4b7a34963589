import { networkInterfaces } from "node:os";
import { canonicalHost, formatAddress, hostKind, isIpv6 } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { LocalAddress } from "./link/local_group.ts";
import type { LinkKind } from "./link/open_link.ts";

/** Whom this program may send to. */
export interface ContactChoice {
  /**
   * Asked about each IP address before anything is sent there, after names were looked up: false keeps it out. For programs that take
   * tickets from strangers, who may name any host of a network from inside: `isPublicAddress` is such a function. Absent: all. Where it is
   * given, memory is taken from an exposer on this machine only when `shared` says so.
   */
  readonly mayContact?: (address: Address) => boolean;
}

/** How long names may take, and what they may lead to. */
export interface ResolveOptions extends ContactChoice {
  /** Gives up after this long; absent: as long as the system tries. */
  readonly timeoutMs?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Told once when it takes long, and why. */
  readonly onSlow?: (reason: string) => void;
  /** The link that will be used: only addresses that it reaches are of use. Absent: one over UDP. */
  readonly link?: LinkKind | undefined;
}

/** A name server of the neighbourhood answers in a hundredth of this. */
const SLOW_MS = 3000;

/**
 * The addresses of a list with names looked up, in order, without doubles, at most 8.
 *
 * @throws {RgtpError} NOT_FOUND when none is left; INVALID_ARG when the link reaches none of them, or none may be contacted; TIMEOUT when
 * no name server answers
 * @throws the signal's reason
 */
export async function resolveAddresses(
  addresses: readonly Address[],
  options: ResolveOptions = {},
): Promise<Address[]> {
  const within = reachedBy(options.link, addresses);
  const names = within.filter(({ host }) => hostKind(host) === "name").map(({ host }) => host).join(", ");
  const found = await (names === "" ? lookUp(within) : awaitNames(names, lookUp(within), options));
  return permitted(found, within, options).slice(0, limits.ticketAddressesMax);
}

/** What names stand for here is not told: a stranger may read the message. */
function permitted(
  found: readonly Address[],
  asked: readonly Address[],
  { mayContact }: ContactChoice,
): Address[] {
  const may = mayContact ? found.filter((address) => mayContact(address)) : [...found];
  if (may.length > 0) return may;
  throw new RgtpError(
    "INVALID_ARG",
    `${
      asked.map(formatAddress).join(", ")
    }: nothing there may be contacted from here; only addresses that mayContact permits are ` +
      "(--public-only on a command line: those of the Internet)",
  );
}

function reachedBy(link: LinkKind | undefined, addresses: readonly Address[]): readonly Address[] {
  const isRaw = link === "ethernet";
  const within = addresses.filter(({ host }) => (hostKind(host) === "ethernet") === isRaw);
  if (within.length > 0) return within;
  throw new RgtpError(
    "INVALID_ARG",
    isRaw
      ? "no address here is one of Ethernet (eth:…): leave out the link kind ethernet"
      : "all addresses here are of Ethernet: the link kind ethernet reaches them (--link ethernet --interface IF on a command line)",
  );
}

/** What a look-up brings, if it comes in time: the system's own cannot be stopped, and is left behind. See {@linkcode resolveAddresses}. */
export async function awaitNames<Found>(
  names: string,
  found: Promise<Found>,
  { timeoutMs, signal, onSlow }: ResolveOptions,
): Promise<Found> {
  const what = `no name server says what ${names} stands for`;
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal?.reason);
  const late = () => reject(new RgtpError("TIMEOUT", `${what}: check the network, or use an IP address`));
  const timers = [setTimeout(() => onSlow?.(`${what} yet`), SLOW_MS)];
  if (timeoutMs !== undefined) timers.push(setTimeout(late, timeoutMs));
  signal?.addEventListener("abort", stop);
  // Nobody may be waiting any more when it ends.
  found.catch(() => {});
  try {
    signal?.throwIfAborted();
    return await Promise.race([found, promise]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

async function lookUp(addresses: readonly Address[]): Promise<Address[]> {
  const found = new Map<string, Address>();
  const failures: unknown[] = [];
  for (const { host, port } of addresses) {
    try {
      const hosts = hostKind(host) === "name" ? await addressesOf(host) : [host];
      for (const one of hosts.map(canonicalHost)) found.set(`${one} ${port}`, { host: one, port });
    } catch (cause) {
      failures.push(cause);
    }
  }
  if (found.size === 0) {
    const names = addresses.map(({ host }) => host).join(", ");
    throw new RgtpError(
      "NOT_FOUND",
      `no address is known for ${names}: check the name, or use an IP address`,
      {
        cause: failures[0],
      },
    );
  }
  return [...found.values()];
}

async function addressesOf(name: string): Promise<string[]> {
  // Not loaded by who has addresses already.
  const { lookup } = await import("node:dns/promises");
  return (await lookup(name, { all: true })).map(({ address }) => address);
}

/** Where to bind so that all `addresses` can be reached: IPv4 alone when that is enough. */
export function bindHostFor(addresses: readonly Address[]): string {
  return addresses.some(({ host }) => isIpv6(host)) ? "::" : "0.0.0.0";
}

/**
 * Hosts under which others can reach what is bound to `host`: the host itself, or, for a wildcard, this machine's addresses, IPv4 first.
 * Loopback stands alone where there is nothing else, and where the permission to list interfaces is missing.
 */
export function reachableHosts(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return [canonicalHost(host)];
  const hosts = interfaceHosts().filter((one) => host === "::" || !isIpv6(one));
  const far = hosts.filter((one) => !isLinkLocal(one));
  far.sort((a, b) => Number(isIpv6(a)) - Number(isIpv6(b)));
  return far.length > 0 ? far.slice(0, limits.ticketAddressesMax) : ["127.0.0.1"];
}

function interfaceHosts(): string[] {
  return [...new Set(interfaceAddresses().map(({ host }) => host))];
}

/**
 * The addresses under which neighbours reach what is bound to `host`, each with its interface; none where the permission to list interfaces
 * is missing. Those that mean something on one interface alone (fe80::) are left out: they mean nothing on another machine.
 */
export function neighbourlyAddresses(host: string): LocalAddress[] {
  return interfaceAddresses().filter((one) => {
    if (/^fe[89ab]/.test(one.host)) return false;
    return host === "::" || (host === "0.0.0.0" ? !isIpv6(one.host) : canonicalHost(host) === one.host);
  });
}

function interfaceAddresses(): LocalAddress[] {
  if (!maySee()) return [];
  return Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).filter(({ internal }) => !internal).map(({ address }) => ({
      host: canonicalHost(address),
      device,
    }))
  );
}

function isLinkLocal(host: string): boolean {
  return host.startsWith("169.254.") || /^fe[89ab]/.test(host);
}

/** Asks Deno without making it prompt; other runtimes have no such permission. */
function maySee(): boolean {
  const deno: typeof Deno | undefined = globalThis.Deno;
  return deno?.permissions === undefined ||
    deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" }).state === "granted";
}
