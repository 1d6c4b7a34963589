/**
 * A group of the local network, which no router passes on: what is said to it comes to whoever listens, on every network that this
 * machine is part of.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { isIpv6 } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { bindError } from "./_bind.ts";
import { askPermission } from "./_lookup.ts";

/** "RG" as a number: nobody has registered that port. */
const PORT = 0x5247;

/**
 * The group, in each kind of address: for use within an organisation (RFC 2365 §6.1), of this link alone and assigned by nobody (RFC 4291
 * §2.7), and administered locally (IEEE 802, the lowest two bits of the first byte).
 */
export const localGroup: Readonly<Record<"ipv4" | "ipv6" | "ethernet", Address>> = Object.freeze({
  ipv4: { host: "239.255.82.71", port: PORT },
  ipv6: { host: "ff12::5247:5450", port: PORT },
  ethernet: { host: "eth:03:00:52:47:54:50", port: PORT },
});

/** An address of this machine, and the interface that has it. */
export interface LocalAddress {
  /** An IP address, canonical. */
  readonly host: string;
  /** The interface's name. */
  readonly device: string;
}

/** Says something to the group from one address. */
export class GroupVoice implements Disposable {
  readonly #socket: Socket;
  readonly #group: Address;

  private constructor(socket: Socket, group: Address) {
    this.#socket = socket;
    this.#group = group;
  }

  /** Binds one. @throws {RgtpError} as links do */
  static async open({ host, device }: LocalAddress): Promise<GroupVoice> {
    const socket = await bound({ host, port: 0 });
    try {
      // An interface is named by its address, and where that does not say which, by itself.
      socket.setMulticastInterface(isIpv6(host) ? `::%${device}` : host);
      socket.setMulticastTTL(1);
    } catch (error) {
      socket.close();
      throw bindError(error, { host, port: 0 });
    }
    return new GroupVoice(socket, isIpv6(host) ? localGroup.ipv6 : localGroup.ipv4);
  }

  /** Sends a packet. @throws {Error} when the system does not take it */
  send(packet: Uint8Array): Promise<void> {
    const { host, port } = this.#group;
    return new Promise((resolve, reject) => {
      this.#socket.send(packet, port, host, (error) => error ? reject(error) : resolve());
    });
  }

  /** See {@linkcode Disposable}. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/**
 * Hears what is said to the group on the networks of these addresses, until it is disposed of. Nothing is sent but what joins the group. A
 * network that cannot have groups is left out.
 *
 * @throws {RgtpError} as links do, when it can listen on none
 */
export async function listenToGroup(
  addresses: readonly LocalAddress[],
  onPacket: (packet: Uint8Array) => void,
): Promise<Disposable> {
  const sockets: Socket[] = [];
  let failure: unknown;
  for (const family of ["ipv4", "ipv6"] as const) {
    const own = addresses.filter(({ host }) => isIpv6(host) === (family === "ipv6"));
    if (own.length === 0) continue;
    try {
      sockets.push(await listen(family, own, onPacket));
    } catch (error) {
      failure = error;
    }
  }
  if (sockets.length === 0 && failure !== undefined) throw failure;
  return {
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

async function listen(
  family: "ipv4" | "ipv6",
  own: readonly LocalAddress[],
  onPacket: (packet: Uint8Array) => void,
): Promise<Socket> {
  const group = localGroup[family];
  // Linux lets a socket hear its group alone; an IPv6 one can be bound to no group of an interface here.
  const host = family === "ipv6" ? "::" : Deno.build.os === "linux" ? group.host : "0.0.0.0";
  const socket = await bound({ host, port: group.port }, true);
  try {
    // Once for each interface, which an IPv4 address of it names.
    const places = new Map(
      own.map(({ host, device }) => [device, family === "ipv4" ? host : `::%${device}`]),
    );
    const failures = [...places.values()].flatMap((place) => {
      try {
        socket.addMembership(group.host, place);
        return [];
      } catch (error) {
        return [error];
      }
    });
    if (failures.length === places.size) {
      throw bindError(failures[0], { host: own[0].host, port: group.port });
    }
    // What arrives is a view of memory that is used again.
    socket.on("message", (packet: Uint8Array) => onPacket(packet.slice()));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A socket that is bound; several of a group may have the same port. */
async function bound(address: Address, isShared = false): Promise<Socket> {
  // Without the permission Deno's `bind` ends the program, by an exception that nobody can catch.
  await askPermission(address);
  const isV6 = address.host.includes(":");
  const socket = createSocket({
    type: isV6 ? "udp6" : "udp4",
    reuseAddr: isShared,
    ...(isV6 && { ipv6Only: true }),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(address.port, address.host, () => {
        socket.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw bindError(error, address);
  }
  // Whoever sends is told by the send itself, and what cannot be received is not missed.
  socket.on("error", () => {});
  return socket;
}
