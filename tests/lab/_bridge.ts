/*
 * Several machines on a switch, as namespaces whose cables end in a bridge, which has a namespace of its own: nothing of it is seen from
 * outside. A machine may be on several switches.
 */
import { addNamespace, reason, removeNamespace, run } from "./_namespaces.ts";

let made = 0;

/** Machines and switches, gone when they are disposed of. */
export class Switches implements AsyncDisposable {
  readonly #stem = `rgtp-${Deno.pid}-s${made++}`;
  readonly #namespaces: string[] = [];

  private constructor() {}

  /**
   * Makes them: of each switch the machines that hang on it, e.g. `[["a", "b"], ["b", "c"]]`. On switch 0 the first machine has the address
   * 10.80.0.1 and fd80:0::1 on its interface `net0`, the second 10.80.0.2, and so on; on the next one 10.80.1.1, fd80:1::1 and `net1`.
   */
  static async make(switches: readonly (readonly string[])[]): Promise<Switches> {
    const all = new Switches();
    try {
      for (const machine of new Set(switches.flat())) await all.#add(machine);
      for (const [i, machines] of switches.entries()) await all.#connect(i, machines);
      return all;
    } catch (error) {
      await all[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The name of a machine's namespace. */
  namespace(machine: string): string {
    return `${this.#stem}-${machine}`;
  }

  /** What goes before a command that is to run on a machine. */
  via(machine: string): string[] {
    return ["ip", "netns", "exec", this.namespace(machine)];
  }

  /** Runs a command on a machine, and waits for its end. @throws {Error} when it fails */
  async run(machine: string, ...words: string[]): Promise<void> {
    await run(...this.via(machine), ...words);
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#namespaces.map(removeNamespace));
  }

  async #add(machine: string): Promise<void> {
    await addNamespace(this.namespace(machine));
    this.#namespaces.push(this.namespace(machine));
    await this.run(machine, "ip", "link", "set", "lo", "up");
  }

  async #connect(index: number, machines: readonly string[]): Promise<void> {
    const [bridge, net] = [`switch${index}`, `net${index}`];
    await this.#add(bridge);
    await this.run(bridge, "ip", "link", "add", "switch", "type", "bridge");
    await this.run(bridge, "ip", "link", "set", "switch", "up");
    for (const [i, machine] of machines.entries()) {
      const there = ["peer", "name", `port${i}`, "netns", this.namespace(bridge)];
      await run("ip", "link", "add", "name", net, "netns", this.namespace(machine), "type", "veth", ...there);
      await this.run(bridge, "ip", "link", "set", `port${i}`, "master", "switch", "up");
      const ip = (...words: string[]) => this.run(machine, "ip", ...words);
      await ip("address", "add", `10.80.${index}.${i + 1}/24`, "dev", net);
      await ip("address", "add", `fd80:${index}::${i + 1}/64`, "dev", net, "nodad");
      await ip("link", "set", net, "up");
    }
  }
}

/** Why there can be none here; empty when there can. */
export async function whyNoSwitches(): Promise<string> {
  try {
    await using _switches = await Switches.make([["a", "b"]]);
    return "";
  } catch (error) {
    return reason(error);
  }
}
