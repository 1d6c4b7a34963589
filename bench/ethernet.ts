/*
 * Raw Ethernet beside UDP over the same cable: a veth pair between two namespaces (root, `ip`, `nft`). Each round every contestant pulls the
 * same file in turn, and what came is compared by SHA-256.
 *
 *   deno task bench:ethernet [MB] [ROUNDS]
 */
import { createHash } from "node:crypto";
import { BenchProcess, fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 1000);
const rounds = Number(Deno.args[1] ?? 3);
const bytes = megabytes * 1e6;
const CABLE = "cable";
const ADDRESS = "10.78.0.1";

/** What is pulled over, and what the cable does. */
interface Contest {
  readonly link: "datagram_conn" | "linux_udp" | "ethernet";
  readonly mtu: number;
  /** So many of a hundred frames that arrive at either side are lost. */
  readonly lossPercent: number;
}

const contests: readonly Contest[] = [
  ...[1500, 9000].flatMap((mtu) =>
    (["datagram_conn", "linux_udp", "ethernet"] as const).map((link) => ({ link, mtu, lossPercent: 0 }))
  ),
  ...[1500, 9000].map((mtu) => ({ link: "ethernet" as const, mtu, lossPercent: 5 })),
];

const names = { exposer: `rgtp-bench-${Deno.pid}-e`, puller: `rgtp-bench-${Deno.pid}-p` };
const sides = Object.values(names);
const folder = await fastTempDir();
try {
  await layCable();
  const source = `${folder}/source`;
  await writeRandomFile(source, bytes);
  const expected = await sha256(source);
  const rates = new Map<Contest, number[]>(contests.map((contest) => [contest, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [contest, all] of rates) all.push(await pulled(contest, expected, round));
  }
  console.log(
    `${megabytes} MB from namespace to namespace, identical each time, ${rounds} rounds in turn: median (range)`,
  );
  for (const [contest, all] of rates) {
    const { median, min, max } = spread(all);
    const range = `(${min.toFixed(0)}-${max.toFixed(0)})`;
    console.log(`  ${nameOf(contest).padEnd(40)} ${median.toFixed(0).padStart(5)} MB/s  ${range}`);
  }
  for (const mtu of [1500, 9000]) console.log(ratio(rates, mtu));
} finally {
  for (const side of sides) await run("ip", "netns", "delete", side).catch(() => {});
  await Deno.remove(folder, { recursive: true });
}

function nameOf({ link, mtu, lossPercent }: Contest): string {
  return `${link}, MTU ${mtu}` + (lossPercent > 0 ? `, ${lossPercent} % lost` : "");
}

/** Round by round: a machine that is slow for a while is slow for all. */
function ratio(rates: ReadonlyMap<Contest, readonly number[]>, wanted: number): string {
  const of = (link: Contest["link"]) =>
    [...rates].find(([one]) => one.link === link && one.mtu === wanted && one.lossPercent === 0)![1];
  const base = of("datagram_conn");
  const { median, min, max } = spread(of("ethernet").map((rate, round) => rate / base[round]));
  return `  ethernet / datagram_conn, MTU ${wanted}: ${median.toFixed(2)}  (${min.toFixed(2)}-${
    max.toFixed(2)
  })`;
}

/** MB/s of one pull; what the cable has lost is looked at. */
async function pulled(contest: Contest, expected: string, round: number): Promise<number> {
  const { link, mtu, lossPercent } = contest;
  await prepare(mtu, lossPercent);
  const way = ["--link", link, ...link === "ethernet" ? ["--interface", CABLE] : []];
  const where = link === "ethernet" ? [] : ["--host", ADDRESS];
  await using exposer = new BenchProcess("cli/main.ts", [
    ...["expose", `${folder}/source`, "--port", "0", ...where, ...way, "--json"],
    ...["--state-dir", `${folder}/state-${link}-${mtu}-${lossPercent}-${round}`, "--memory", "4GiB"],
  ], { via: within(names.exposer) });
  const { ticket } = await exposer.event("ready");
  const out = `${folder}/out`;
  await using puller = new BenchProcess("cli/main.ts", ["pull", String(ticket), out, ...way, "--json"], {
    via: within(names.puller),
  });
  const done = await puller.event("done");
  await puller.ended();
  if (await sha256(out) !== expected) {
    throw new Error(`${nameOf(contest)}: what came is not what was exposed`);
  }
  await Deno.remove(out);
  if (
    lossPercent > 0 &&
    !/counter packets [1-9]/.test(await run(...within(names.puller), "nft", "list", "ruleset"))
  ) {
    throw new Error("the cable has lost nothing");
  }
  return megabytes / Number(done.seconds);
}

async function layCable(): Promise<void> {
  for (const side of sides) await run("ip", "netns", "add", side);
  const end = ["name", CABLE, "netns"];
  await run("ip", "link", "add", ...end, names.exposer, "type", "veth", "peer", ...end, names.puller);
  await run("ip", "-netns", names.exposer, "address", "add", `${ADDRESS}/24`, "dev", CABLE);
  await run("ip", "-netns", names.puller, "address", "add", "10.78.0.2/24", "dev", CABLE);
  // Real cables carry packets, not trains of them.
  for (const side of sides) await run("ip", "-netns", side, "link", "set", CABLE, "gso_max_segs", "1", "up");
}

async function prepare(mtu: number, lossPercent: number): Promise<void> {
  const drop = `numgen random mod 100 < ${lossPercent} counter drop`;
  const rules =
    `table netdev loss { chain in { type filter hook ingress device "${CABLE}" priority 0; ${drop}; } ; }`;
  for (const side of sides) {
    await run("ip", "-netns", side, "link", "set", CABLE, "mtu", `${mtu}`);
    await run(...within(side), "nft", "flush", "ruleset");
    if (lossPercent > 0) await run(...within(side), "nft", rules);
  }
}

function within(namespace: string): string[] {
  return ["ip", "netns", "exec", namespace];
}

async function run(...words: string[]): Promise<string> {
  const [command, ...args] = words;
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await Deno.open(path);
  for await (const block of file.readable) hash.update(block);
  return hash.digest("hex");
}
