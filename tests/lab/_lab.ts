/*
 * Two machines and a cable, as two network namespaces and a veth pair: real packets and a real MTU, without leaving this computer.
 * Where that is not allowed, tests are skipped and say why.
 */

import {
  addNamespace,
  namespaceNames,
  reason,
  removeNamespace,
  run,
  type Side,
  sides,
} from "./_namespaces.ts";

/** Their addresses: private ones (RFC 1918, RFC 4193), which nobody else sees. */
export const addresses = {
  IPv4: { exposer: "10.77.0.1", puller: "10.77.0.2" },
  IPv6: { exposer: "fd77::1", puller: "fd77::2" },
} as const;

/** The same in both namespaces: names of interfaces are theirs alone. */
const CABLE = "cable";

/** Two namespaces with a cable between them, gone when it is disposed of. */
export class Lab implements AsyncDisposable {
  readonly #names: Readonly<Record<Side, string>>;

  private constructor(names: Readonly<Record<Side, string>>) {
    this.#names = names;
  }

  /** Makes them, with names that no other process uses, and brings the cable up. */
  static async make(): Promise<Lab> {
    const lab = new Lab(namespaceNames());
    try {
      await lab.#build();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What goes before a command that is to run at one side. */
  via(side: Side): string[] {
    return ["ip", "netns", "exec", this.#names[side]];
  }

  /** The name of one side's namespace. */
  namespace(side: Side): string {
    return this.#names[side];
  }

  /** Runs a command at one side, and waits for its end. @throws {Error} when it fails */
  async run(side: Side, ...words: string[]): Promise<void> {
    await run(...this.via(side), ...words);
  }

  /** From now on the cable carries trains of packets whole, as between two containers of one machine. */
  async carryTrains(): Promise<void> {
    for (const side of sides) await this.run(side, "ip", "link", "set", CABLE, "gso_max_segs", "65535");
  }

  /** Sets what one end of the cable carries: larger packets from there are cut, larger ones to there vanish. */
  async setMtu(side: Side, bytes: number): Promise<void> {
    await run(...this.via(side), "ip", "link", "set", CABLE, "mtu", `${bytes}`);
  }

  /** Pulls one end of the cable out, or puts it back. */
  async setCable(side: Side, state: "up" | "down"): Promise<void> {
    await run(...this.via(side), "ip", "link", "set", CABLE, state);
  }

  /** From now on so many of a hundred packets that arrive at either side are lost. */
  async lose(percent: number): Promise<void> {
    for (const side of sides) {
      const tc = (...args: string[]) => run(...this.via(side), "tc", ...args);
      await tc("qdisc", "add", "dev", CABLE, "clsact");
      // Of every protocol: ARP and neighbour discovery get lost on a bad cable too.
      await tc(
        "filter",
        "add",
        "dev",
        CABLE,
        "ingress",
        "bpf",
        "direct-action",
        "bytecode",
        lossProgram(percent),
      );
    }
  }

  /** From now on packets of UDP vanish at one side: as they come in, or as they are to go out. */
  async blockUdp(side: Side, hook: "input" | "output"): Promise<void> {
    const chain = `type filter hook ${hook} priority 0; meta l4proto udp drop;`;
    await run(...this.via(side), "nft", `table inet blocked { chain ${hook} { ${chain} } ; }`);
  }

  /** From now on all that the cable carries vanishes, both ways; nobody is told. */
  async part(): Promise<void> {
    const chain = `type filter hook input priority 0; iifname "${CABLE}" drop;`;
    for (const side of sides) await this.run(side, "nft", `table inet parted { chain input { ${chain} } ; }`);
  }

  /** Ends {@linkcode part}. */
  async heal(): Promise<void> {
    for (const side of sides) await this.run(side, "nft", "delete table inet parted");
  }

  /** How many packets {@linkcode lose} has lost at one side. */
  async lost(side: Side): Promise<number> {
    const json = await run(...this.via(side), "tc", "-statistics", "-json", "qdisc", "show", "dev", CABLE);
    const queues = JSON.parse(json) as { kind: string; drops: number }[];
    return queues.find(({ kind }) => kind === "clsact")?.drops ?? 0;
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    // With the namespaces goes the cable. Both are tried, whatever comes of the first.
    await Promise.allSettled(sides.map((side) => removeNamespace(this.#names[side])));
  }

  async #build(): Promise<void> {
    for (const side of sides) await addNamespace(this.#names[side]);
    const { exposer, puller } = this.#names;
    const end = ["name", CABLE, "netns"];
    await run("ip", "link", "add", ...end, exposer, "type", "veth", "peer", ...end, puller);
    for (const side of sides) {
      const at = (...args: string[]) => run(...this.via(side), "ip", ...args);
      await at("address", "add", `${addresses.IPv4[side]}/24`, "dev", CABLE);
      // Without duplicate address detection an address can be used at once.
      await at("address", "add", `${addresses.IPv6[side]}/64`, "dev", CABLE, "nodad");
      await at("link", "set", "lo", "up");
      // Real cables carry packets, not trains of them, and each packet has a fate of its own.
      await at("link", "set", CABLE, "gso_max_segs", "1");
      await at("link", "set", CABLE, "up");
    }
  }
}

/** Why there can be no {@linkcode Lab} here; empty when there can. */
export async function whyNoLab(): Promise<string> {
  try {
    await using _lab = await Lab.make();
    return "";
  } catch (error) {
    return reason(error);
  }
}

/** Why a {@linkcode Lab} cannot lose packets here; empty when it can. */
export async function whyNoLoss(): Promise<string> {
  try {
    await using lab = await Lab.make();
    await lab.lose(1);
    return "";
  } catch (error) {
    return reason(error);
  }
}

/** Why a {@linkcode Lab} cannot block UDP here; empty when it can. */
export async function whyNoBlock(): Promise<string> {
  try {
    await using lab = await Lab.make();
    await lab.blockUdp("puller", "input");
    return "";
  } catch (error) {
    return reason(error);
  }
}

/**
 * A packet filter that drops by chance, as `tc` takes it: the number of instructions, then each one's code, two jumps and constant.
 * It needs nothing but `tc` itself, where nftables may not be installed, and netem not be built into the kernel.
 */
function lossProgram(percent: number): string {
  // Linux, include/uapi/linux/filter.h (SKF_AD_OFF + SKF_AD_RANDOM) and pkt_cls.h (TC_ACT_SHOT, TC_ACT_UNSPEC).
  const [random, drop, pass] = [2 ** 32 - 0x1000 + 56, 2, 2 ** 32 - 1];
  const instructions = [
    [0x20, 0, 0, random], // load a random number of 32 bits
    [0x35, 1, 0, Math.floor(percent / 100 * 2 ** 32)], // when it is at least this, skip one
    [0x06, 0, 0, drop],
    [0x06, 0, 0, pass],
  ];
  return [instructions.length, ...instructions.map((words) => words.join(" "))].join(",");
}
