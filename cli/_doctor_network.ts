/*
 * What `rgtp doctor` looks at of this machine's own network: sockets, what arrives at its own addresses, groups, firewalls. Nothing is sent
 * to anybody else, but for one packet to a group on each interface, which no router passes on.
 */
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { canonicalHost } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { libcState } from "../transport/link/libc_probe.ts";
import type { LibcState } from "../transport/link/libc_probe.ts";
import type { Link } from "../transport/link/link.ts";
import { openLink } from "../transport/link/open_link.ts";
import type { Check } from "./_check.ts";
import { messageOf, notSeen, OK, WARN } from "./_check.ts";
import { isGranted } from "./_permissions.ts";

/** The kind of link that a transfer takes here, and what it holds; `undefined` when none can be opened. */
export async function linkHere(): Promise<Pick<Link, "kind" | "burstPacketsMax"> | undefined> {
  if (!isGranted({ name: "net" })) return undefined;
  try {
    using link = await openLink({ host: "127.0.0.1", port: 0 });
    return { kind: link.kind, burstPacketsMax: link.burstPacketsMax };
  } catch {
    // What is wrong shows in the checks of loopback.
    return undefined;
  }
}

/** Whether it is the fastest kind of socket that this system has. */
export function linkCheck(kind: string | undefined, os: string = Deno.build.os): Check {
  const name = "sockets";
  if (kind === undefined) return notSeen(name, "--allow-net");
  if (kind === "node_dgram") {
    return {
      ...WARN,
      name,
      what: "Deno.listenDatagram is not there, so the slower node:dgram is used",
      todo: 'run deno with --unstable-net, or put "unstable": ["net"] into its deno.json',
    };
  }
  if (kind === "linux_udp" || os !== "linux") {
    return { ...OK, name, what: `${kind}, the fastest here, is used` };
  }
  return {
    ...WARN,
    name,
    what: `${kind} is used; linux_udp, which is faster and loses less, would be possible here`,
    todo: "run it with --allow-ffi=/lib (/lib64 where the C library is in there)",
  };
}

/** Whether foreign functions can be used, and what that is worth. */
export function systemCallsCheck(state: LibcState = libcState()): Check {
  const name = "system calls";
  const lost =
    "packets go out one by one, at a fraction of the speed, and closed ports look like silent ones";
  const found: Readonly<Record<LibcState, Check>> = {
    "usable": { ...OK, name, what: "Deno permits foreign functions, and the C library is there" },
    "not permitted": {
      ...WARN,
      name,
      what: `Deno does not permit foreign functions: ${lost}`,
      todo: "run it with --allow-ffi=/lib,/lib64; what it calls there may do all that its user may",
    },
    "not found": {
      ...WARN,
      name,
      what: `Deno permits foreign functions, but the C library is at none of its usual places: ${lost}`,
      todo: "run it with a bare --allow-ffi, and see that libc.so.6 is installed",
    },
    "not Linux": { ...OK, name, what: `not used on ${Deno.build.os}: they are for Linux alone` },
  };
  return found[state];
}

const LOOPBACK_MS = 1000;

/** Whether a packet to this machine's loopback address arrives. */
export async function loopbackCheck(name: string, host: string): Promise<Check> {
  if (!isGranted({ name: "net" })) return notSeen(name, "--allow-net");
  const fault = await faultToSelf(host);
  return fault === undefined
    ? { ...OK, name, what: `a packet to ${host} arrives` }
    : noUdp(name, host, fault);
}

/** What keeps a packet from an address of this machine from arriving there; `undefined` when it does. */
async function faultToSelf(host: string): Promise<string | undefined> {
  try {
    using link = await openLink({ host, port: 0 });
    await link.send({ peer: link.local, bytes: Uint8Array.of(1), segmentSize: 1 });
    if (await inTime(link.receive()) !== undefined) return undefined;
    const refused = link.stats.lastSendError;
    return `a packet to ${host} ${
      refused === undefined ? `does not arrive within ${LOOPBACK_MS} ms` : `is refused: ${refused}`
    }`;
  } catch (error) {
    return messageOf(error);
  }
}

async function inTime<Result>(promise: Promise<Result>): Promise<Result | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), LOOPBACK_MS);
  return await Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

/** Only IPv4 is everywhere; a machine without IPv6 is a whole one. */
function noUdp(name: string, host: string, what: string): Check {
  if (host.includes(":")) {
    return { ...WARN, name, what, todo: "nothing, as long as all others can be reached over IPv4" };
  }
  const todo = "look what keeps UDP from loopback here: a firewall, a container's rules, a sandbox";
  return { name, state: "fail", condition: "SOCKET", what, todo };
}

/** Whether this machine reaches its own addresses, and, to whom the system shows them, what the rules of its firewall say. */
export async function firewallCheck(hosts: readonly string[] | undefined): Promise<Check> {
  if (!isGranted({ name: "net" })) return notSeen("firewall", "--allow-net");
  const faults = await Promise.all((hosts ?? []).map(faultToSelf));
  return judgeFirewall(faults.filter((fault) => fault !== undefined), hosts, await rulesDrop());
}

/** Judges what was found: whether the rules drop what none of them accepts, `undefined` where they cannot be read. */
export function judgeFirewall(
  faults: readonly string[],
  hosts: readonly string[] | undefined,
  drops: boolean | undefined,
): Check {
  const name = "firewall";
  if (faults.length > 0) {
    return {
      ...WARN,
      name,
      what: `${faults.join("; ")}: others get no answer from there either`,
      todo: "let UDP in at the port that is exposed",
    };
  }
  const own = hosts && hosts.length > 0 ? "this machine reaches its own addresses" : "";
  if (drops) {
    return {
      ...WARN,
      name,
      what: "nftables drops what no rule lets in: whoever pulls from here may get no answer",
      todo: "see that a rule accepts UDP at the port that is exposed: nft list ruleset",
    };
  }
  const seen = drops === undefined ? "its rules cannot be read here" : "nftables drops nothing by its policy";
  return {
    ...OK,
    name,
    what: `${[own, seen].filter((text) => text !== "").join("; ")}. What is between here and others shows ` +
      "only from there: rgtp doctor HOST:PORT",
  };
}

/** `nft` shows its rules, and most of those of iptables, to root; nothing is run that is not permitted. */
async function rulesDrop(): Promise<boolean | undefined> {
  if (Deno.build.os !== "linux" || !isGranted({ name: "run", command: "nft" })) return undefined;
  try {
    const { success, stdout } = await new Deno.Command("nft", {
      args: ["list", "ruleset"],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? dropsByPolicy(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a ruleset, as `nft list ruleset` prints it, drops what comes in and no rule accepts. */
export function dropsByPolicy(ruleset: string): boolean {
  return /hook input[^;]*;\s*policy drop;/.test(ruleset);
}

/** Of the block for use within an organisation (RFC 2365 §6.2), which no router of the Internet passes on. */
const GROUP = "239.255.82.71";

/** For each interface with an IPv4 address: whether it can be in a group, and hears what is sent to it. */
export async function multicastChecks(): Promise<Check[]> {
  if (!isGranted({ name: "net" })) return [notSeen("multicast", "--allow-net")];
  if (!isGranted({ name: "sys", kind: "networkInterfaces" })) {
    return [notSeen("multicast", "--allow-sys=networkInterfaces")];
  }
  const places = Object.entries(networkInterfaces()).flatMap(([device, addresses]) =>
    (addresses ?? []).filter(({ family }) => family === "IPv4").map(({ address }) => ({
      device,
      host: canonicalHost(address),
    }))
  );
  return await Promise.all(
    places.map(async ({ device, host }) => judgeMulticast(device, host, await faultInGroup(host))),
  );
}

/** Judges what was found at one interface. */
export function judgeMulticast(device: string, host: string, fault: string | undefined): Check {
  const name = `multicast on ${device}`;
  if (fault === undefined) return { ...OK, name, what: `${host} can be in a group, and hears itself there` };
  return {
    ...WARN,
    name,
    what: `${host} cannot: ${fault}; what is sent to groups does not arrive there`,
    todo:
      `nothing, as long as others are pulled from by their addresses; else see 'ip link show ${device}' for MULTICAST`,
  };
}

async function faultInGroup(host: string): Promise<string | undefined> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const heard = Promise.withResolvers<true>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  socket.on("error", failed.reject);
  socket.on("message", () => heard.resolve(true));
  try {
    await Promise.race([new Promise<void>((done) => socket.bind(0, "0.0.0.0", done)), failed.promise]);
    socket.addMembership(GROUP, host);
    socket.setMulticastInterface(host);
    socket.setMulticastLoopback(true);
    socket.send(Uint8Array.of(1), socket.address().port, GROUP, (error) => error && failed.reject(error));
    const arrived = await inTime(Promise.race([heard.promise, failed.promise]));
    return arrived ? undefined : `it does not hear itself within ${LOOPBACK_MS} ms`;
  } catch (error) {
    return messageOf(error);
  } finally {
    socket.close();
  }
}

/** Whether a port can be bound as 'rgtp expose' binds it. */
export async function portCheck(port: number): Promise<Check> {
  const name = `port ${port}`;
  if (!isGranted({ name: "net" })) return notSeen(name, "--allow-net");
  let failure: unknown;
  for (const host of ["::", "0.0.0.0"]) {
    try {
      using _link = await openLink({ host, port });
      return { ...OK, name, what: "free; that a firewall lets others in cannot be seen from here" };
    } catch (error) {
      failure = error;
      if (error instanceof RgtpError && error.condition === "ADDRESS_IN_USE") {
        return {
          ...WARN,
          name,
          what: "taken by another program, perhaps an exposer",
          todo: "end that one, or name another with --port; without --port the next free one is taken",
        };
      }
    }
  }
  return { ...WARN, name, what: messageOf(failure), todo: "name another with --port" };
}

/** Addresses that others may reach; `undefined` when Deno does not show them. */
export function addressCheck(hosts: readonly string[] | undefined): Check {
  const name = "addresses";
  if (!hosts) return notSeen(name, "--allow-sys=networkInterfaces");
  const far = hosts.filter((host) => host !== "127.0.0.1");
  if (far.length === 0) {
    return {
      ...WARN,
      name,
      what: "loopback alone: nobody else can reach this machine",
      todo: "connect it to a network",
    };
  }
  if (!far.every(isPrivate)) return { ...OK, name, what: far.join(", ") };
  return {
    ...OK,
    name,
    what: `${
      far.join(", ")
    }: for others in the same network; from elsewhere a router has to forward UDP here`,
  };
}

/** RFC 1918, RFC 6598 (between a provider and its customers), RFC 4193. */
function isPrivate(host: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/.test(
    host,
  );
}
