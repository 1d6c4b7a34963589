/*
 * What a flood of handshakes under invented addresses does to a pull that is under way: its rate beside its rate alone, in turn, and what the
 * exposer's process grows by. The same flood towards a host that drops it shows what the flood takes from this machine by itself. Four hosts on a switch, as network namespaces of Linux; needs root, `ip` and `nft`.
 *
 *   deno task bench:flood [--size 400MB] [--rate 50000] [--rounds 3]
 */
import { parseArgs } from "node:util";
import { parseTicket } from "../codec/ticket.ts";
import { Bridge } from "./_bridge.ts";
import { run } from "./_compare/contest.ts";
import { bytesOf, spreadText } from "./_compare/text.ts";
import type { Counts } from "./_counted_exposer.ts";
import type { Flood } from "./_flooder.ts";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

/** Where the flood seems to come from: its answers go back to the flooder's host, which drops them. */
const INVENTED = "10.78.0.0/16";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "400MB" },
    rate: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
  },
});
const size = bytesOf(flags.size);
const folder = await fastTempDir();
try {
  await using bridge = await Bridge.make(4);
  const [serving, pulling, flooding, sink] = bridge.hosts;
  await run("ip", "-n", serving.namespace, "route", "add", INVENTED, "via", flooding.address);
  // Another source for each packet, without memory of any.
  const table = "add table ip invented; add chain ip invented out { type filter hook output priority 0; }";
  const rule =
    "add rule ip invented out udp length 1192 ip saddr set numgen random mod 65536 offset 172883968";
  await run("ip", "netns", "exec", flooding.namespace, "nft", `${table}; ${rule}`);

  const source = `${folder}/source`;
  await writeRandomFile(source, size);
  await using exposer = new BenchProcess(
    "bench/_counted_exposer.ts",
    [source, "linux_udp", serving.address],
    {
      via: serving.via,
      flags: ["--v8-flags=--expose-gc"],
    },
  );
  const { ticket } = JSON.parse(await exposer.line()) as { ticket: string };
  const { host, port } = parseTicket(ticket).addresses[0];
  const drop =
    "add table ip sink; add chain ip sink in { type filter hook prerouting priority 0; policy drop; }";
  await run("ip", "netns", "exec", sink.namespace, "nft", drop);
  const flooderTo = (to: string, rate: string) =>
    new BenchProcess("bench/_flooder.ts", [to, `${port}`, rate], { via: flooding.via });
  await using flooder = flooderTo(host, flags.rate);
  await using elsewhere = flooderTo(sink.address, flags.rate);

  /** MB/s of a pull from its twentieth on, while somebody floods, or nobody. */
  const pullOnce = async (flooder?: BenchProcess) => {
    await using puller = new BenchProcess("bench/_begun_puller.ts", [ticket, `${size}`], {
      via: pulling.via,
    });
    await puller.line();
    await flooder?.ask("go");
    const { bytes, seconds } = JSON.parse(await puller.line()) as { bytes: number; seconds: number };
    const flood = await flooder?.ask("stop") as unknown as Flood | undefined;
    return { rate: bytes / 1e6 / seconds, flood: flood ? flood.sent / flood.seconds : 0 };
  };
  const counts = async () => await exposer.ask("collect") as unknown as Counts;

  // The first pull brings everything into memory.
  await pullOnce();
  const before = await counts();
  const rates = { alone: [] as number[], beside: [] as number[], flooded: [] as number[] };
  const floods: number[] = [];
  for (let i = 0; i < Number(flags.rounds); i++) {
    rates.alone.push((await pullOnce()).rate);
    rates.beside.push((await pullOnce(elsewhere)).rate);
    const { rate, flood } = await pullOnce(flooder);
    rates.flooded.push(rate);
    floods.push(flood);
  }
  const after = await counts();
  const shareOf = (whole: readonly number[]) =>
    (spread(rates.flooded).median / spread(whole).median).toFixed(2);
  console.log(`alone             ${spreadText(rates.alone, 0)} MB/s`);
  console.log(`flood elsewhere   ${spreadText(rates.beside, 0)} MB/s`);
  console.log(`in the flood      ${spreadText(rates.flooded, 0)} MB/s`);
  console.log(
    `                  ${shareOf(rates.alone)} of alone, ${shareOf(rates.beside)} of elsewhere (asked: 0.70)`,
  );
  console.log(`handshakes        ${spreadText(floods, 0)} a second sent, under 65,536 addresses`);
  console.log(`drops             ${JSON.stringify(after.drops)}`);
  console.log(`RSS               ${((after.rss - before.rss) / 1e6).toFixed(1)} MB more (asked: 10 at most)`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
