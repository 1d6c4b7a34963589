/*
 * `rgtp expose --announce` and `rgtp find` on machines of one switch, on several, and without IP: what is announced is found with all that
 * one needs to pull it, what is not is not, nothing acts on a terminal, and who looks says nothing himself.
 */
import { encodeAnnouncement } from "../../codec/announcement.ts";
import { assert, assertEquals, assertMatch } from "../_assert.ts";
import { makeFile, TestFolder } from "../real/_files.ts";
import type { MadeFile } from "../real/_files.ts";
import { RgtpProcess, startExposer } from "../real/_processes.ts";
import { Switches, whyNoSwitches } from "./_bridge.ts";
import { Capture } from "./_capture.ts";
import { inside } from "./_inside.ts";

const BYTES = 1_000_000;
const UDP = 17;
const CLEAR_SCREEN = "\u001b[2J";
const ANNOUNCED = ["--announce"];
const ETHERNET = ["--link", "ethernet", "--interface", "net0"];

const skipped = await whyNoSwitches();

/** A line of `rgtp find --json`. */
interface Found {
  readonly event: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly bytes: number;
  readonly access: string;
  readonly id: string;
  readonly label: string;
  readonly key: string;
  readonly ticket?: string;
}

test(
  "three machines on a switch: what two announce the third finds, and pulls by name",
  [["a", "b", "c"]],
  async (room) => {
    await using _a = await room.expose("a", ["--open", "--name", "photos", ...ANNOUNCED]);
    await using b = await room.expose("b", ["--name", `${CLEAR_SCREEN}mine`, ...ANNOUNCED]);
    await using _silent = await room.expose("b", ["--open", "--name", "silent"]);
    const found = await room.find("c");
    assertEquals(found.map(({ name }) => name).sort(), [`${CLEAR_SCREEN}mine`, "photos"]);
    const photos = found.find(({ name }) => name === "photos")!;
    const mine = found.find(({ name }) => name !== "photos")!;
    assertEquals([photos.access, mine.access], ["open", "tickets"]);
    assertEquals([photos.bytes, mine.bytes], [BYTES, BYTES]);
    // Over both families; and no secret.
    assertEquals(photos.addresses.map((one) => one.replace(/:\d+$/, "")).sort(), ["10.80.0.1", "[fd80::1]"]);
    assertEquals([mine.ticket, mine.id], [undefined, b.id]);
    assert(photos.ticket !== undefined && photos.label.length === 22);

    const v4 = photos.addresses.find((one) => one.startsWith("10."))!;
    for (const what of [[v4, "photos"], [v4, photos.label], [photos.ticket]]) {
      const key = what.length === 1 ? [] : ["--key", photos.key];
      const out = room.folder.file(`out-${what.join("").length}`);
      const words = ["pull", ...what, out, "--json", ...key, "--state-dir", room.folder.file("c")];
      await using puller = new RgtpProcess(words, { via: room.switches.via("c") });
      assertEquals((await puller.done()).sha256, room.made.sha256);
    }

    const lines = await room.findText("c");
    assertEquals(lines.length, 2);
    assert(!lines.join("").includes("\u001b"), lines.join("\n"));
    assertMatch(lines.join("\n"), /photos {2}1\.00 MB {2}open {2}\S*10\.80\.0\.1:\d+\S* {2}/);
    assertEquals((await room.find("c", ["photos"])).map(({ name }) => name), ["photos"]);
  },
);

test(
  "a machine on two switches finds what is on either, and is found on both",
  [["a", "c"], ["b", "c"]],
  async (room) => {
    await using _a = await room.expose("a", ["--name", "one", ...ANNOUNCED]);
    await using _b = await room.expose("b", ["--name", "two", ...ANNOUNCED]);
    await using _c = await room.expose("c", ["--name", "both", ...ANNOUNCED]);
    const at = async (machine: string) => (await room.find(machine)).map(({ name }) => name).sort();
    // Its own, too: it hears itself.
    const expected = [["both", "one"], ["both", "two"], ["both", "one", "two"]];
    assertEquals(await Promise.all(["a", "b", "c"].map(at)), expected);
  },
);

test("an interface that comes later", [["a", "b"]], async (room) => {
  await room.switches.run("a", "ip", "link", "set", "net0", "down");
  await room.switches.run("a", "ip", "address", "flush", "dev", "net0");
  await using a = await room.expose("a", ["--name", "late", ...ANNOUNCED]);
  assertEquals(await room.find("b", ["--wait", "1s"]), []);
  await room.switches.run("a", "ip", "link", "set", "net0", "up");
  await room.switches.run("a", "ip", "address", "add", "10.80.0.9/24", "dev", "net0");
  const found = await room.find("b", ["--wait", "5s"]);
  assertEquals(found.map(({ addresses }) => addresses[0].split(":")[0]), ["10.80.0.9"]);
  assertMatch(a.process.stderr, /no network to announce it on/);
});

test("an interface that goes, of who announces or of who looks", [["a", "c"], ["b", "c"]], async (room) => {
  await using a = await room.expose("a", ["--name", "gone", ...ANNOUNCED]);
  await using _b = await room.expose("b", ["--name", "there", ...ANNOUNCED]);
  assertEquals((await room.find("c")).map(({ name }) => name).sort(), ["gone", "there"]);
  const looking = room.find("c", ["--wait", "4s"]);
  await room.switches.run("a", "ip", "link", "delete", "net0");
  // What was heard before is listed; what goes on elsewhere is heard.
  assert((await looking).some(({ name }) => name === "there"));
  assertEquals((await room.find("c")).map(({ name }) => name), ["there"]);
  // It goes on serving whoever knows the way.
  assertEquals(a.process.isOver, false);
});

test("who looks says nothing but that it listens", [["a", "b"]], async (room) => {
  using capture = await inside(room.switches.namespace("a"), () => Promise.resolve(new Capture()));
  assertEquals(await room.find("b", ["--wait", "1s"]), []);
  const frames = capture.take();
  const protocols = frames.map(({ bytes }) => bytes[12] === 0x08 && bytes[13] === 0 ? bytes[23] : bytes[20]);
  assert(frames.length > 0, "not even a membership was seen");
  assert(!protocols.includes(UDP), `protocols ${protocols}`);
});

test("without IP, over raw Ethernet", [["a", "b"]], async (room) => {
  for (const machine of ["a", "b"]) await room.switches.run(machine, "ip", "address", "flush", "dev", "net0");
  await using _a = await room.expose("a", ["--open", "--name", "raw", ...ANNOUNCED, ...ETHERNET]);
  const [{ name, addresses, ticket }] = await room.find("b", ETHERNET);
  assertEquals(name, "raw");
  assertMatch(addresses[0], /^eth:[0-9a-f:]{17}:\d+$/);
  const out = room.folder.file("out");
  const words = ["pull", ticket!, out, "--json", "--state-dir", room.folder.file("b"), ...ETHERNET];
  await using puller = new RgtpProcess(words, { via: room.switches.via("b") });
  assertEquals((await puller.done()).sha256, room.made.sha256);
});

test("a flood of announcements that nobody signed hides no honest one", [["a", "b", "c"]], async (room) => {
  await using _a = await room.expose("a", ["--open", "--name", "photos", ...ANNOUNCED]);
  using liar = await room.liar("b");
  assertEquals((await room.find("c")).map(({ name }) => name), ["photos"]);
  assert(liar.isShouting());
});

test(
  "what makes no sense is refused, and a name that nobody announces is not found",
  [["a", "b"]],
  async (room) => {
    const refused: [string[], RegExp, number][] = [
      [["expose", room.made.path, "--announce", "--host", "127.0.0.1"], /nobody reaches 127\.0\.0\.1/, 2],
      [["find", "absent", "--wait", "100ms"], /nothing called 'absent' is announced/, 16],
      [["find", "--interface", "net0"], /--interface belongs to --link ethernet/, 2],
    ];
    for (const [words, says, status] of refused) {
      await using process = new RgtpProcess([...words, "--json"], { via: room.switches.via("a") });
      const { message } = await process.failed();
      assertMatch(message, says);
      assertEquals((await process.ended()).code, status);
    }
  },
);

interface Room {
  readonly switches: Switches;
  readonly folder: TestFolder;
  readonly made: MadeFile;
  expose(
    machine: string,
    flags: readonly string[],
  ): Promise<AsyncDisposable & { process: RgtpProcess; id: string }>;
  find(machine: string, flags?: readonly string[]): Promise<Found[]>;
  findText(machine: string): Promise<string[]>;
  liar(machine: string): Promise<Disposable & { isShouting(): boolean }>;
}

function test(
  name: string,
  machines: readonly (readonly string[])[],
  fn: (room: Room) => Promise<void>,
): void {
  Deno.test({
    name: `discovery: ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using folder = await TestFolder.make();
      const made = await makeFile(folder.file("source"), BYTES, 11);
      await using switches = await Switches.make(machines);
      await fn(roomOf(switches, folder, made));
    },
  });
}

function roomOf(switches: Switches, folder: TestFolder, made: MadeFile): Room {
  let exposers = 0;
  return {
    switches,
    folder,
    made,
    expose: async (machine, flags) => {
      const stateDir = folder.file(`state-${machine}-${exposers++}`);
      const { exposer, ready } = await startExposer(made.path, {
        stateDir,
        flags,
        via: switches.via(machine),
      });
      return { process: exposer, id: ready.id, [Symbol.asyncDispose]: () => exposer[Symbol.asyncDispose]() };
    },
    find: async (machine, flags = []) => {
      await using process = new RgtpProcess(["find", "--json", ...flags], { via: switches.via(machine) });
      const { code } = await process.ended();
      if (code !== 0) throw process.failure(`ended with status ${code}`);
      return process.events as unknown as Found[];
    },
    findText: async (machine) => {
      const [command, ...args] = [
        ...switches.via(machine),
        Deno.execPath(),
        "task",
        "--quiet",
        "rgtp",
        "find",
      ];
      const { stdout } = await new Deno.Command(command, { args, stdin: "null", stderr: "null" }).output();
      return new TextDecoder().decode(stdout).trim().split("\n");
    },
    liar: async (machine) => await shouting(switches, machine),
  };
}

/** Announces new exposures without end, each signed by nobody. */
async function shouting(switches: Switches, machine: string) {
  const script = `
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "10.80.0.2", port: 0 });
    const packet = Uint8Array.fromHex(Deno.args[0]);
    for (let n = 0; ; n++) {
      new DataView(packet.buffer).setUint32(12, n);
      await socket.send(packet, { transport: "udp", hostname: "239.255.82.71", port: 21063 });
      if (n % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      if (n === 50) console.log("shouting");
    }`;
  const packet = encodeAnnouncement({
    ...{ time: 2 ** 40, exposureId: new Uint8Array(32), signingKey: new Uint8Array(32).fill(3) },
    ...{
      address: { host: "10.80.0.2", port: 9000 },
      totalSize: 1,
      kind: 0,
      access: 1,
      name: "lie",
      host: "liar",
    },
  }, () => new Uint8Array(64));
  const [command, ...args] = [...switches.via(machine), Deno.execPath()];
  const child = new Deno.Command(command, {
    args: [...args, "eval", "--unstable-net", script, packet.toHex()],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let isOver = false;
  child.status.then(() => isOver = true);
  const reader = child.stdout.getReader();
  await reader.read();
  return {
    isShouting: () => !isOver,
    [Symbol.dispose]: () => {
      child.kill("SIGKILL");
      reader.cancel();
    },
  };
}
