import { openLink } from "../transport/link/open_link.ts";
import { assert, assertEquals, assertMatch } from "../tests/_assert.ts";
import { addressCheck, dropsByPolicy, firewallCheck, multicastChecks, portCheck } from "./_doctor_network.ts";

Deno.test("addresses of a private network: others come in through a router", () => {
  assertMatch(addressCheck(["172.31.0.1", "100.127.0.1"]).what, /router/);
  assert(!/router/.test(addressCheck(["172.32.0.1"]).what));
});

Deno.test("rules of a firewall: closed is what drops by policy as it comes in", () => {
  const chain = (policy: string, hook = "input") =>
    `table inet filter {\n\tchain c {\n\t\ttype filter hook ${hook} priority filter; policy ${policy};\n\t}\n}`;
  assertEquals(
    [chain("drop"), chain("accept"), chain("drop", "forward"), ""].map((text) => dropsByPolicy(text)),
    [
      true,
      false,
      false,
      false,
    ],
  );
});

Deno.test("a machine reaches its own loopback address; an address that is not its own is a warning", async () => {
  assertEquals((await firewallCheck(["127.0.0.1"])).state, "ok");
  const strange = await firewallCheck(["192.0.2.254"]);
  assertEquals(strange.state, "warn");
  assertMatch(strange.what, /192\.0\.2\.254/);
});

Deno.test("groups: each interface with an IPv4 address is looked at", async () => {
  const checks = await multicastChecks();
  const places = Deno.networkInterfaces().filter(({ family }) => family === "IPv4");
  assertEquals(checks.map(({ name }) => name), places.map(({ name }) => `multicast on ${name}`));
  for (const { state, todo } of checks) assertEquals(state === "ok", todo === undefined);
});

Deno.test("a port: free, then taken, then free again", async () => {
  using held = await openLink({ host: "127.0.0.1", port: 0 });
  const { port } = held.local;
  const taken = await portCheck(port);
  assertEquals([taken.state, taken.name], ["warn", `port ${port}`]);
  assertMatch(taken.what, /taken/);
  held[Symbol.dispose]();
  assertEquals((await portCheck(port)).state, "ok");
});
