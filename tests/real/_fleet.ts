/*
 * A fleet of real processes on loopback addresses: a controller, workers, and somebody who uses them.
 */
import { initAuthority, issueNode, readNodeFolder } from "../../cluster/io/authority_folder.ts";
import { FleetClient } from "../../cluster/io/fleet_client.ts";
import { parseAddress } from "../../codec/address.ts";
import { RgtpProcess } from "./_processes.ts";
import { rgtp } from "./_rgtp.ts";
import type { End } from "./_rgtp.ts";

/** What the help of `rgtp node start` names. */
const NODE_PERMISSIONS = ["--allow-run=sh", "--allow-sys=cpus,systemMemoryInfo,statfs,networkInterfaces"];

/** What a fleet is started with. */
export interface FleetSetup {
  /** How many workers. */
  readonly workers: number;
  /** Controllers; one when nothing is said. */
  readonly controllers?: readonly string[];
  /** How many times faster than RNP's timeline. */
  readonly pace: number;
  /** More flags for controllers. */
  readonly controllerFlags?: readonly string[];
  /** What goes before each command, such as `ip netns exec NAME`. */
  readonly via?: readonly string[];
  /** What goes before each node, and where it listens. */
  readonly place?: (
    node: string,
    index: number,
  ) => { readonly via?: readonly string[]; readonly host: string };
}

/** The processes of a fleet; all of them end with the block. */
export class TestFleet implements AsyncDisposable {
  /** Where everything is. */
  readonly folder: string;
  /** By node. */
  readonly processes = new Map<string, RgtpProcess>();
  /** Where each of them listens. */
  readonly addresses = new Map<string, string>();
  readonly #setup: FleetSetup;
  /** Of the first controller. */
  seed = "";

  private constructor(folder: string, setup: FleetSetup) {
    this.folder = folder;
    this.#setup = setup;
  }

  /** Starts all of it, and waits until the first controller knows every worker. */
  static async start(setup: FleetSetup): Promise<TestFleet> {
    const { workers, controllers = ["controller"] } = setup;
    const folder = await Deno.makeTempDir({ prefix: "rnp-fleet-" });
    const fleet = new TestFleet(folder, setup);
    const names = Array.from({ length: workers }, (_, i) => `node-${i + 1}`);
    try {
      await initAuthority(`${folder}/ca`);
      for (const id of [...controllers, ...names, "operator", "second-operator"]) {
        await issueNode(`${folder}/ca`, id);
      }
      fleet.seed = await fleet.spawn(controllers[0], 0);
      await Promise.all(controllers.slice(1).map((id, i) => fleet.spawn(id, i + 1)));
      await Promise.all(names.map((id, i) => fleet.spawn(id, controllers.length + i)));
      await fleet.untilRows(
        "everybody has told what it has",
        () => fleet.rows("ls"),
        (rows) =>
          rows.filter(({ ram_free_mb, state }) => Number(ram_free_mb) > 0 && state === "alive").length ===
            workers,
      );
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts a node, and waits until it listens; gives its address. */
  async spawn(id: string, index: number): Promise<string> {
    const { pace, controllerFlags = [], place } = this.#setup;
    const { via, host } = place?.(id, index) ?? { host: `127.0.0.${index + 1}` };
    const how = this.seed === "" ? ["start"] : ["join", this.seed];
    const more = id.startsWith("controller") ? controllerFlags : ["--label", `number=${index}`];
    const process = new RgtpProcess(
      [
        "node",
        ...how,
        "--as",
        this.identity(id),
        "--listen",
        `${host}:0`,
        "--pace",
        `${pace}`,
        "--json",
        ...more,
      ],
      { permissions: [...this.#permissions(this.identity(id)), ...NODE_PERMISSIONS], ...(via && { via }) },
    );
    this.processes.set(id, process);
    await process.until(() => this.#ready(process) !== undefined, "'ready'");
    const { address } = this.#ready(process)!;
    this.addresses.set(id, address);
    return address;
  }

  #ready({ events }: RgtpProcess): { readonly address: string } | undefined {
    return (events as readonly { readonly event: string }[]).find(({ event }) => event === "ready") as never;
  }

  #permissions(folder: string): string[] {
    return ["--allow-net", `--allow-read=${folder}`, `--allow-write=${folder}`];
  }

  /** A node's folder. */
  identity(id: string): string {
    return `${this.folder}/ca/nodes/${id}`;
  }

  /** Runs a command of `rgtp node` as the operator. */
  async run(...args: readonly string[]): Promise<End> {
    const [command, ...rest] = args;
    return await rgtp(
      ["node", command, "--as", this.identity("operator"), "--at", this.seed, "--json", ...rest],
      [...this.#permissions(this.folder), "--allow-sys=networkInterfaces"],
    );
  }

  /** The lines of JSON that a command of `rgtp node` prints. @throws {Error} when it fails */
  async rows(...args: readonly string[]): Promise<Record<string, unknown>[]> {
    const [command, ...rest] = args;
    const { via } = this.#setup;
    await using process = new RgtpProcess(
      ["node", command, "--as", this.identity("operator"), "--at", this.seed, "--json", ...rest],
      { permissions: this.#permissions(this.identity("operator")), ...(via && { via }) },
    );
    const { code } = await process.ended(60_000);
    if (code !== 0) throw process.failure(`ended with status ${code}`);
    return process.events as unknown as Record<string, unknown>[];
  }

  /** Waits until rows are as they should be. */
  async untilRows(
    what: string,
    look: () => Promise<Record<string, unknown>[]>,
    isSo: (rows: readonly Record<string, unknown>[]) => boolean,
    ms = 60_000,
  ): Promise<void> {
    const end = performance.now() + ms;
    for (let rows = await look(); !isSo(rows); rows = await look()) {
      if (performance.now() > end) throw new Error(`not in ${ms} ms: ${what}; ${JSON.stringify(rows)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Somebody who uses the fleet from this process. */
  async client(seed = this.seed): Promise<FleetClient> {
    const identity = await readNodeFolder(this.identity("second-operator"));
    return await FleetClient.connect({ ...identity, at: [parseAddress(seed)!] });
  }

  /** Waits until something is so, for the first controller. Gives how long that took, in ms. */
  async until(what: string, isSo: (client: FleetClient) => Promise<boolean>, ms = 60_000): Promise<number> {
    const started = performance.now();
    await using client = await this.client();
    while (!await isSo(client)) {
      if (performance.now() - started > ms) throw new Error(`not in ${ms} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return performance.now() - started;
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.processes.values(), (process) => process[Symbol.asyncDispose]()));
    await Deno.remove(this.folder, { recursive: true });
  }
}
