// Multicast between hosts on a switch: what it costs without and with loss, and an interface that goes in the midst of it.
import { Bridge, INTERFACE } from "../../bench/_bridge.ts";
import { denoWords, writeRandomFile } from "../../bench/_processes.ts";
import { assert, assertEquals, assertLess } from "../_assert.ts";
import { whyNoLab } from "./_lab.ts";

const BYTES = 20_000_000;
const RECEIVERS = 3;
const skipped = await whyNoLab();

interface Place extends AsyncDisposable {
  readonly bridge: Bridge;
  readonly folder: string;
  readonly ticket: string;
  /** What the receivers are to print and end with. */
  pull(i: number): Promise<{ code: number; events: string[]; isSame: boolean }>;
}

/** A bridge, and an exposer on its first host that waits for all receivers. */
async function place(more: readonly string[] = []): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await writeRandomFile(`${folder}/source`, BYTES);
  const bridge = stack.use(await Bridge.make(RECEIVERS + 1));
  const [source] = bridge.hosts;
  const cast = [
    "--multicast",
    "239.77.0.1:9177",
    "--interface",
    INTERFACE,
    "--receivers",
    `${RECEIVERS}`,
    ...more,
  ];
  const words = [
    ...source.via,
    ...denoWords("cli/main.ts", [
      ...["expose", `${folder}/source`, "--host", source.address, "--state-dir", `${folder}/state`, "--json"],
      ...cast,
    ]),
  ];
  const exposer = new Deno.Command(words[0], { args: words.slice(1), stdout: "piped", stderr: "null" })
    .spawn();
  stack.defer(async () => {
    exposer.kill("SIGTERM");
    await exposer.status;
  });
  const reader = exposer.stdout.pipeThrough(new TextDecoderStream()).getReader();
  stack.defer(() => reader.cancel());
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    assert(!done, "the exposer ended early");
    text += value;
  }
  const { ticket } = JSON.parse(text.split("\n")[0]);
  const owned = stack.move();
  return {
    bridge,
    folder,
    ticket,
    pull: async (i) => {
      const out = `${folder}/out${i}`;
      const args = [
        "pull",
        ticket,
        out,
        "--interface",
        INTERFACE,
        "--no-shared",
        "--json",
        "--timeout",
        "8s",
      ];
      const [command, ...rest] = [...bridge.hosts[i].via, ...denoWords("cli/main.ts", args)];
      const { code, stdout } = await new Deno.Command(command, { args: rest, stderr: "null" }).output();
      const lines = new TextDecoder().decode(stdout).trim().split("\n");
      return {
        code,
        events: lines.map((line) => JSON.parse(line).event),
        isSame: code === 0 && await isSame(`${folder}/source`, out),
      };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Until a quarter of it has been sent, which is when all receivers are there; however busy the machine is. */
async function underWay({ bridge }: Place): Promise<void> {
  for (let i = 0; i < 300 && await bridge.sentBytes(bridge.hosts[0]) < BYTES / 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([Deno.readFile(one), Deno.readFile(other)]);
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function test(name: string, fn: () => Promise<void>): void {
  const title = `multicast: ${name}${skipped && ` [skipped: ${skipped}]`}`;
  Deno.test({ name: title, ignore: skipped !== "", fn });
}

for (const [percent, most] of [[0, 1.2], [2, 1.4]] as const) {
  test(`three receivers that lose ${percent} % each, all the same, for the price of one and parity`, async () => {
    // Slow enough for a machine that does other things too.
    await using lab = await place(["--cast-rate", "10MB/s"]);
    await lab.bridge.sendSingly(lab.bridge.hosts[0]);
    for (const host of lab.bridge.hosts.slice(1)) await lab.bridge.lose(host, percent);
    const before = await lab.bridge.sentBytes(lab.bridge.hosts[0]);
    const ends = await Promise.all([1, 2, 3].map((i) => lab.pull(i)));
    assertEquals(ends.map(({ isSame }) => isSame), [true, true, true]);
    assert(ends.every(({ events }) => events.includes("group")));
    assertLess(await lab.bridge.sentBytes(lab.bridge.hosts[0]) - before, most * BYTES);
  });
}

test("an interface that goes in the midst of it holds nobody else", async () => {
  await using lab = await place(["--cast-rate", "4MB/s"]);
  const gone = lab.pull(1);
  const others = [lab.pull(2), lab.pull(3)];
  await underWay(lab);
  await lab.bridge.unplug(lab.bridge.hosts[1]);
  for (const end of await Promise.all(others)) assert(end.isSame);
  const { code, events } = await gone;
  // It goes on by unicast, which has no cable either.
  assertEquals(code, 12);
  assert(events.includes("unicast"));
});

test("the exposer's own interface goes in the midst of it: all are told, and nobody hangs", async () => {
  await using lab = await place(["--cast-rate", "4MB/s"]);
  const pulls = [1, 2, 3].map((i) => lab.pull(i));
  await underWay(lab);
  await lab.bridge.unplug(lab.bridge.hosts[0]);
  for (const { code, events } of await Promise.all(pulls)) {
    assertEquals(code, 12);
    assert(events.includes("unicast"));
  }
});
