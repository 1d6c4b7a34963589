/*
 * Raw Ethernet between two machines, as two namespaces and a cable: the contract of links, frames of a VLAN and to groups, what a capture
 * shows of them, and what becomes of a link whose interface goes down, vanishes, or was never there.
 */
import { ETHERTYPE } from "../../codec/ethernet_frame.ts";
import { RgtpError } from "../../core/errors.ts";
import { openEthernet } from "../../transport/link/ethernet.ts";
import type { EthernetOptions } from "../../transport/link/ethernet.ts";
import type { Link } from "../../transport/link/link.ts";
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../_assert.ts";
import { testLink } from "../contract/link_contract.ts";
import { Capture } from "./_capture.ts";
import { inside } from "./_inside.ts";
import { Lab, whyNoLab } from "./_lab.ts";
import type { Side } from "./_namespaces.ts";

const CABLE = "cable";
const EVERYBODY = "eth:ff:ff:ff:ff:ff:ff";
const GROUP = "eth:33:33:00:00:77:01";
/** Until what does not come would have come: far longer than a frame takes, and nothing that passes sooner is waited for. */
const SILENCE_MS = 200;

const skipped = await whyNoEthernet();

for (const mtu of [1500, 9000]) {
  let lab: Lab | undefined;
  testLink(`ethernet MTU ${mtu}`, async ({ role, port }) => {
    lab ??= await labOf(mtu);
    const link = await openAt(lab, role === "first" ? "exposer" : "puller", { port });
    return { link, address: link.local };
  }, { skip: skipped ? [{ name: "*", reason: skipped }] : [] });
  Deno.test.afterAll(() => lab?.[Symbol.asyncDispose]());
}

test("what a frame carries is what the interface says", async (lab) => {
  for (const [mtu, bytes] of [[1300, 1292], [1500, 1492], [9000, 8992]]) {
    await lab.setMtu("exposer", mtu);
    using link = await openAt(lab, "exposer");
    assertEquals([link.payloadBytesMax, link.pathBytesMax], [bytes, bytes]);
  }
});

test("everybody gets what is sent to everybody, and a group's members what is sent to it", async (lab) => {
  using sender = await openAt(lab, "exposer");
  using member = await openAt(lab, "puller", { port: 7000, groups: [GROUP] });
  for (const host of [EVERYBODY, GROUP]) {
    await send(sender, host, 7000);
    assertEquals((await first(member))?.host, sender.local.host);
  }
  member.close();
  using other = await openAt(lab, "puller", { port: 7000 });
  await send(sender, GROUP, 7000);
  assertEquals(await first(other), undefined);
});

test("a capture shows VLAN and priority, and only that VLAN's links get its frames", async (lab) => {
  using capture = await inside(lab.namespace("puller"), () => Promise.resolve(new Capture()));
  const open = (side: Side, id: number, priority: number, port = 0) =>
    openAt(lab, side, { port, vlan: { id, priority } });
  using sender = await open("exposer", 100, 5);
  using receiver = await open("puller", 100, 0, 7000);
  using elsewhere = await open("puller", 101, 0, 7000);
  using untagged = await openAt(lab, "puller", { port: 7000 });
  await send(sender, receiver.local.host, 7000);
  const isOurs = ({ bytes }: { bytes: Uint8Array }) => (bytes[12] << 8 | bytes[13]) === ETHERTYPE;
  assertEquals((await capture.next(isOurs)).tag, 5 << 13 | 100);
  assertEquals((await first(receiver))?.host, sender.local.host);
  assertEquals(await Promise.all([elsewhere, untagged].map(first)), [undefined, undefined]);

  // Priority alone is no VLAN.
  using urgent = await open("exposer", 0, 7);
  using plain = await openAt(lab, "puller");
  await send(urgent, plain.local.host, plain.local.port);
  assertEquals((await capture.next(isOurs)).tag, 7 << 13);
  assertEquals((await first(plain))?.host, urgent.local.host);
  await send(plain, urgent.local.host, urgent.local.port);
  assertEquals((await first(urgent))?.host, plain.local.host);
});

test("an interface that was down for a while goes on", async (lab) => {
  using sender = await openAt(lab, "exposer");
  using receiver = await openAt(lab, "puller");
  const { host, port } = receiver.local;
  await lab.run("exposer", "ip", "link", "set", CABLE, "down");
  await send(sender, host, port);
  assertEquals([sender.stats.packetsSent, sender.stats.sendErrors], [0, 1]);
  assertEquals(sender.stats.lastSendError, `the interface ${CABLE} is down`);
  const waiting = first(sender, 5000);
  await lab.run("exposer", "ip", "link", "set", CABLE, "up");
  await send(sender, host, port);
  const peer = await first(receiver, 5000);
  assertEquals(peer, sender.local);
  await send(receiver, sender.local.host, sender.local.port);
  assertEquals(await waiting, receiver.local);
});

test("an interface that vanishes ends the link, with its name", async (lab) => {
  using link = await openAt(lab, "exposer");
  const waiting = assertRejects(() => link.receive(), RgtpError, `the interface ${CABLE} is gone`);
  await lab.run("exposer", "ip", "link", "delete", CABLE);
  assertEquals((await waiting).condition, "SOCKET");
  const error = await assertRejects(() => send(link, EVERYBODY, 1), RgtpError);
  assertStringIncludes(error.message, `the interface ${CABLE} is gone`);
});

test("what cannot be opened says what to do", async (lab) => {
  await lab.run("puller", "ip", "link", "set", CABLE, "down");
  await lab.setMtu("exposer", 1200);
  const refused: [Partial<EthernetOptions>, Side, string, RegExp][] = [
    [{ interface: "absent" }, "exposer", "INVALID_ARG", /no interface "absent".*'ip link'/],
    [{ interface: "eth0/.." }, "exposer", "INVALID_ARG", /no interface/],
    [{}, "puller", "SOCKET", /cable is down: 'ip link set cable up'/],
    [{}, "exposer", "INVALID_ARG", /MTU of 1232/],
  ];
  for (const [options, side, condition, says] of refused) {
    const error = await assertRejects(() => openAt(lab, side, options), RgtpError);
    assertEquals(error.condition, condition);
    assertMatch(error.message, says);
  }
});

function test(name: string, fn: (lab: Lab) => Promise<void>): void {
  Deno.test({
    name: `ethernet: ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using lab = await Lab.make();
      await fn(lab);
    },
  });
}

/** A link at one side of a lab. */
function openAt(lab: Lab, side: Side, options: Partial<EthernetOptions> = {}): Promise<Link> {
  return inside(lab.namespace(side), () => openEthernet({ interface: CABLE, port: 0, ...options }));
}

function send(link: Link, host: string, port: number): Promise<void> {
  return link.send({ peer: { host, port }, bytes: Uint8Array.of(1), segmentSize: 1 });
}

/** Where the first datagram comes from; nothing when none comes. */
async function first(link: Link, ms = SILENCE_MS) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), ms));
  const datagrams = await Promise.race([link.receive(), silence]);
  clearTimeout(timer);
  return datagrams?.[0]?.peer;
}

async function labOf(mtu: number): Promise<Lab> {
  const lab = await Lab.make();
  for (const side of ["exposer", "puller"] as const) await lab.setMtu(side, mtu);
  return lab;
}

async function whyNoEthernet(): Promise<string> {
  const why = await whyNoLab();
  if (why !== "") return why;
  try {
    (await openEthernet({ interface: "lo", port: 0 })).close();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
