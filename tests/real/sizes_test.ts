/*
 * Byte for byte the same, from one process to another over UDP on loopback: at the borders of a chunk, large, over both families, cut
 * as each profile cuts, sealed in each way.
 */
import { assertEquals, assertGreater } from "../_assert.ts";
import { aeadNames } from "../../crypto/engine.ts";
import { profiles } from "../../transport/exposure/profiles.ts";
import { makeFile, sha256Of, TestFolder } from "./_files.ts";
import { portOf, startExposer, startPuller, stopExposer } from "./_processes.ts";
import type { DoneEvent, StartOptions } from "./_processes.ts";

const CHUNK = 65_536;
const GIGABYTE = 1_000_000_000;
const families = [{ family: "IPv4", host: "127.0.0.1" }, { family: "IPv6", host: "::1" }];

interface Transfer {
  readonly host: string;
  readonly bytes: number;
  readonly flags?: readonly string[];
  readonly chunks?: number;
  readonly pullWith?: (ticket: string, folder: string) => StartOptions;
}

for (const { family, host } of families) {
  const skipped = whyNot(host);
  const ignore = skipped !== "";
  const mark = ignore ? ` [skipped: ${skipped}]` : "";
  for (const bytes of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1]) {
    const chunks = Math.ceil(bytes / CHUNK);
    const name = `${bytes} bytes in ${chunks} chunks arrive over ${family}${mark}`;
    Deno.test({ name, ignore, fn: async () => void await transfer({ host, bytes, chunks }) });
  }
  Deno.test({
    name: `1 GB arrives over ${family}${mark}`,
    ignore,
    fn: async () => {
      const { bytes, seconds, wireBytes } = await transfer({ host, bytes: GIGABYTE });
      const rate = (bytes / seconds / 1e6).toFixed(1);
      console.log(
        `1 GB over ${family}: ${seconds.toFixed(1)} s, ${rate} MB/s, ${wireBytes} bytes on the wire`,
      );
    },
  });
}

for (const [profile, chunkSize] of Object.entries(profiles)) {
  Deno.test(`a file cut for '${profile}' arrives`, async () => {
    const bytes = 3 * 1_048_576 + 7;
    await transfer({
      host: "127.0.0.1",
      bytes,
      flags: ["--profile", profile],
      chunks: Math.ceil(bytes / chunkSize),
    });
  });
}

for (const aead of aeadNames) {
  Deno.test(`a file sealed with ${aead} arrives`, async () => {
    await transfer({ host: "127.0.0.1", bytes: 3 * CHUNK + 7, flags: ["--aead", aead] });
  });
}

Deno.test("a pull needs no more of Deno's permissions than its help names", async () => {
  await transfer({
    host: "127.0.0.1",
    bytes: CHUNK + 1,
    pullWith: (ticket, folder) => ({
      permissions: [
        `--allow-net=127.0.0.1:${portOf(ticket)},0.0.0.0:0`,
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
      ],
    }),
  });
});

/** Exposes a file and pulls it, both as processes, and compares. */
async function transfer({ host, bytes, flags = [], chunks, pullWith }: Transfer): Promise<DoneEvent> {
  await using folder = await TestFolder.make();
  const made = await makeFile(folder.file("source"), bytes, bytes);
  const { exposer, ready } = await startExposer(made.path, { host, stateDir: folder.file("state"), flags });
  await using _exposer = exposer;
  assertEquals(ready.bytes, bytes);
  if (chunks !== undefined) assertEquals(ready.chunks, chunks);
  const out = folder.file("out");
  await using puller = startPuller(ready.ticket, out, [], pullWith?.(ready.ticket, folder.path));
  const done = await puller.done();
  assertEquals({ bytes: done.bytes, sha256: done.sha256, id: done.id, path: done.path }, {
    bytes,
    sha256: made.sha256,
    id: ready.id,
    path: out,
  });
  assertEquals(await sha256Of(out), made.sha256);
  const sent = await stopExposer(exposer);
  assertGreater(sent + 1, done.wireBytes, "an exposer sends at least what arrives");
  return done;
}

/** Why this machine cannot use a host; empty when it can. */
function whyNot(host: string): string {
  try {
    // A bound TCP port is the cheapest proof that the address is there, and needs no unstable part of Deno.
    Deno.listen({ hostname: host, port: 0 }).close();
    return "";
  } catch (error) {
    return `cannot bind ${host}: ${error instanceof Error ? error.message : error}`;
  }
}
