/**
 * What `rgtp doctor` looks at. Looking and judging are apart, so that a judgement can be tried on machines that are not here.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { RgtpError } from "../core/errors.ts";
import type { ErrorName } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Engine } from "../crypto/engine.ts";
import { reachableHosts } from "../transport/addresses.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { Link } from "../transport/link/link.ts";
import { openLink } from "../transport/link/open_link.ts";
import { isGranted } from "./_permissions.ts";
import { formatBytes, formatRate, formatTime } from "./_text.ts";

/** What one look at the machine showed. */
export interface Check {
  /** What was looked at. */
  readonly name: string;
  /** `warn`: it costs speed or reach, or could not be seen. `fail`: transfers do not work. */
  readonly state: "ok" | "warn" | "fail";
  /** What was found. */
  readonly what: string;
  /** What to do about it. */
  readonly todo?: string;
  /** Of a failure: what a transfer would end with. */
  readonly condition?: ErrorName;
}

const PORT = 9000;

/** All checks, in the order in which they are shown; `port` and `stateGiven` are what stands on the command line. */
export async function allChecks(port: number | undefined, stateGiven: string | undefined): Promise<Check[]> {
  const stateDir = stateDirOrError(stateGiven);
  const link = await linkHere();
  return [
    denoCheck(),
    linkCheck(link?.kind),
    ...permissionChecks(),
    await loopbackCheck("UDP over IPv4", "127.0.0.1"),
    await loopbackCheck("UDP over IPv6", "::1"),
    await portCheck(port ?? PORT),
    addressCheck(isGranted({ name: "sys", kind: "networkInterfaces" }) ? reachableHosts("::") : undefined),
    link?.kind === "linux_udp"
      ? burstCheck(link.burstPacketsMax)
      : bufferCheck(systemText("/proc/sys/net/core/rmem_default")),
    mtuCheck(pathMtu()),
    ...(typeof stateDir === "string" ? stateChecks(stateDir) : [stateDir]),
    ...spaceChecks(typeof stateDir === "string" ? stateDir : undefined),
    engineCheck(),
    clockCheck(Date.now(), typeof stateDir === "string" ? newestChange(stateDir) : undefined),
  ];
}

const OK = { state: "ok" } as const;
const WARN = { state: "warn" } as const;

function denoCheck(): Check {
  const { os, arch } = Deno.build;
  return { ...OK, name: "Deno", what: `${Deno.version.deno} on ${os}, ${arch}` };
}

/** The kind of link that a transfer takes here, and what it holds; `undefined` when none can be opened. */
async function linkHere(): Promise<Pick<Link, "kind" | "burstPacketsMax"> | undefined> {
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

function permissionChecks(): Check[] {
  const network: Check = isGranted({ name: "net" })
    ? { ...OK, name: "network", what: "Deno permits all of it" }
    : {
      name: "network",
      state: "fail",
      condition: "SOCKET",
      what: "Deno does not permit all of it, as exposing takes (pulling can do with the exposer's address)",
      todo: "run it with --allow-net",
    };
  const kinds = (["networkInterfaces", "statfs"] as const).filter((kind) =>
    !isGranted({ name: "sys", kind })
  );
  const system: Check = kinds.length === 0
    ? { ...OK, name: "system", what: "Deno shows addresses and free space" }
    : {
      ...WARN,
      name: "system",
      what: `Deno does not show ${
        kinds.map((kind) => kind === "statfs" ? "free space" : "addresses").join(" and ")
      }: tickets would name loopback, or a full disk show late`,
      todo: `run it with --allow-sys=${kinds.join(",")}`,
    };
  return [network, system];
}

const LOOPBACK_MS = 1000;

/** Sends a packet to itself. */
async function loopbackCheck(name: string, host: string): Promise<Check> {
  if (!isGranted({ name: "net" })) return notSeen(name, "--allow-net");
  try {
    using link = await openLink({ host, port: 0 });
    await link.send({ peer: link.local, bytes: Uint8Array.of(1), segmentSize: 1 });
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), LOOPBACK_MS);
    const arrived = await Promise.race([link.receive(), late.promise]).finally(() => clearTimeout(timer));
    if (arrived && arrived.length > 0) return { ...OK, name, what: `a packet to ${host} arrives` };
    return noUdp(name, host, `a packet to ${host} does not arrive within ${LOOPBACK_MS} ms`);
  } catch (error) {
    return noUdp(name, host, messageOf(error));
  }
}

/** Only IPv4 is everywhere; a machine without IPv6 is a whole one. */
function noUdp(name: string, host: string, what: string): Check {
  if (host.includes(":")) {
    return { ...WARN, name, what, todo: "nothing, as long as all others can be reached over IPv4" };
  }
  const todo = "look what keeps UDP from loopback here: a firewall, a container's rules, a sandbox";
  return { name, state: "fail", condition: "SOCKET", what, todo };
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

/** Less than half of what a link asks for. */
const BURST_PACKETS_LOW = 1500;

/** Judges what the receive buffer of a link that asks for more than the default holds. */
export function burstCheck(packets: number): Check {
  const [name, what] = ["receive buffer", `${packets} packets at once for each socket`];
  if (packets >= BURST_PACKETS_LOW) return { ...OK, name, what };
  const todo =
    "sysctl -w net.core.rmem_max=4194304, as root: more may be under way, and less is lost when this machine is busy";
  return { ...WARN, name, what, todo };
}

/** What Linux gives a socket when it is not changed. */
const USUAL_BUFFER_BYTES = 212_992;

/** Judges `net.core.rmem_default`: Deno's own sockets take the system's default, and it offers no way to ask for more. */
export function bufferCheck(text: string | undefined): Check {
  const name = "receive buffer";
  if (Deno.build.os !== "linux") {
    return { ...WARN, name, what: `not known: this is looked up on Linux alone, not on ${Deno.build.os}` };
  }
  const bytes = Number(text?.trim() || NaN);
  if (!Number.isSafeInteger(bytes)) {
    return {
      ...WARN,
      name,
      what: "not known: Deno refuses /proc to whoever has less than all permissions",
      todo: `see for yourself: sysctl net.core.rmem_default; less than ${USUAL_BUFFER_BYTES} loses bursts`,
    };
  }
  if (bytes >= USUAL_BUFFER_BYTES) return { ...OK, name, what: `${bytes} bytes for each socket` };
  return {
    ...WARN,
    name,
    what: `${bytes} bytes for each socket: bursts overflow it`,
    todo: `sysctl -w net.core.rmem_default=${USUAL_BUFFER_BYTES}, as root`,
  };
}

/** Our usual packets are 1452 bytes of UDP payload: exactly this much with the headers of IPv6. */
const PACKET_BYTES = 1500;

/** Judges the MTU of the way out; `undefined` when it cannot be seen. */
export function mtuCheck(found: { readonly device: string; readonly mtu: number } | undefined): Check {
  const name = "MTU";
  if (!found) {
    return {
      ...WARN,
      name,
      what:
        "not known: only Linux tells it to programs, and Deno refuses /proc and /sys to whoever has less " +
        "than all permissions",
      todo: `see for yourself: ip link; packets here are up to ${PACKET_BYTES} bytes`,
    };
  }
  const { device, mtu } = found;
  if (mtu >= PACKET_BYTES) return { ...OK, name, what: `${mtu} bytes on ${device}, the way out` };
  return {
    ...WARN,
    name,
    what: `${mtu} bytes on ${device}, the way out: packets of ${PACKET_BYTES} bytes are cut in two, or lost`,
    todo: "a VPN or tunnel does this: go around it where that is possible",
  };
}

function pathMtu(): { device: string; mtu: number } | undefined {
  const device = defaultDevice(systemText("/proc/net/route") ?? "");
  const mtu = Number((device && systemText(`/sys/class/net/${device}/mtu`)) || NaN);
  return device !== undefined && mtu > 0 ? { device, mtu } : undefined;
}

/** The device of the default route with the smallest metric, from `/proc/net/route`. */
export function defaultDevice(routes: string): string | undefined {
  const rows = routes.split("\n").slice(1).map((row) => row.trim().split(/\s+/));
  const ways = rows.filter(([device, destination, , , , , , mask]) =>
    /^[\w.@-]+$/.test(device ?? "") && destination === "00000000" && mask === "00000000"
  );
  return ways.sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}

/** A file of the system, which Deno shows to few. It answers at once: it never asks the user about these. */
function systemText(path: string): string | undefined {
  if (!isGranted({ name: "read", path })) return undefined;
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function stateDirOrError(given: string | undefined): string | Check {
  try {
    return given ?? defaultStateDir();
  } catch (error) {
    // Its message says which variable, and what to do.
    return { name: "state folder", state: "fail", condition: "IO", what: messageOf(error) };
  }
}

function stateChecks(stateDir: string): Check[] {
  const name = "state folder";
  const fail = (what: string, todo: string): Check[] => [{
    name,
    state: "fail",
    condition: "IO",
    what,
    todo,
  }];
  if (!isGranted({ name: "read", path: stateDir }) || !isGranted({ name: "write", path: stateDir })) {
    const flags = `--allow-read=${stateDir} --allow-write=${stateDir}`;
    return fail(`Deno does not permit '${stateDir}', which exposing takes`, `run it with ${flags}`);
  }
  try {
    const { isDirectory } = Deno.statSync(stateDir);
    if (!isDirectory) return fail(`'${stateDir}' is no folder`, "move it away, or use --state-dir");
    // Modes and free space promise nothing on network file systems, and say nothing of a read-only one.
    const probe = Deno.makeTempFileSync({ dir: stateDir, prefix: "doctor-" });
    Deno.removeSync(probe);
    return [{ ...OK, name, what: `'${stateDir}' can be written to` }, ...identityChecks(stateDir)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return [{ ...OK, name, what: `'${stateDir}' is not there yet: 'rgtp expose' makes it` }];
    }
    return fail(
      `cannot use '${stateDir}': ${messageOf(error)}`,
      "change its permissions, or use --state-dir",
    );
  }
}

/** Its size and mode; what is in it is not read. */
function identityChecks(stateDir: string): Check[] {
  const [name, path] = ["identity", `${stateDir}/identity`];
  let found: Deno.FileInfo;
  try {
    found = Deno.statSync(path);
  } catch {
    return [{ ...OK, name, what: "none yet: 'rgtp expose' makes one" }];
  }
  const { size, mode } = found;
  if (size !== 32) {
    const what = `'${path}' is damaged: ${size} bytes where an identity has 32`;
    return [{ name, state: "fail", condition: "IO", what, todo: "rgtp id restore FILE --force" }];
  }
  if (Deno.build.os !== "windows" && ((mode ?? 0) & 0o077) !== 0) {
    return [{
      ...WARN,
      name,
      what: "others on this machine may read it, and be this node",
      todo: `chmod 600 ${path}`,
    }];
  }
  return [{ ...OK, name, what: "is there, for nobody else to read" }];
}

function spaceChecks(stateDir: string | undefined): Check[] {
  const here = isGranted({ name: "read", path: "." }) ? [["free space here", "."] as const] : [];
  const state = stateDir === undefined ? [] : [["free space of state", nearestFolder(stateDir)] as const];
  return [...state, ...here].map(([name, path]) =>
    path === undefined
      ? notSeen(name, "--allow-read of a folder above it that is there")
      : spaceCheck(name, freeBytes(path))
  );
}

const SPACE_LOW_BYTES = 1e9;

/** Judges free space; `undefined` when it cannot be seen. */
export function spaceCheck(name: string, free: number | undefined): Check {
  if (free === undefined) return notSeen(name, "--allow-sys=statfs");
  if (free >= SPACE_LOW_BYTES) return { ...OK, name, what: formatBytes(free) };
  return { ...WARN, name, what: `${formatBytes(free)} alone`, todo: "free some, or work on another disk" };
}

function nearestFolder(path: string): string | undefined {
  // A relative path leads past the current folder, which Deno shows by permission alone.
  if (!isAbsolute(path) && !isGranted({ name: "read", path: "." })) return undefined;
  for (let at = resolve(path);; at = dirname(at)) {
    if (!isGranted({ name: "read", path: at })) return undefined;
    try {
      if (Deno.statSync(at).isDirectory) return at;
    } catch {
      // Not there, or not to be seen: the disk is that of a folder above.
    }
    if (at === dirname(at)) return undefined;
  }
}

function freeBytes(path: string): number | undefined {
  if (!isGranted({ name: "sys", kind: "statfs" })) return undefined;
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function engineCheck(): Check {
  try {
    const engine = defaultEngine();
    return judgeEngine(engine.name, sealingRate(engine));
  } catch (error) {
    const condition = error instanceof RgtpError ? error.condition : "CRYPTO_INIT";
    return { name: "engine", state: "fail", condition, what: messageOf(error) };
  }
}

/** Judges a cryptographic engine by its name and by the bytes a second that it seals. */
export function judgeEngine(engine: string, rate: number): Check {
  const what = `${engine}, seals ${formatRate(rate)} on one core`;
  if (engine === "native") return { ...OK, name: "engine", what };
  return {
    ...WARN,
    name: "engine",
    what: `${what}: the native one, many times faster, does not work here`,
    todo: "update Deno",
  };
}

const CHUNK_BYTES = 65_536;
const MEASURE_MS = 100;

function sealingRate(engine: Engine): number {
  const aead = engine.aead("chacha20-poly1305");
  const [key, nonce, aad] = [new Uint8Array(32), new Uint8Array(12), new Uint8Array(0)];
  const plaintext = new Uint8Array(CHUNK_BYTES);
  const out = new Uint8Array(CHUNK_BYTES + 16);
  const seal = () => aead.sealInto(key, nonce, aad, plaintext, out);
  // What is compiled while it runs shall not count.
  seal();
  const started = performance.now();
  let bytes = 0;
  let ms = 0;
  for (; ms < MEASURE_MS; ms = performance.now() - started) {
    seal();
    bytes += CHUNK_BYTES;
  }
  return bytes / (ms / 1000);
}

/** Before that, this check did not exist. */
const WRITTEN_MS = Date.UTC(2025, 11, 1);
const CLOCK_SLACK_MS = 60_000;

/** Judges the wall clock, by which tickets expire; `newest` is when something in the state folder changed last. */
export function clockCheck(now: number, newest: number | undefined): Check {
  const name = "clock";
  const todo = "set the clock, or let the system do it (NTP): tickets expire by it";
  if (now < WRITTEN_MS) return { ...WARN, name, what: `${formatTime(now)} is in the past`, todo };
  if (newest !== undefined && newest > now + CLOCK_SLACK_MS) {
    const what = `${formatTime(now)}, but the state folder was changed at ${formatTime(newest)}`;
    return { ...WARN, name, what, todo };
  }
  return { ...OK, name, what: formatTime(now) };
}

function newestChange(stateDir: string): number | undefined {
  if (!isGranted({ name: "read", path: stateDir })) return undefined;
  const times = ["identity", "catalog.sqlite", "catalog.sqlite-wal"].flatMap((file) => {
    try {
      return Deno.statSync(`${stateDir}/${file}`).mtime?.getTime() ?? [];
    } catch {
      return [];
    }
  });
  return times.length === 0 ? undefined : Math.max(...times);
}

function notSeen(name: string, flag: string): Check {
  return { ...WARN, name, what: "not looked at: Deno does not permit it", todo: `run it with ${flag}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
