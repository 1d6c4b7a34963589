/*
 * One file to many hosts at once: RGTP over a multicast group beside programs that are made for that, and beside as many downloads. Real
 * namespaces on a bridge, the sender's line shaped or not. Prints the time from the start of the receivers' programs until all have
 * the file, and the bytes that the sender's interface has counted, by those of the file. What arrives is compared. Needs root.
 *
 *   deno task bench:multicast [MEGABYTES] [ROUNDS] [RECEIVERS] [unshaped,1000,200,loss,slow]
 */
import { Bridge } from "./_bridge.ts";
import type { Caster } from "./_casters.ts";
import { curl, rgtp, udpcast, uftp } from "./_casters.ts";
import { digestOf } from "./_compare/load.ts";
import { fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 200);
const rounds = Number(Deno.args[1] ?? 3);
const receivers = Number(Deno.args[2] ?? 8);
const chosen = Deno.args[3]?.split(",");

/** A line to send by. */
interface Uplink {
  readonly name: string;
  readonly mbits?: number;
  /** Who takes part beside RGTP, and how many times as long it is asked to take, at least; absent: nothing is asked. */
  readonly others: readonly (readonly [Caster, asked?: number])[];
}

const ours = rgtp();
/** The same without the hash of the whole file, which the others do not make either. */
const plainOurs = rgtp("--no-sha256");
const [plainUftp, sealedUftp] = [uftp(false), uftp(true)];
const uplinks: readonly Uplink[] = [
  {
    name: "unshaped",
    others: [[plainOurs], [plainUftp, 3], [sealedUftp, 3], [udpcast, 3], [curl("http")], [
      curl("https"),
    ]],
  },
  {
    name: "1000 Mbit/s",
    mbits: 1000,
    others: [[plainUftp, 1], [sealedUftp, 1], [udpcast, 1], [curl("http"), 1], [curl("https"), 1]],
  },
  // As many downloads would take a minute each.
  { name: "200 Mbit/s", mbits: 200, others: [[plainUftp, 1 / 1.02], [sealedUftp, 1]] },
];
/** Losses of each receiver, in per cent, and how often the file may be sent at most. */
const losses = [[0, 1.07], [2, 1.25]] as const;
/** How much longer the others may take when one of them has a tenth of the rate. */
const ASKED_BESIDE_SLOW = 1.1;

interface Figures {
  readonly seconds: number;
  /** Without the last program that ended. */
  readonly others: number;
  readonly share: number;
}

const folder = await fastTempDir();
try {
  const file = `${folder}/source.bin`;
  await writeRandomFile(file, megabytes * 1e6);
  const expected = await digestOf(file);
  await using bridge = await Bridge.make(receivers + 1);
  console.log(`${megabytes} MB to ${receivers} hosts, ${rounds} rounds in turn: median (range)`);
  for (const { name, mbits, others } of uplinks) {
    if (chosen && !chosen.includes(name.split(" ")[0])) continue;
    await bridge.shape(bridge.hosts[0], mbits);
    const casters = await present([ours, ...others.map(([caster]) => caster)]);
    const figures = await contest(bridge, file, expected, name, casters, mbits);
    for (const [caster, asked] of others) {
      const ratio = asked === undefined ? undefined : timesAsLong(figures, caster);
      if (ratio === undefined) continue;
      verdict(`${caster.name} ÷ RGTP`, ratio, asked!, ratio >= asked!);
      const plainRatio = timesAsLong(figures, caster, plainOurs);
      if (plainRatio !== undefined) console.log(`     ÷ RGTP --no-sha256: ${plainRatio.toFixed(3)}`);
    }
  }
  await bridge.shape(bridge.hosts[0], undefined);
  await bridge.sendSingly(bridge.hosts[0]);
  for (const [percent, asked] of losses) {
    if (chosen && !chosen.includes("loss")) continue;
    for (const host of bridge.hosts.slice(1)) await bridge.lose(host, percent);
    const title = `${percent} % of datagrams lost at each receiver`;
    const figures = await contest(bridge, file, expected, title, [ours], undefined);
    const { max } = spread(figures.get(ours)!.map(({ share }) => share));
    verdict("sent ÷ file, the most", max, asked, max <= asked);
  }
  if (!chosen || chosen.includes("slow")) await besideSlowOne(bridge, file, expected);
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** Round by round: how long the others take when one of them has a tenth of the line, by how long they take when it has not. */
async function besideSlowOne(bridge: Bridge, file: string, expected: string): Promise<void> {
  const mbits = 200;
  await bridge.shape(bridge.hosts[0], mbits);
  for (const host of bridge.hosts.slice(1)) await bridge.lose(host, 0);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alike = await measure(bridge, ours, file, expected, mbits);
    await bridge.shapeTowards(bridge.hosts[1], mbits / 10);
    const mixed = await measure(bridge, ours, file, expected, mbits);
    await bridge.shapeTowards(bridge.hosts[1], undefined);
    ratios.push(mixed.others / alike.seconds);
  }
  const { median, min, max } = spread(ratios);
  console.log(
    `one of them at a tenth of ${mbits} Mbit/s: the others take ${median.toFixed(2)} x as long (${
      min.toFixed(2)
    }-${max.toFixed(2)})`,
  );
  verdict("the others", median, ASKED_BESIDE_SLOW, median <= ASKED_BESIDE_SLOW);
}

async function contest(
  bridge: Bridge,
  file: string,
  expected: string,
  title: string,
  casters: readonly Caster[],
  mbits: number | undefined,
): Promise<ReadonlyMap<Caster, readonly Figures[]>> {
  const figures = new Map<Caster, Figures[]>(casters.map((caster) => [caster, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [caster, those] of figures) {
      try {
        those.push(await measure(bridge, caster, file, expected, mbits));
      } catch (error) {
        // Some leave a receiver out that is slow: that is no figure.
        console.log(`${caster.name} has failed: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  console.log(title);
  for (const [caster, those] of figures) {
    if (those.length === 0) continue;
    const seconds = spread(those.map((one) => one.seconds));
    const share = spread(those.map((one) => one.share));
    const ratio = caster === ours ? undefined : timesAsLong(figures, caster);
    console.log(
      `  ${caster.name.padEnd(28)} ${seconds.median.toFixed(2).padStart(6)} s (${seconds.min.toFixed(2)}-${
        seconds.max.toFixed(2)
      })  sent ${share.median.toFixed(3)} x the file (${share.max.toFixed(3)})  ${caster.protects}` +
        (ratio === undefined ? "" : `  takes ${ratio.toFixed(2)} x as long as RGTP`),
    );
  }
  return figures;
}

/** How many times as long as RGTP somebody has taken, by the medians; `undefined` when one of them has no figure. */
function timesAsLong(
  figures: ReadonlyMap<Caster, readonly Figures[]>,
  caster: Caster,
  by = ours,
): number | undefined {
  const [theirs, own] = [caster, by].map((one) => figures.get(one) ?? []);
  if (theirs.length === 0 || own.length === 0) return undefined;
  const median = (those: readonly Figures[]) => spread(those.map(({ seconds }) => seconds)).median;
  return median(theirs) / median(own);
}

function verdict(what: string, is: number, asked: number, isMet: boolean): void {
  console.log(`  -> ${what}: ${is.toFixed(3)}, asked ${asked.toFixed(2)}: ${isMet ? "met" : "NOT MET"}`);
}

async function measure(
  bridge: Bridge,
  caster: Caster,
  file: string,
  expected: string,
  mbits: number | undefined,
): Promise<Figures> {
  const place = await Deno.makeTempDir({ dir: folder });
  try {
    const outs = bridge.hosts.slice(1).map((_, i) => `${place}/${i}/out.bin`);
    for (let i = 0; i < outs.length; i++) await Deno.mkdir(`${place}/${i}/part`, { recursive: true });
    await using service = await caster.prepare({ file, hosts: bridge.hosts, outs, folder: place, mbits });
    const sent = await bridge.sentBytes(bridge.hosts[0]);
    const ends = (await service.run()).toSorted((a, b) => a - b);
    const [seconds, others] = [ends.at(-1)!, ends.at(-2) ?? ends.at(-1)!];
    const share = (await bridge.sentBytes(bridge.hosts[0]) - sent) / (megabytes * 1e6);
    for (const out of outs) {
      if (await digestOf(out) !== expected) throw new Error(`${caster.name}: what arrived is something else`);
    }
    return { seconds, others, share };
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

async function present(casters: readonly Caster[]): Promise<Caster[]> {
  const here: Caster[] = [];
  for (const caster of casters) {
    const lacking: string[] = [];
    for (const [program, from] of Object.entries(caster.programs)) {
      const { success } = await new Deno.Command("which", { args: [program], stdout: "null" }).output();
      if (!success) lacking.push(`${program} (Debian's package ${from})`);
    }
    if (lacking.length === 0) here.push(caster);
    else console.log(`${caster.name} does not take part: there is no ${lacking.join(" and no ")} here`);
  }
  return here;
}
