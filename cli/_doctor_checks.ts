/**
 * What `rgtp doctor` looks at. Looking and judging are apart, so that a judgement can be tried on machines that are not here.
 *
 * @module
 */
import { statfsSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { aeadNames } from "../crypto/engine.ts";
import type { AeadName, Engine } from "../crypto/engine.ts";
import { loadLeafRow } from "../crypto/native/leaf_row.ts";
import { reachableHosts } from "../transport/addresses.ts";
import { defaultStateDir } from "../transport/exposure/identity_file.ts";
import type { Link } from "../transport/link/link.ts";
import type { Check } from "./_check.ts";
import { messageOf, notSeen, OK, WARN } from "./_check.ts";
import {
  addressCheck,
  firewallCheck,
  linkCheck,
  linkHere,
  loopbackCheck,
  multicastChecks,
  portCheck,
  systemCallsCheck,
} from "./_doctor_network.ts";
import { bufferChecks, mtuChecks } from "./_doctor_system.ts";
import { isGranted } from "./_permissions.ts";
import { formatBytes, formatRate, formatTime } from "./_text.ts";

const PORT = 9000;

/** What stands on the command line. */
export interface DoctorFlags {
  /** The port that is to be exposed on. */
  readonly port: number | undefined;
  /** The state folder. */
  readonly "state-dir": string | undefined;
}

/** What a look at this machine has to know. */
interface Place {
  readonly port: number;
  /** The state folder, or why there is none. */
  readonly state: string | Check;
  /** The kind of link that transfers take; `undefined` when none can be opened. */
  readonly link: Pick<Link, "kind" | "burstPacketsMax"> | undefined;
  /** This machine's addresses; `undefined` when Deno does not show them. */
  readonly hosts: readonly string[] | undefined;
}

type Look = (place: Place) => Check | readonly Check[] | Promise<Check | readonly Check[]>;

/** All looks at this machine, in the order in which they are shown. */
const looks: readonly Look[] = [
  denoCheck,
  ({ link }) => linkCheck(link?.kind),
  () => systemCallsCheck(),
  permissionChecks,
  () => loopbackCheck("UDP over IPv4", "127.0.0.1"),
  () => loopbackCheck("UDP over IPv6", "::1"),
  ({ port }) => portCheck(port),
  ({ hosts }) => addressCheck(hosts),
  ({ hosts }) => firewallCheck(hosts?.filter((host) => host !== "127.0.0.1")),
  multicastChecks,
  ({ link }) => bufferChecks(link),
  mtuChecks,
  ({ state }) => typeof state === "string" ? stateChecks(state) : state,
  ({ state }) => spaceChecks(typeof state === "string" ? state : undefined),
  engineCheck,
  ({ state }) => clockCheck(Date.now(), typeof state === "string" ? newestChange(state) : undefined),
];

/** Looks at everything. */
export async function allChecks(flags: DoctorFlags): Promise<Check[]> {
  const isSeen = isGranted({ name: "sys", kind: "networkInterfaces" });
  const place: Place = {
    port: flags.port ?? PORT,
    state: stateDirOrError(flags["state-dir"]),
    link: await linkHere(),
    hosts: isSeen ? reachableHosts("::") : undefined,
  };
  const checks: Check[] = [];
  for (const look of looks) checks.push(...[await look(place)].flat());
  return checks;
}

function denoCheck(): Check {
  const { os, arch } = Deno.build;
  return { ...OK, name: "Deno", what: `${Deno.version.deno} on ${os}, ${arch}` };
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
    const rates = aeadNames.map((name) => sealingRate(engine, name));
    return judgeEngine(engine.name, rates, loadLeafRow(engine.sha256)?.atOnce);
  } catch (error) {
    const condition = error instanceof RgtpError ? error.condition : "CRYPTO_INIT";
    return { name: "engine", state: "fail", condition, what: messageOf(error) };
  }
}

/** Judges a cryptographic engine by its name, by the bytes a second that each AEAD seals, and by how many chunks are hashed at once. */
export function judgeEngine(engine: string, rates: readonly number[], atOnce?: number): Check {
  const verifies = atOnce
    ? `verifies ${atOnce} chunks at once`
    : "verifies chunks one by one (no libIPSec_MB)";
  const seals = aeadNames.map((name, i) => `${formatRate(rates[i])} with ${name}`).join(" and ");
  const what = `${engine}, seals ${seals} on one core, ${verifies}`;
  if (engine === "libcrypto" || engine === "native") return { ...OK, name: "engine", what };
  return {
    ...WARN,
    name: "engine",
    what: `${what}: the native ones, many times faster, do not work here`,
    todo: "update Deno",
  };
}

const CHUNK_BYTES = 65_536;
const MEASURE_MS = 100;

function sealingRate(engine: Engine, name: AeadName): number {
  const aead = engine.aead(name);
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
