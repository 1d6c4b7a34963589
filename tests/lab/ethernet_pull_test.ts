/*
 * `rgtp` over raw Ethernet, from one machine to another over a cable: with usual frames and long ones, in a VLAN, with frames lost, and
 * between interfaces that disagree how long frames may be. And what people are told where it does not work.
 */
import { parseTicket } from "../../codec/ticket.ts";
import { assert, assertEquals, assertGreater, assertLess, assertMatch } from "../_assert.ts";
import { makeFile, sha256Of, TestFolder } from "../real/_files.ts";
import type { MadeFile } from "../real/_files.ts";
import { RgtpProcess, startExposer, startPuller } from "../real/_processes.ts";
import type { ReadyEvent } from "../real/_processes.ts";
import { Lab, whyNoLab, whyNoLoss } from "./_lab.ts";

const BYTES = 16_000_000;
/** Far more than it takes (less than a second): a bound for busy machines, not a measure. */
const SECONDS_MAX = 60;
const CABLE = "cable";
const ETHERNET = ["--link", "ethernet", "--interface", CABLE];
const WITHOUT_CAPABILITY = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"];

const noLab = await whyNoLab();
const noLoss = noLab || await whyNoLoss();
const noSetpriv = noLab || await whyNoSetpriv();

interface Crossing {
  readonly name: string;
  readonly prepare?: (lab: Lab) => Promise<void>;
  readonly check?: (lab: Lab) => Promise<void>;
  readonly flags?: readonly string[];
  readonly skipped?: string;
}

const crossings: readonly Crossing[] = [
  { name: "MTU 1500" },
  { name: "MTU 9000", prepare: (lab) => mtus(lab, 9000, 9000) },
  { name: "an MTU of 1300", prepare: (lab) => mtus(lab, 1300, 1300) },
  // The puller asks for more than the exposer can send, or more than it can receive, and comes to less by itself.
  { name: "MTU 1500 at the exposer, 9000 at the puller", prepare: (lab) => mtus(lab, 1500, 9000) },
  { name: "MTU 9000 at the exposer, 1500 at the puller", prepare: (lab) => mtus(lab, 9000, 1500) },
  { name: "a VLAN and a priority", flags: ["--vlan", "100:5"] },
  { name: "a priority alone", flags: ["--vlan", "0:5"] },
  {
    name: "5 % of frames lost both ways",
    prepare: (lab) => lab.lose(5),
    check: async (lab) => assertGreater(await lab.lost("puller"), 100),
    skipped: noLoss,
  },
];

for (const { name, prepare, check, flags = [], skipped = noLab } of crossings) {
  test(`a file crosses with ${name}`, skipped, async ({ lab, folder, made }) => {
    await prepare?.(lab);
    await using exposer = await exposing(lab, folder, made, flags);
    const out = folder.file("out");
    await using puller = startPuller(exposer.ready.ticket, out, [...ETHERNET, ...flags], at(lab, "puller"));
    const { sha256, seconds } = await puller.done();
    assertEquals([sha256, await sha256Of(out)], [made.sha256, made.sha256]);
    assertLess(seconds, SECONDS_MAX);
    await check?.(lab);
  });
}

test("what is open is listed and found by name", noLab, async ({ lab, folder, made }) => {
  await using exposer = await exposing(lab, folder, made, ["--open", "--name", "photos"]);
  const where = addressOf(exposer.ready);
  const state = ["--state-dir", folder.file("puller"), "--key", keyOf(exposer.ready)];
  await using ls = new RgtpProcess(["ls", where, "--json", ...state, ...ETHERNET], at(lab, "puller"));
  assertEquals((await ls.ended()).code, 0);
  assertEquals(ls.events.map((event) => Reflect.get(event, "name")), ["photos"]);
  const args = ["pull", where, "photos", folder.file("out"), "--json", ...state, ...ETHERNET];
  await using puller = new RgtpProcess(args, at(lab, "puller"));
  assertEquals((await puller.done()).sha256, made.sha256);
});

test("an interface that is down for a while", noLab, async ({ lab, folder, made }) => {
  await using exposer = await exposing(lab, folder, made);
  await using puller = startSlowPuller(lab, exposer.ready, folder.file("out"));
  await puller.until(() => puller.progress > 0, "its first bytes");
  await lab.run("puller", "ip", "link", "set", CABLE, "down");
  await puller.next("stalled");
  await lab.run("puller", "ip", "link", "set", CABLE, "up");
  assertEquals((await puller.done()).sha256, made.sha256);
});

test("an interface that vanishes ends both sides, with its name", noLab, async ({ lab, folder, made }) => {
  await using exposer = await exposing(lab, folder, made);
  await using puller = startSlowPuller(lab, exposer.ready, folder.file("out"));
  await puller.until(() => puller.progress > 0, "its first bytes");
  await lab.run("puller", "ip", "link", "delete", CABLE);
  for (const process of [puller, exposer.process]) {
    const { name, message } = await process.failed();
    assertEquals(name, "SOCKET");
    assertMatch(message, /interface cable is gone/);
  }
});

test("a network card that never answers", noLab, async ({ lab, folder, made }) => {
  await using exposer = await exposing(lab, folder, made);
  const ticket = exposer.ready.ticket.replace(/eth:[0-9a-f:]{17}/, "eth:02:00:00:00:00:01");
  await using puller = startPuller(
    ticket,
    folder.file("out"),
    [...ETHERNET, "--timeout", "1s"],
    at(lab, "puller"),
  );
  const { name, message } = await puller.failed();
  assertEquals(name, "TIMEOUT");
  assertMatch(message, /no answer from eth:02:00:00:00:00:01:\d+: .*another cable or in another VLAN/);
});

test("without the capability, and without the flag, people are told which", noSetpriv, async (place) => {
  const { lab, folder, made } = place;
  await using exposer = await exposing(lab, folder, made);
  const { ticket } = exposer.ready;
  const via = [...lab.via("puller"), ...WITHOUT_CAPABILITY];
  const refused: [readonly string[], readonly string[], RegExp][] = [
    [ETHERNET, via, /does not let this user send raw frames on cable.*CAP_NET_RAW.*setcap/],
    [[], lab.via("puller"), /all addresses here are of Ethernet.*--link ethernet --interface IF/],
    [["--link", "ethernet", "--interface", "absent"], lab.via("puller"), /no interface "absent"/],
  ];
  for (const [flags, words, says] of refused) {
    await using puller = startPuller(ticket, folder.file("out"), flags, { via: words });
    assertMatch((await puller.failed()).message, says);
  }
  await using narrow = startPuller(ticket, folder.file("out"), ETHERNET, {
    via: lab.via("puller"),
    permissions: ["--allow-read", "--allow-write", "--allow-net=127.0.0.1", "--allow-ffi=/lib,/lib64"],
  });
  assertMatch((await narrow.failed()).message, /run it again with --allow-net/);
});

interface Room {
  readonly lab: Lab;
  readonly folder: TestFolder;
  readonly made: MadeFile;
}

function test(name: string, skipped: string, fn: (room: Room) => Promise<void>): void {
  Deno.test({
    name: `raw Ethernet: ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using folder = await TestFolder.make();
      const made = await makeFile(folder.file("source"), BYTES, 11);
      await using lab = await Lab.make();
      await fn({ lab, folder, made });
    },
  });
}

function at(lab: Lab, side: "exposer" | "puller") {
  return { via: lab.via(side) };
}

async function exposing(lab: Lab, folder: TestFolder, { path }: MadeFile, flags: readonly string[] = []) {
  const { exposer, ready } = await startExposer(path, {
    stateDir: folder.file("state"),
    flags: [...ETHERNET, ...flags],
    via: lab.via("exposer"),
  });
  return { process: exposer, ready, [Symbol.asyncDispose]: () => exposer[Symbol.asyncDispose]() };
}

/** Slow enough that there is a middle. */
function startSlowPuller(lab: Lab, { ticket }: ReadyEvent, out: string): RgtpProcess {
  return startPuller(ticket, out, [...ETHERNET, "--limit-rate", "4MB/s"], at(lab, "puller"));
}

function addressOf({ ticket }: ReadyEvent): string {
  const [{ host, port }] = parseTicket(ticket).addresses;
  assert(host.startsWith("eth:"), ticket);
  return `${host}:${port}`;
}

function keyOf({ ticket }: ReadyEvent): string {
  return parseTicket(ticket).exposerKey.toBase64({ alphabet: "base64url", omitPadding: true });
}

async function mtus(lab: Lab, exposer: number, puller: number): Promise<void> {
  await lab.setMtu("exposer", exposer);
  await lab.setMtu("puller", puller);
}

async function whyNoSetpriv(): Promise<string> {
  const [command, ...args] = [...WITHOUT_CAPABILITY, "true"];
  try {
    const { success } = await new Deno.Command(command, { args }).output();
    return success ? "" : "setpriv is not allowed here";
  } catch {
    return "there is no setpriv";
  }
}
