/*
 * What `rgtp doctor` reads in `/proc` and `/sys`, which Deno shows to few: receive buffers, MTUs.
 */
import { networkInterfaces } from "node:os";
import { libcState, systemFileText } from "../transport/link/libc_probe.ts";
import type { Link } from "../transport/link/link.ts";
import type { Check } from "./_check.ts";
import { OK, WARN } from "./_check.ts";
import { isGranted } from "./_permissions.ts";

/** A file of the system; `undefined` where nobody may show it. It answers at once: it never asks the user. */
export function systemText(path: string): string | undefined {
  if (!isGranted({ name: "read", path })) return systemFileText(path);
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

const HIDDEN = "Deno shows /proc and /sys only with all permissions (-A), or with --allow-ffi=/lib,/lib64";

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
      what: `not known: ${HIDDEN}`,
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

/** What a socket should be able to ask for: a thirtieth of a second of a gigabit line. */
const LARGE_BUFFER_BYTES = 4_194_304;

/** Judges `net.core.rmem_max`: what a socket may ask for, which is of use where system calls can ask. */
export function bufferMaxCheck(text: string | undefined, canAsk: boolean): Check {
  const name = "largest buffer";
  const bytes = Number(text?.trim() || NaN);
  const command = `sysctl -w net.core.rmem_max=${LARGE_BUFFER_BYTES}, as root`;
  if (!Number.isSafeInteger(bytes)) {
    const todo = `see for yourself: sysctl net.core.rmem_max; for fast networks ${command}`;
    return { ...WARN, name, what: `not known: ${HIDDEN}`, todo };
  }
  if (bytes >= LARGE_BUFFER_BYTES) return { ...OK, name, what: `a socket may ask for ${bytes} bytes` };
  if (!canAsk) {
    return { ...OK, name, what: `a socket may ask for ${bytes} bytes; none asks without system calls` };
  }
  const what =
    `a socket may ask for ${bytes} bytes: fast networks overflow it, and what is lost is sent again`;
  return { ...WARN, name, what, todo: command };
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

/** What the sockets of a link hold, as it says, or as the system does. */
export function bufferChecks(link: Pick<Link, "kind" | "burstPacketsMax"> | undefined): Check[] {
  if (link?.kind === "linux_udp") return [burstCheck(link.burstPacketsMax)];
  const known = bufferCheck(systemText("/proc/sys/net/core/rmem_default"));
  if (Deno.build.os !== "linux") return [known];
  return [known, bufferMaxCheck(systemText("/proc/sys/net/core/rmem_max"), libcState() === "usable")];
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
      what: Deno.build.os === "linux" ? `not known: ${HIDDEN}` : "not known: only Linux tells it to programs",
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
  const mtu = device === undefined ? undefined : mtuOf(device);
  return device !== undefined && mtu !== undefined ? { device, mtu } : undefined;
}

/** The device of the default route with the smallest metric, from `/proc/net/route`. */
export function defaultDevice(routes: string): string | undefined {
  const rows = routes.split("\n").slice(1).map((row) => row.trim().split(/\s+/));
  const ways = rows.filter(([device, destination, , , , , , mask]) =>
    /^[\w.@-]+$/.test(device ?? "") && destination === "00000000" && mask === "00000000"
  );
  return ways.sort((a, b) => Number(a[6]) - Number(b[6]))[0]?.[0];
}

/** The way out, then every other interface. */
export function mtuChecks(): Check[] {
  const wayOut = pathMtu();
  const isSeen = isGranted({ name: "sys", kind: "networkInterfaces" });
  const devices = isSeen ? Object.keys(networkInterfaces()) : [];
  const others = devices.filter((device) => device !== wayOut?.device).flatMap((device) => {
    const mtu = mtuOf(device);
    return mtu === undefined ? [] : [interfaceMtu(device, mtu)];
  });
  return [mtuCheck(wayOut), ...others];
}

/** Judges the MTU of an interface that is not the way out. */
export function interfaceMtu(device: string, mtu: number): Check {
  const todo = `where the network allows it, as root: ip link set ${device} mtu ${PACKET_BYTES}`;
  return judgeMtu(`MTU of ${device}`, mtu, todo);
}

/** Judges the MTU of the way to an address, as far as the system knows it. */
export function wayMtu(address: string, mtu: number): Check {
  return judgeMtu(`MTU to ${address}`, mtu, "a VPN or tunnel does this: go around it where that is possible");
}

function judgeMtu(name: string, mtu: number, todo: string): Check {
  if (mtu >= PACKET_BYTES) return { ...OK, name, what: `${mtu} bytes` };
  const what = `${mtu} bytes: packets of ${PACKET_BYTES} bytes to there are cut in two, or lost`;
  return { ...WARN, name, what, todo };
}

function mtuOf(device: string): number | undefined {
  // A name of somebody's choice leads to no other file.
  if (!/^[\w.@-]+$/.test(device)) return undefined;
  const mtu = Number(systemText(`/sys/class/net/${device}/mtu`)?.trim() || NaN);
  return mtu > 0 ? mtu : undefined;
}
