/** Hosts on one switch: network namespaces of Linux on a bridge, for benchmarks and labs with many machines. Needs root. */
import { run } from "./_compare/contest.ts";

/** One of the hosts. */
export interface BridgeHost {
  /** Its IPv4 address. */
  readonly address: string;
  /** What goes before a command that is to run there. */
  readonly via: readonly string[];
  /** The name of its namespace. */
  readonly namespace: string;
}

/** Every host's interface is called so. */
export const INTERFACE = "eth0";
const MTU = 1500;

let made = 0;

/** A bridge and hosts on it, until it is disposed of. */
export class Bridge implements AsyncDisposable {
  /** The hosts. */
  readonly hosts: readonly BridgeHost[];
  readonly #stem = `rgtp-${Deno.pid}-${made++}`;

  private constructor(count: number) {
    this.hosts = Array.from({ length: count }, (_, i) => {
      const namespace = `${this.#stem}-${i}`;
      return { address: `10.77.0.${i + 1}`, namespace, via: ["ip", "netns", "exec", namespace] };
    });
  }

  /** Makes them. @throws {Error} where that is not allowed */
  static async make(count: number): Promise<Bridge> {
    const bridge = new Bridge(count);
    try {
      await bridge.#make();
      return bridge;
    } catch (error) {
      await bridge[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Bytes that a host has sent, as its interface counts them. */
  async sentBytes({ via }: BridgeHost): Promise<number> {
    return Number(await run(...words([...via, "cat", `/sys/class/net/${INTERFACE}/statistics/tx_bytes`])));
  }

  /** Limits what a host sends; `undefined`: no limit. */
  async shape({ namespace }: BridgeHost, mbits: number | undefined): Promise<void> {
    await run("tc", "-n", namespace, "qdisc", "del", "dev", INTERFACE, "root").catch(() => {});
    if (mbits === undefined) return;
    await run(
      ...words([
        "tc",
        "-n",
        namespace,
        "qdisc",
        "add",
        "dev",
        INTERFACE,
        "root",
        "tbf",
        "rate",
        `${mbits}mbit`,
      ]),
      ...["burst", "128kb", "latency", "50ms"],
    );
  }

  /** Limits what reaches a host, at the bridge's port to it. */
  async shapeTowards(host: BridgeHost, mbits: number | undefined): Promise<void> {
    const [namespace, port] = [`${this.#stem}-b`, `p${this.hosts.indexOf(host)}`];
    await run("tc", "-n", namespace, "qdisc", "del", "dev", port, "root").catch(() => {});
    if (mbits === undefined) return;
    await run(
      ...words(["tc", "-n", namespace, "qdisc", "add", "dev", port, "root", "tbf", "rate", `${mbits}mbit`]),
      ...["burst", "128kb", "latency", "50ms"],
    );
  }

  /** Takes a host's interface away. */
  async unplug({ namespace }: BridgeHost): Promise<void> {
    await run("ip", "-n", namespace, "link", "delete", INTERFACE);
  }

  /** Has a host lose so many per cent of the datagrams that reach it, each for itself. */
  async lose({ via }: BridgeHost, percent: number): Promise<void> {
    await run(...words([...via, "nft", "flush", "ruleset"]));
    if (percent === 0) return;
    const chain = `add table inet loss; add chain inet loss in { type filter hook input priority 0; }`;
    const rule = `add rule inet loss in meta l4proto udp numgen random mod 1000 < ${
      Math.round(10 * percent)
    } drop`;
    await run(...words([...via, "nft", `${chain}; ${rule}`]));
  }

  /** Has a host send each datagram by itself, so that what gets lost later is one datagram and not a train of them. */
  async sendSingly({ namespace }: BridgeHost): Promise<void> {
    await run("ip", "-n", namespace, "link", "set", INTERFACE, "gso_max_segs", "1");
  }

  /**
   * Has each datagram of more than 1,000 bytes that a host sends come from another address, without memory of any: `network` is one of 65,536
   * addresses. Answers find no way unless there is a route.
   */
  async inventSources(host: BridgeHost, network: string): Promise<void> {
    const [namespace, port] = [`${this.#stem}-b`, `p${this.hosts.indexOf(host)}`];
    await this.sendSingly(host);
    const first = network.split("/")[0].split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
    const chain =
      `add table netdev invented; add chain netdev invented in { type filter hook ingress device ${port} priority 0; }`;
    const rule =
      `add rule netdev invented in udp length > 1000 ip saddr set numgen random mod 65536 offset ${first}`;
    await run("ip", "netns", "exec", namespace, "nft", `${chain}; ${rule}`);
  }

  async #make(): Promise<void> {
    const bridge = `${this.#stem}-b`;
    await run("ip", "netns", "add", bridge);
    await run("ip", "-n", bridge, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
    await run("ip", "-n", bridge, "link", "set", "br0", "mtu", String(MTU), "up");
    for (const [i, { namespace, address }] of this.hosts.entries()) {
      const inside = ["ip", "-n", namespace] as const;
      await run("ip", "netns", "add", namespace);
      await run(
        ...inside,
        "link",
        "add",
        INTERFACE,
        "type",
        "veth",
        "peer",
        "name",
        `p${i}`,
        "netns",
        bridge,
      );
      await run("ip", "-n", bridge, "link", "set", `p${i}`, "mtu", String(MTU), "master", "br0", "up");
      await run(...inside, "address", "add", `${address}/24`, "dev", INTERFACE);
      await run(...inside, "link", "set", INTERFACE, "mtu", String(MTU), "up");
      await run(...inside, "link", "set", "lo", "up");
      // Some programs send multicast by the routes, whatever interface they are told.
      await run(...inside, "route", "add", "default", "dev", INTERFACE);
    }
  }

  /** Ends what runs on the hosts, and removes them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of [...this.hosts.map(({ namespace }) => namespace), `${this.#stem}-b`]) {
      const pids = await run("ip", "netns", "pids", namespace).catch(() => "");
      for (const pid of pids.split("\n").filter(Boolean)) {
        try {
          Deno.kill(Number(pid), "SIGKILL");
        } catch (error) {
          // It has just ended by itself.
          if (!(error instanceof Deno.errors.NotFound)) throw error;
        }
      }
      await run("ip", "netns", "delete", namespace).catch(() => {});
    }
  }
}

function words(all: readonly string[]): [string, ...string[]] {
  return all as [string, ...string[]];
}
