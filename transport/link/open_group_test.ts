import { assertEquals, assertRejects } from "../../tests/_assert.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Link } from "./link.ts";
import { openGroupListener, openGroupSender } from "./open_group.ts";
import type { LinkKind } from "./open_link.ts";

const kinds: readonly LinkKind[] = ["linux_udp", "datagram_conn"];
const interfaces = Deno.networkInterfaces();
const loopback = interfaces.find(({ address }) => address === "127.0.0.1")?.name;
/** Groups, and an interface for each: Linux sends no IPv6 multicast over its loopback. */
const groups: readonly { host: string; interfaceName: string | undefined }[] = [
  { host: "239.255.77.1", interfaceName: loopback },
  {
    host: "ff02::77:1",
    interfaceName: interfaces.find((one) => one.family === "IPv6" && one.name !== loopback)?.name,
  },
];

/** What a link gets within two seconds, or nothing. */
async function heard(link: Link): Promise<string> {
  const timer = setTimeout(() => link.close(), 2000);
  const [datagrams] = await link.receive();
  clearTimeout(timer);
  return datagrams ? new TextDecoder().decode(datagrams.bytes) : "nothing";
}

/** A port that nobody uses at present. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

for (const kind of kinds) {
  for (const { host, interfaceName = "" } of groups) {
    const isChosen = kind === "linux_udp" || !host.includes(":");
    Deno.test({
      name: `${kind}: what is sent to ${host} reaches both who listen, in trains too`,
      ignore: interfaceName === "" || !isChosen,
      fn: async () => {
        const group = { host, port: freePort() };
        const options = { group, kind, interfaceName };
        using one = await openGroupListener(options);
        using other = await openGroupListener(options);
        using sender = await openGroupSender(options);
        await sender.send({ peer: group, bytes: new TextEncoder().encode("aaabbb"), segmentSize: 3 });
        assertEquals(sender.stats.sendErrors, 0, sender.stats.lastSendError);
        for (const listener of [one, other]) assertEquals((await heard(listener)).slice(0, 3), "aaa");
      },
    });
  }

  Deno.test(`${kind}: an interface that is not there is said to be none`, async () => {
    const options = { group: { host: "239.255.77.1", port: freePort() }, kind, interfaceName: "nowhere9" };
    for (const open of [openGroupListener, openGroupSender]) {
      const error = await assertRejects(async () => (await open(options)).close(), RgtpError, "nowhere9");
      assertEquals(error.condition, "INVALID_ARG");
    }
  });
}

Deno.test("a kind of link that knows no groups says which do", async () => {
  const options = { group: { host: "239.255.77.1", port: 9 }, kind: "node_dgram" } as const;
  await assertRejects(async () => (await openGroupListener(options)).close(), RgtpError, "linux_udp");
});
