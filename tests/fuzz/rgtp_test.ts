import { projectText } from "../../tools/project_files.ts";
import { assert, assertGreater, assertLess, assertThrows } from "../_assert.ts";
import { throwAtExposer } from "./_live_exposer.ts";
import { throwAtPuller } from "./_live_puller.ts";
import { corpusPath, fuzz, retry } from "./rgtp.ts";
import type { Failing } from "./rgtp.ts";

const DATAGRAMS = 20_000;
const COPIES = 10_000;
/** What a process may grow by in a short run: code that is compiled late, and the collector's spare room. */
const RSS_GROWTH_MAX = 64 * 1_048_576;

Deno.test("fuzz: what has failed once does so no more", () => {
  for (const failing of JSON.parse(projectText(corpusPath)) as Failing[]) retry(failing);
  // And what does fail would be seen.
  assertThrows(() => retry({ decoder: "decodeManifest", hex: "no hex" }));
});

Deno.test("fuzz: a turn of `deno task fuzz`", () => {
  let turns = 0;
  const { inputs, runs } = fuzz(7, () => turns++ > 0);
  assert(inputs > 1000 && runs > 10);
});

Deno.test("fuzz: a running exposer under 20,000 datagrams serves on, counts each that it drops, and does not grow", async () => {
  const { received, drops, answers, held } = await throwAtExposer(1, DATAGRAMS);
  console.log(JSON.stringify({ received, answers, drops, held }));
  assertGreater(received, DATAGRAMS / 4);
  // It was met at every stage: before and behind a decoder, and in the handshake.
  for (
    const reason of [
      "malformed",
      "other version",
      "unknown type",
      "bad token",
      "handshake not for this key",
      "handshake too short",
    ]
  ) {
    assertGreater(drops[reason] ?? 0, 0, reason);
  }
  assertGreater(answers, 100);
  assertLess(held[3].rss, held[0].rss + RSS_GROWTH_MAX);
});

Deno.test("fuzz: a puller in mid-transfer under 20,000 datagrams of strangers ends identical, and counts each that it drops", async () => {
  const { received, relayed, drops, held } = await throwAtPuller(2, { strange: DATAGRAMS, copies: 0 });
  console.log(JSON.stringify({ received, relayed, drops, held }));
  assertGreater(received, DATAGRAMS / 4);
  for (const reason of ["malformed", "other version", "unexpected", "wrong tag"]) {
    assertGreater(drops[reason] ?? 0, 0, reason);
  }
  assertLess(held[3].rss, held[0].rss + RSS_GROWTH_MAX);
});

Deno.test("fuzz: a puller in mid-transfer under a damaged copy of each packet that it gets ends identical", async () => {
  const { received, relayed, copies, drops } = await throwAtPuller(3, { strange: 0, copies: COPIES });
  console.log(JSON.stringify({ received, relayed, copies, drops }));
  assertGreater(copies, COPIES / 2);
  // Nearly right: past the tag, to where symbols have their places.
  for (const reason of ["malformed", "wrong tag", "duplicate symbol"]) {
    assertGreater(drops[reason] ?? 0, 0, reason);
  }
});
