/*
 * Raw Ethernet between two machines, as two namespaces and a cable: the contract of links, frames of a VLAN and to groups, what a capture
 * shows of them, and what becomes of a link whose interface goes down, vanishes, or was never there.
 */
import { openEthernet } from "../../transport/link/ethernet.ts";
import type { EthernetOptions } from "../../transport/link/ethernet.ts";
import type { Link } from "../../transport/link/link.ts";
import { testLink } from "../contract/link_contract.ts";
import { inside } from "./_inside.ts";
import { Lab, whyNoLab } from "./_lab.ts";
import type { Side } from "./_namespaces.ts";

const CABLE = "cable";

const skipped = await whyNoEthernet();

/** A link at one side of a lab. */
function openAt(lab: Lab, side: Side, options: Partial<EthernetOptions> = {}): Promise<Link> {
  return inside(lab.namespace(side), () => openEthernet({ interface: CABLE, port: 0, ...options }));
}

for (const mtu of [1500, 9000]) {
  let lab: Lab | undefined;
  testLink(`ethernet MTU ${mtu}`, async ({ role, port }) => {
    lab ??= await labOf(mtu);
    const link = await openAt(lab, role === "first" ? "exposer" : "puller", { port });
    return { link, address: link.local };
  }, { skip: skipped ? [{ name: "*", reason: skipped }] : [] });
  Deno.test.afterAll(() => lab?.[Symbol.asyncDispose]());
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
