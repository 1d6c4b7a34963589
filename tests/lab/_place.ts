/*
 * Where a contest is held: two machines and a link between them, or one machine and its loopback. Gone when it is disposed of.
 */
import { addNamespace, namespaceNames, removeNamespace, run } from "./_namespaces.ts";
import type { Side } from "./_namespaces.ts";
import { Wan, wanAddresses } from "./_wan.ts";
import type { WanOptions } from "./_wan.ts";
import type { EmulatorReport } from "./emulator.ts";

/** Where a contest is held. */
export interface Place extends AsyncDisposable {
  /** The exposer's address. */
  readonly address: string;
  /** What goes before a command that is to run at one side. */
  via(side: Side): string[];
  /** TCP connections to this port of the exposer's side keep to this congestion control of the kernel. */
  setCongestionControl(port: number, name: string): Promise<void>;
  /** What has happened on the link up to now; nothing where there is no link. */
  report(): Promise<EmulatorReport | undefined>;
  /** Packets that were dropped before they came to the link. */
  deviceDrops(): Promise<number>;
}

/** Two machines and a link. */
export async function wanPlace(options: WanOptions): Promise<Place> {
  const wan = await Wan.make(options);
  return {
    address: wanAddresses.exposer,
    via: (side) => wan.via(side),
    setCongestionControl: (port, name) => wan.setCongestionControl("exposer", port, name),
    report: () => wan.report(),
    deviceDrops: () => wan.deviceDrops(),
    [Symbol.asyncDispose]: () => wan[Symbol.asyncDispose](),
  };
}

/** One machine, on whose loopback so many of a hundred packets get lost: as large ones as its programs send at once. */
export async function loopbackPlace(lossPercent: number): Promise<Place> {
  const name = namespaceNames().exposer;
  const via = () => ["ip", "netns", "exec", name];
  try {
    await addNamespace(name);
    await run(...via(), "ip", "link", "set", "lo", "up");
    if (lossPercent > 0) await run(...via(), "nft", lossRules(lossPercent));
  } catch (error) {
    await removeNamespace(name).catch(() => {});
    throw error;
  }
  return {
    address: "127.0.0.1",
    via,
    setCongestionControl: () => Promise.reject(new Error("a loopback has no route to set it by")),
    report: () => Promise.resolve(undefined),
    deviceDrops: () => Promise.resolve(0),
    [Symbol.asyncDispose]: () => removeNamespace(name),
  };
}

function lossRules(percent: number): string {
  const drop = `iif lo meta l4proto udp numgen random mod 10000 < ${Math.round(percent * 100)} drop`;
  return `table inet loss { chain in { type filter hook input priority 0 ; ${drop} ; } ; }`;
}
