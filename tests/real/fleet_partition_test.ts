/*
 * A cluster that is cut in two, and healed: nodes in two network namespaces on one bridge, of which a port goes down. Needs root and `ip`;
 * skipped otherwise.
 */
import { assert, assertEquals } from "../_assert.ts";
import { addNamespace, removeNamespace, run } from "../lab/_namespaces.ts";
import { TestFleet } from "./_fleet.ts";

/** Two namespaces with addresses 10.98.7.x, and a cable between them that can be cut. */
class CutCable implements AsyncDisposable {
  readonly near: string;
  readonly far: string;
  readonly #middle: string;

  private constructor(stem: string) {
    this.near = `${stem}-n`;
    this.far = `${stem}-f`;
    this.#middle = `${stem}-m`;
  }

  static async make(): Promise<CutCable> {
    const cable = new CutCable(`rgtp-${Deno.pid}-cut`);
    const { near, far } = cable;
    const middle = cable.#middle;
    for (const name of [near, far, middle]) await addNamespace(name);
    await run("ip", "-n", middle, "link", "add", "bridge", "type", "bridge");
    await run("ip", "-n", middle, "link", "set", "bridge", "up");
    for (const [side, name] of [["near", near], ["far", far]]) {
      await run(
        "ip",
        "-n",
        middle,
        "link",
        "add",
        side,
        "type",
        "veth",
        "peer",
        "name",
        "cable",
        "netns",
        name,
      );
      await run("ip", "-n", middle, "link", "set", side, "master", "bridge", "up");
      await run("ip", "-n", name, "link", "set", "lo", "up");
      await run("ip", "-n", name, "link", "set", "cable", "up");
    }
    for (let i = 1; i <= 9; i++) {
      await run("ip", "-n", i < 5 ? near : far, "addr", "add", `10.98.7.${i}/24`, "dev", "cable");
    }
    return cable;
  }

  /** Cuts it, or mends it. */
  async set(state: "down" | "up"): Promise<void> {
    await run("ip", "-n", this.#middle, "link", "set", "far", state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [this.near, this.far, this.#middle]) await removeNamespace(name);
  }
}

const isPossible = await (async () => {
  try {
    const cable = await CutCable.make();
    await cable[Symbol.asyncDispose]();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: `fleet: parted and healed: nothing rises from the dead, and all are one again${
    isPossible ? "" : " (skipped: needs root, ip and bridges)"
  }`,
  ignore: !isPossible,
  fn: partition,
});

async function partition(): Promise<void> {
  await using cable = await CutCable.make();
  const nearVia = ["ip", "netns", "exec", cable.near];
  const farVia = ["ip", "netns", "exec", cable.far];
  // The controller and two workers here, two workers there.
  const place = (_: string, index: number) =>
    index < 3
      ? { via: nearVia, host: `10.98.7.${index + 1}` }
      : { via: farVia, host: `10.98.7.${index + 2}` };
  await using fleet = await TestFleet.start({ workers: 4, pace: 10, place, via: nearVia });
  const instances = async () => await fleet.rows("ls", "instances");

  const started: Record<string, unknown>[] = [];
  for (const id of ["one", "two", "three", "four"]) {
    started.push(...await fleet.rows("run", "--id", id, "--", "sleep", "1000"));
  }
  assertEquals(started.map(({ node }) => node).sort(), ["node-1", "node-2", "node-3", "node-4"]);
  const beyond = started.filter(({ node }) => node === "node-3" || node === "node-4");

  await cable.set("down");
  await fleet.untilRows(
    "those beyond the cut are started here",
    instances,
    (rows) =>
      rows.every(({ node, state }) => state === "running" && (node === "node-1" || node === "node-2")),
  );
  // Each side takes the other for dead.
  await sees(fleet, "node-3", { controller: "dead", "node-1": "dead", "node-2": "dead", "node-4": "alive" });
  await sees(fleet, "node-1", { "node-3": "dead", "node-4": "dead", "node-2": "alive" });
  // On the far side they still run; one of them is stopped meanwhile, as far as the controller can reach.
  assert(beyond.every(({ pid }) => isRunning(Number(pid))), "nobody there has been told to end them");
  await fleet.rows("stop", String(beyond[0].instance_id));

  await cable.set("up");
  for (const id of ["controller", "node-1", "node-2", "node-3", "node-4"]) {
    const others = ["controller", "node-1", "node-2", "node-3", "node-4"].filter((other) => other !== id);
    await sees(fleet, id, Object.fromEntries(others.map((other) => [other, "alive"])));
  }
  await fleet.untilRows(
    "what has moved is ended where it was",
    instances,
    (rows) => rows.length === 4 && beyond.every(({ pid }) => !isRunning(Number(pid))),
  );
  const after = await instances();
  for (const { instance_id, state, node, pid } of after) {
    if (instance_id === beyond[0].instance_id) assertEquals(state, "stopped", "it was stopped, and stays so");
    else {
      assertEquals(state, "running");
      assert(node === "node-1" || node === "node-2", `${instance_id} has not moved again`);
      assert(isRunning(Number(pid)));
    }
  }
}

/** Waits until a node takes others for what is said. */
async function sees(fleet: TestFleet, id: string, states: Readonly<Record<string, string>>): Promise<void> {
  const process = fleet.processes.get(id)!;
  const said = process.events as readonly unknown[] as readonly Record<string, unknown>[];
  await process.until(
    () =>
      Object.entries(states).every(([other, state]) =>
        said.findLast(({ event, node }) => event === "member" && node === other)?.state === state
      ),
    `${id} seeing ${JSON.stringify(states)}`,
    60_000,
  );
}

/** Whether there is a process, also one in another namespace of networks. */
function isRunning(pid: number): boolean {
  try {
    // A zombie has ended.
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
