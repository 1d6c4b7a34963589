/*
 * A transfer so large that threads take part on both sides: its bytes are right, and its hash is that of the file as others reckon it.
 */
import { createHash } from "node:crypto";
import { limits } from "../../core/limits.ts";
import type { Address } from "../../codec/address.ts";
import { expose, pull } from "../../mod.ts";
import { segments } from "../../transport/link/link.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { assertEquals, assertGreater } from "../_assert.ts";
import { seededRandom } from "../sim/random.ts";

const BYTES = limits.crewBytesMin + 12_345;

/** Bytes that differ from chunk to chunk. */
function content(): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(BYTES / 4));
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    words[i] = state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  }
  return new Uint8Array(words.buffer, 0, BYTES);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

Deno.test("a transfer in which threads take part is right, and so is one that goes on from half of it", async () => {
  const source = content();
  const folder = await Deno.makeTempDir();
  try {
    const options = { host: "127.0.0.1", port: 0, stateDir: `${folder}/state` };
    await using exposure = await expose(source, options);
    const out = `${folder}/out`;
    const first = await pull(exposure.ticket).saveTo(out);
    assertEquals([first.bytes, first.reusedBytes, first.sha256], [BYTES, 0, sha256(source)]);
    assertEquals(sha256(await Deno.readFile(out)), first.sha256);

    // A part of which nothing is known: what is right in it is kept.
    await Deno.rename(out, `${out}.part`);
    const half = BYTES >> 1;
    const chunk = 65_536;
    const damaged = [0, 1, 300, 777, Math.floor(half / chunk) - 1];
    const file = await Deno.open(`${out}.part`, { write: true });
    await file.truncate(half);
    for (const [index, which] of damaged.entries()) {
      const at = which * chunk + index * 16_383;
      await file.seek(at, Deno.SeekMode.Start);
      await file.write(Uint8Array.of(source[at] ^ 1));
    }
    file.close();
    const second = await pull(exposure.ticket).saveTo(out);
    assertEquals(second.sha256, first.sha256);
    assertEquals(sha256(await Deno.readFile(out)), first.sha256);
    assertEquals(second.reusedBytes, (Math.floor(half / chunk) - damaged.length) * chunk);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Somebody between an exposer and its puller: of 20 datagrams back one gets lost, of 20 one comes after many that were sent later. */
async function roughRoad(exposer: Address) {
  const host = "127.0.0.1";
  const front = await openLink({ host, port: 0 });
  const back = await openLink({ host, port: 0 });
  const { chance } = seededRandom(5);
  const waiting: Uint8Array[] = [];
  const road = {
    port: front.local.port,
    lost: 0,
    late: 0,
    async [Symbol.asyncDispose]() {
      front.close();
      back.close();
      await running;
    },
  };
  let puller: Address | undefined;
  const forth = async () => {
    for (let batch = await front.receive(); batch.length > 0; batch = await front.receive()) {
      for (const datagrams of batch) {
        puller = datagrams.peer;
        await back.send({ ...datagrams, peer: exposer });
      }
    }
  };
  const toPuller = (bytes: Uint8Array) => front.send({ peer: puller!, bytes, segmentSize: bytes.length });
  const andBack = async () => {
    for (let batch = await back.receive(); batch.length > 0; batch = await back.receive()) {
      for (const bytes of batch.flatMap((datagrams) => [...segments(datagrams)])) {
        const [isLost, isLate] = [chance(0.05), chance(0.05)];
        if (isLost) road.lost++;
        else if (isLate) waiting.push(bytes.slice());
        else await toPuller(bytes);
        if (waiting.length < 3) continue;
        await toPuller(waiting.shift()!);
        road.late++;
      }
    }
  };
  // A send that finds its link closed is the end.
  const running = Promise.allSettled([forth(), andBack()]);
  return road;
}

Deno.test("a transfer in which threads take part is right where packets get lost and overtake each other", async () => {
  const source = content();
  const folder = await Deno.makeTempDir();
  try {
    const host = "127.0.0.1";
    await using exposure = await expose(source, { host, port: 0, stateDir: `${folder}/state` });
    await using road = await roughRoad(exposure.address);
    const ticket = exposure.ticket.replace(`:${exposure.address.port}/`, `:${road.port}/`);
    const out = `${folder}/out`;
    const { sha256: printed } = await pull(ticket, { shared: false }).saveTo(out);
    assertEquals(printed, sha256(source));
    assertEquals(sha256(await Deno.readFile(out)), printed);
    assertGreater(road.lost, 500);
    assertGreater(road.late, 500);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
