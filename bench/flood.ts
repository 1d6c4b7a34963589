/*
 * What a flood of handshakes under invented addresses does to a pull that is under way, and to one that begins: the rate of the first beside its
 * rate alone, in turn, how long the second waits for its grant, and what the exposer's process grows by. The same flood towards a host that
 * drops it shows what it takes from this machine by itself. Four hosts on a switch, as network namespaces of Linux; needs root, `ip` and `nft`.
 *
 *   deno task bench:flood [--size 400MB] [--rate 50000] [--rounds 3] [--newcomers 10] [--link datagram_conn] [--cookies]
 */
import { parseArgs } from "node:util";
import { parseTicket } from "../codec/ticket.ts";
import { Bridge } from "./_bridge.ts";
import { run } from "./_compare/contest.ts";
import { bytesOf, spreadText } from "./_compare/text.ts";
import type { Counts } from "./_counted_exposer.ts";
import type { Flood } from "./_flooder.ts";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

/** Where the flood seems to come from, 65,536 addresses: answers go to the flooder's host, which drops them. */
const INVENTED = "10.78.0.0/16";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: {
    size: { type: "string", default: "400MB" },
    rate: { type: "string", default: "50000" },
    rounds: { type: "string", default: "3" },
    newcomers: { type: "string", default: "10" },
    /** Of the exposer. */
    link: { type: "string", default: "linux_udp" },
    /** The flood's messages carry cookies, which are invented. */
    cookies: { type: "boolean", default: false },
  },
});
const size = bytesOf(flags.size);
const folder = await fastTempDir();
try {
  await using bridge = await Bridge.make(4);
  const [serving, pulling, flooding, sink] = bridge.hosts;
  await run("ip", "-n", serving.namespace, "route", "add", INVENTED, "via", flooding.address);
  await bridge.inventSources(flooding, INVENTED);

  const source = `${folder}/source`;
  await writeRandomFile(source, size);
  await using exposer = new BenchProcess(
    "bench/_counted_exposer.ts",
    [source, flags.link, serving.address],
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
    new BenchProcess("bench/_flooder.ts", [to, `${port}`, rate, ...flags.cookies ? ["cookies"] : []], {
      via: flooding.via,
    });
  await using flooder = flooderTo(host, flags.rate);
  await using elsewhere = flooderTo(sink.address, flags.rate);

  const begunPuller = () =>
    new BenchProcess("bench/_begun_puller.ts", [ticket, `${size}`], { via: pulling.via });
  const counts = async (how = "look") => await exposer.ask(how) as unknown as Counts;
  /** A pull from its twentieth on, while somebody floods, or nobody. */
  const pullOnce = async (flooder?: BenchProcess): Promise<Round> => {
    await using puller = begunPuller();
    await puller.line();
    await flooder?.ask("go");
    const before = await counts();
    const { bytes, seconds } = JSON.parse(await puller.line()) as { bytes: number; seconds: number };
    const after = await counts();
    const flood = await flooder?.ask("stop") as unknown as Flood | undefined;
    return {
      rate: bytes / 1e6 / seconds,
      flood: flood ? flood.sent / flood.seconds : 0,
      cpuPerGb: (after.cpu - before.cpu) / ((after.bytesSent - before.bytesSent) / 1e9),
      read: (after.link.packetsReceived - before.link.packetsReceived) / seconds,
    };
  };

  // The first pull brings everything into memory.
  await pullOnce();
  const before = await counts("collect");
  const rounds = { alone: [] as Round[], elsewhere: [] as Round[], flooded: [] as Round[] };
  for (let i = 0; i < Number(flags.rounds); i++) {
    rounds.alone.push(await pullOnce());
    rounds.elsewhere.push(await pullOnce(elsewhere));
    rounds.flooded.push(await pullOnce(flooder));
  }
  const after = await counts("collect");

  /** How long pulls wait for their grants, in ms, while another one is under way that began before the flood. */
  const waits = async (flooder?: BenchProcess) => {
    await using newcomer = new BenchProcess("bench/_newcomer.ts", [ticket], { via: pulling.via });
    await newcomer.ask("warm up");
    const all: number[] = [];
    while (all.length < Number(flags.newcomers)) {
      await using puller = begunPuller();
      await puller.line();
      await flooder?.ask("go");
      all.push((await newcomer.ask("go")).ms as number);
      await flooder?.ask("stop");
    }
    return all;
  };
  const newcomers = { alone: await waits(), flooded: await waits(flooder) };
  for (const [name, all] of Object.entries(rounds)) {
    const text = (of: (round: Round) => number, digits = 0) => spreadText(all.map(of), digits);
    console.log(`${name.padEnd(18)}${text(({ rate }) => rate)} MB/s`);
    console.log(
      `${" ".repeat(18)}${text(({ cpuPerGb }) => cpuPerGb, 2)} s of processor time of the exposer a GB`,
    );
    console.log(`${" ".repeat(18)}${text(({ read }) => read)} datagrams a second read by it`);
  }
  const median = (all: readonly Round[]) => spread(all.map(({ rate }) => rate)).median;
  const shareOf = (all: readonly Round[]) => (median(rounds.flooded) / median(all)).toFixed(2);
  console.log(
    `in the flood      ${shareOf(rounds.alone)} of alone, ${
      shareOf(rounds.elsewhere)
    } of elsewhere (asked: 0.70)`,
  );
  const floods = rounds.flooded.map(({ flood }) => flood);
  console.log(`handshakes        ${spreadText(floods, 0)} a second sent, under 65,536 addresses`);
  console.log(`grant, alone      ${spreadText(newcomers.alone, 0)} ms`);
  console.log(`grant, flooded    ${grants(newcomers.flooded)}`);
  console.log(`drops             ${JSON.stringify(after.drops)}`);
  console.log(`RSS               ${((after.rss - before.rss) / 1e6).toFixed(1)} MB more (asked: 10 at most)`);
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** One pull. */
interface Round {
  /** MB/s. */
  readonly rate: number;
  /** First messages a second. */
  readonly flood: number;
  /** Seconds of the exposer's processor time for each GB that it sent. */
  readonly cpuPerGb: number;
  /** Datagrams a second that it read. */
  readonly read: number;
}

/** Waits for grants; -1 is one that did not come. */
function grants(waits: readonly number[]): string {
  const granted = waits.filter((ms) => ms >= 0);
  const text = granted.length > 0 ? `${spreadText(granted, 0)} ms` : "none";
  return `${text}, ${granted.length} of ${waits.length}`;
}
