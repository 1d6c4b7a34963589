/*
 * What sealing a file costs on one thread, stage by stage, and all together as an exposer does it: read, seal, hash, cut into packets.
 * Before it times, it opens what it sealed and compares. MB/s are 10^6 bytes of plaintext.
 *
 *   deno task bench:sealing [MEGABYTES] [ROUNDS]
 */
import { decodeManifest, parameters } from "../codec/manifest.ts";
import { equalBytes } from "../core/bytes.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { chunkNonce } from "../crypto/key_schedule.ts";
import { leafHash } from "../crypto/merkle.ts";
import { depacketise, packetise, packetiseInto } from "../transport/exposure/packetise.ts";
import { sealSource } from "../transport/exposure/seal.ts";
import type { SealedExposure } from "../transport/exposure/seal.ts";
import { openFileSource } from "../transport/exposure/source.ts";
import { fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const megabytes = Number(Deno.args[0] ?? 500);
const rounds = Number(Deno.args[1] ?? 5);
const CHUNK = 65_536;
const SYMBOL = 1428;

const engine = defaultEngine();
const aead = engine.aead("chacha20-poly1305");
const folder = await fastTempDir();
try {
  const path = `${folder}/source`;
  await writeRandomFile(path, megabytes * 1e6);
  const seal = async () => {
    const source = openFileSource(path);
    try {
      const [secret, salt] = [systemRandom(32), systemRandom(32)];
      const options = {
        engine,
        chunkSize: CHUNK,
        secret,
        salt,
        symbolSize: SYMBOL,
        expectedLeaves: undefined,
      };
      return await sealSource(source, options);
    } finally {
      source.close();
    }
  };
  await prove(path, await seal());
  console.log(
    `${megabytes} MB in chunks of 64 KiB, engine '${engine.name}', ${rounds} rounds, MB/s: median (range)`,
  );
  await report("read, seal, hash, cut", async () => (await seal()).store.close());

  const [key, aad] = [systemRandom(32), systemRandom(88)];
  const plain = systemRandom(CHUNK);
  const sealed = aead.seal(key, chunkNonce(0), aad, plain);
  const packets = packetise(0, sealed, SYMBOL);
  const source = openFileSource(path);
  const chunks = Math.floor(megabytes * 1e6 / CHUNK);
  const each = (stage: (chunk: number) => void) => () => {
    for (let chunk = 0; chunk < chunks; chunk++) stage(chunk);
  };
  await report("  read alone", each((chunk) => source.read(chunk * CHUNK, plain)));
  await report("  seal alone", each((chunk) => aead.sealInto(key, chunkNonce(chunk), aad, plain, sealed)));
  await report("  hash alone", each(() => void leafHash(engine.sha256, sealed)));
  await report("  cut alone", each((chunk) => packetiseInto(chunk, sealed, SYMBOL, packets)));
  source.close();
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function report(name: string, work: () => void | Promise<void>): Promise<void> {
  const figures: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await work();
    figures.push(megabytes / ((performance.now() - started) / 1000));
  }
  const { median, min, max } = spread(figures);
  console.log(`  ${name.padEnd(24)} ${median.toFixed(0).padStart(6)}  (${min.toFixed(0)}-${max.toFixed(0)})`);
}

/** Opens every chunk again and compares it with the file. */
async function prove(path: string, exposure: SealedExposure): Promise<void> {
  const facts = decodeManifest(exposure.manifest);
  const aad = parameters(exposure.manifest);
  const bytes = await Deno.readFile(path);
  for (let chunk = 0; chunk < exposure.chunkCount; chunk++) {
    const expected = bytes.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
    const packed = exposure.store.packets(chunk, SYMBOL)!;
    const opened = aead.open(
      exposure.exposureKey,
      chunkNonce(chunk),
      aad,
      depacketise(packed, SYMBOL, expected.length + 16),
    );
    if (!opened || !equalBytes(opened, expected)) {
      throw new Error(`chunk ${chunk} of ${facts.totalSize} bytes does not open`);
    }
  }
  exposure.store.close();
}
