/*
 * From one machine to another over a cable: with its usual MTU, with a smaller one that both know or only one does, with packets lost,
 * and over IPv6. Every time the same bytes arrive, in bounded time.
 */
import { assert, assertEquals, assertGreater, assertLess } from "../_assert.ts";
import { makeFile, sha256Of, TestFolder } from "../real/_files.ts";
import { startExposer, startPuller, stopExposer } from "../real/_processes.ts";
import { addresses, Lab, whyNoLab, whyNoLoss } from "./_lab.ts";

const BYTES = 32_000_000;
/** Where packets get lost: some hundreds of requests, of which 2 % are not none. */
const BYTES_LOSSY = 192_000_000;
/** Far more than it takes (about a second): a bound for busy machines, not a measure. */
const SECONDS_MAX = 60;

interface Crossing {
  readonly name: string;
  readonly family: keyof typeof addresses;
  readonly prepare: (lab: Lab) => Promise<void>;
  /** Absent: {@linkcode BYTES}. */
  readonly bytes?: number;
  readonly check?: (lab: Lab) => Promise<void>;
  /** For both sides. */
  readonly flags?: readonly string[];
}

const crossings: Crossing[] = [
  { name: "MTU 1500", family: "IPv4", prepare: () => Promise.resolve() },
  { name: "MTU 1500, packets in trains", family: "IPv4", prepare: (lab) => lab.carryTrains() },
  {
    name: "MTU 1500, over Deno's own sockets",
    family: "IPv4",
    prepare: () => Promise.resolve(),
    flags: ["--link", "datagram_conn"],
  },
  { name: "MTU 1500 and IPv6", family: "IPv6", prepare: () => Promise.resolve() },
  { name: "MTU 1300 at both ends", family: "IPv4", prepare: (lab) => bothMtus(lab, 1300) },
  { name: "MTU 1300 at both ends and IPv6", family: "IPv6", prepare: (lab) => bothMtus(lab, 1300) },
  // Nothing tells the exposer that its packets of 1480 bytes vanish: the puller must notice, and ask for shorter symbols.
  {
    name: "a black hole for more than 1300 bytes",
    family: "IPv4",
    prepare: (lab) => lab.setMtu("puller", 1300),
  },
  {
    name: "a black hole for more than 1300 bytes and IPv6",
    family: "IPv6",
    prepare: (lab) => lab.setMtu("puller", 1300),
  },
];
const lossy: Crossing[] = [
  {
    name: "2 % loss both ways",
    family: "IPv4",
    prepare: (lab) => lab.lose(2),
    bytes: BYTES_LOSSY,
    check: somethingWasLost,
  },
  {
    name: "2 % loss both ways, a black hole and IPv6",
    family: "IPv6",
    prepare: async (lab) => {
      await lab.lose(2);
      await lab.setMtu("puller", 1300);
    },
    bytes: BYTES_LOSSY,
    check: somethingWasLost,
  },
];

const noLab = await whyNoLab();
const noLoss = noLab || await whyNoLoss();
for (const crossing of crossings) test(crossing, noLab);
for (const crossing of lossy) test(crossing, noLoss);

function test(crossing: Crossing, skipped: string): void {
  Deno.test({
    name: `a file crosses a cable with ${crossing.name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: () => cross(crossing),
  });
}

async function cross({ name, family, prepare, bytes = BYTES, check, flags = [] }: Crossing): Promise<void> {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), bytes, 11);
  await using lab = await Lab.make();
  await prepare(lab);
  const { exposer, ready } = await startExposer(made.path, {
    host: addresses[family].exposer,
    stateDir: folder.file("state"),
    flags,
    via: lab.via("exposer"),
  });
  await using _exposer = exposer;
  const out = folder.file("out");
  await using puller = startPuller(ready.ticket, out, flags, { via: lab.via("puller") });
  const { sha256, seconds, wireBytes } = await puller.done();
  assertEquals(sha256, made.sha256);
  assertEquals(await sha256Of(out), made.sha256);
  const sent = await stopExposer(exposer);
  console.log(
    `${name}: ${seconds.toFixed(2)} s, ${(bytes / seconds / 1e6).toFixed(1)} MB/s, ` +
      `sent ${(100 * sent / bytes).toFixed(1)} %, received ${
        (100 * wireBytes / bytes).toFixed(1)
      } % of the file`,
  );
  assertLess(seconds, SECONDS_MAX);
  assert(sent >= wireBytes);
  await check?.(lab);
}

async function bothMtus(lab: Lab, bytes: number): Promise<void> {
  await lab.setMtu("exposer", bytes);
  await lab.setMtu("puller", bytes);
}

async function somethingWasLost(lab: Lab): Promise<void> {
  assertGreater(await lab.lost("puller"), 100);
  assertGreater(await lab.lost("exposer"), 0);
}
