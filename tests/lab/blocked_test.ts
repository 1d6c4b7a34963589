/*
 * UDP is blocked on the way, though all else works: a pull and `rgtp doctor` say so, with what they know, long before they give up.
 */
import { assert, assertEquals, assertLess, assertMatch } from "../_assert.ts";
import { makeFile, TestFolder } from "../real/_files.ts";
import { RgtpProcess, startExposer, startPuller } from "../real/_processes.ts";
import { addresses, Lab, whyNoBlock, whyNoLab } from "./_lab.ts";

interface Block {
  readonly name: string;
  readonly family: keyof typeof addresses;
  readonly where: Parameters<Lab["blockUdp"]>;
  /** What both say. */
  readonly says: RegExp;
  readonly doctorSays: RegExp;
}

const blocks: readonly Block[] = [
  {
    name: "on its way to the exposer",
    family: "IPv4",
    where: ["exposer", "input"],
    says: /no answer from 10\.77\.0\.1:\d+: .*UDP is blocked on the way.*'rgtp doctor 10\.77\.0\.1:\d+'/,
    doctorSays: /it answers TCP.*a firewall drops UDP/,
  },
  {
    name: "on its way back",
    family: "IPv6",
    where: ["puller", "input"],
    says: /no answer from \[fd77::1\]:\d+: .*UDP is blocked on the way/,
    doctorSays: /it answers TCP.*a firewall drops UDP/,
  },
  {
    name: "by the puller's own firewall",
    family: "IPv4",
    where: ["puller", "output"],
    says: /this machine's network takes no packet: .*not permitted/,
    doctorSays: /this machine's network takes no packet/,
  },
];

/** Of a start of Deno, and five seconds; and room for a busy machine. */
const TOLD_MS_MAX = 15_000;
const skipped = await whyNoLab() || await whyNoBlock();

for (const { name, family, where, says, doctorSays } of blocks) {
  Deno.test({
    name: `UDP is blocked ${name}${skipped && ` [skipped: ${skipped}]`}`,
    ignore: skipped !== "",
    fn: async () => {
      await using folder = await TestFolder.make();
      const made = await makeFile(folder.file("source"), 1000, 1);
      await using lab = await Lab.make();
      const { exposer, ready } = await startExposer(made.path, {
        host: addresses[family].exposer,
        stateDir: folder.file("state"),
        via: lab.via("exposer"),
      });
      await using _exposer = exposer;
      await lab.blockUdp(...where);
      const started = performance.now();
      await using puller = startPuller(ready.ticket, folder.file("out"), ["--timeout", "5s"], {
        via: lab.via("puller"),
      });
      await using doctor = new RgtpProcess(["doctor", ready.ticket, "--json"], { via: lab.via("puller") });
      const { reason } = await puller.next("stalled");
      assertLess(performance.now() - started, TOLD_MS_MAX);
      assertMatch(reason, says);
      const { state, what } = await doctor.next("check");
      assertLess(performance.now() - started, TOLD_MS_MAX);
      assertEquals(state, "fail");
      assertMatch(what, doctorSays);
      assertEquals((await doctor.ended()).code, 12);
      // It gives up later, and knows no less then.
      const { name: error, message } = await puller.failed();
      assertEquals(error, "TIMEOUT");
      assert(message.startsWith(reason), message);
    },
  });
}
