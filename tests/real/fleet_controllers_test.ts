/*
 * Three controllers with one truth, in NATS JetStream: processes of their own on loopback addresses. Skipped where there is no nats-server.
 */
import { ask } from "../../cluster/io/fleet.ts";
import { startNode } from "../../cluster/io/node.ts";
import { readNodeFolder } from "../../cluster/io/authority_folder.ts";
import { parseAddress } from "../../codec/address.ts";
import { assert, assertEquals } from "../_assert.ts";
import { TestFleet } from "./_fleet.ts";
import { hasNats, NatsServer } from "./_nats.ts";

const controllers = ["controller-1", "controller-2", "controller-3"];

Deno.test({
  name: `fleet: three controllers share one truth, and outlive one of them${
    hasNats ? "" : " (skipped: there is no nats-server)"
  }`,
  ignore: !hasNats,
  fn: async () => {
    using nats = await NatsServer.start();
    const controllerFlags = ["--store", nats.url];
    await using fleet = await TestFleet.start({ workers: 3, controllers, pace: 10, controllerFlags });

    // What one was told the others know.
    await using first = await fleet.client();
    const resources = { cpu_percent: 0, ram_mb: 0, disk_mb: 0 };
    const { node } = await first.run({
      instance_id: "one",
      name: "one",
      script: "sleep",
      args: ["1000"],
      resources,
    });
    for (const id of controllers) {
      const [seen] = await listFrom(fleet, id);
      assertEquals([seen.instance_id, seen.node, seen.state], ["one", node, "running"], id);
    }

    // All ask for the same room at once, each of another controller: one gets it.
    const cores = navigator.hardwareConcurrency;
    const demand = { cpu_cores: cores * 0.6, ram_mb: 0, disk_mb: 0 };
    const placement = { strategy: "pack", constraints: ["node=node-1"] } as const;
    const given = await asStranger(fleet, async (node) =>
      await Promise.allSettled(
        Array.from({ length: 9 }, (_, i) =>
          ask(node, controllers[i % 3], "resource.request", {
            instance_id: `many-${i}`,
            ...demand,
            placement,
          }, "resource.allocated")),
      ));
    assertEquals(given.filter(({ status }) => status === "fulfilled").length, 1);

    // The one that leads is killed, and then the node of the instance: another one makes up for it.
    await fleet.processes.get("controller-1")!.kill("SIGKILL");
    fleet.seed = fleet.addresses.get("controller-2")!;
    await fleet.processes.get(node)!.kill("SIGKILL");
    await fleet.until("the instance runs on another node", async (client) => {
      const one = (await client.instances()).find(({ instance_id }) => instance_id === "one")!;
      return one.state === "running" && one.node !== node;
    });
    const lists = await Promise.all(["controller-2", "controller-3"].map((id) => listFrom(fleet, id)));
    assertEquals(lists[0], lists[1]);
    assert(lists[0].some(({ state }) => state === "running"));
  },
});

/** The instances, as one controller lists them. */
async function listFrom(fleet: TestFleet, controller: string) {
  return await asStranger(
    fleet,
    async (node) =>
      (await ask(node, controller, "instance.list", {}, "instance.listing")).instances
        .filter(({ state }) => state !== "placed"),
  );
}

/** Does something as somebody of the cluster who knows where all controllers are. */
async function asStranger<T>(
  fleet: TestFleet,
  use: (node: Awaited<ReturnType<typeof startNode>>) => Promise<T>,
): Promise<T> {
  const peers = Object.fromEntries(
    controllers.map((id) => [id, parseAddress(fleet.addresses.get(id)!)!]),
  );
  await using node = await startNode({ ...await readNodeFolder(fleet.identity("operator")), peers });
  return await use(node);
}
