/*
 * What sealing a file costs, all together as an exposer does it (read, seal, hash, cut into packets): on one thread, and on as many as an
 * exposer takes, in turn; and stage by stage on one. Ends with status 1 when all threads are not as much faster as is asked for.
 * Then the engines that work here against each other, in turn. Before it times, it opens what it sealed and compares. MB/s are 10^6 bytes of
 * plaintext.
 *
 *   deno task bench:sealing [--size 500MB] [--rounds 5]
 */
import { parseArgs } from "node:util";
import { decodeManifest, parameters } from "../codec/manifest.ts";
import { equalBytes } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { AeadName, Engine } from "../crypto/engine.ts";
import { chunkNonce } from "../crypto/key_schedule.ts";
import { leafHash } from "../crypto/merkle.ts";
import { libcryptoEngine } from "../crypto/native/libcrypto_engine.ts";
import { nativeEngine } from "../crypto/native_engine.ts";
import { sealSource } from "../transport/exposure/seal.ts";
import type { SealedExposure } from "../transport/exposure/seal.ts";
import { openFileSource } from "../transport/exposure/source.ts";
import { bytesOf } from "./_compare/text.ts";
import { fastTempDir, spread, writeRandomFile } from "./_processes.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: { size: { type: "string", default: "500MB" }, rounds: { type: "string", default: "5" } },
});
const megabytes = bytesOf(flags.size) / 1e6;
const rounds = Number(flags.rounds);
const CHUNK = 65_536;
const THREADS_GAIN_MIN = 1.6;

const engine = defaultEngine();
const aead = engine.aead("chacha20-poly1305");
const folder = await fastTempDir();
try {
  const path = `${folder}/source`;
  await writeRandomFile(path, megabytes * 1e6);
  const seal = async (threads: number = limits.sealThreadsMax) => {
    const source = openFileSource(path);
    try {
      const [secret, salt] = [systemRandom(32), systemRandom(32)];
      const options = {
        engine,
        chunkSize: CHUNK,
        secret,
        salt,
        expectedLeaves: undefined,
        threadsMax: threads,
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
  await compareThreads(async (threads) => (await seal(threads)).store.close());

  const [key, aad] = [systemRandom(32), systemRandom(88)];
  const plain = systemRandom(CHUNK);
  const sealed = aead.seal(key, chunkNonce(0), aad, plain);
  const source = openFileSource(path);
  const chunks = Math.floor(megabytes * 1e6 / CHUNK);
  const each = (stage: (chunk: number) => void) => () => {
    for (let chunk = 0; chunk < chunks; chunk++) stage(chunk);
  };
  // What is sealed lies in memory that nobody has written to: on a virtual machine that can be the dearest part.
  await report(
    "  fresh memory alone",
    () => void new Uint8Array(new SharedArrayBuffer(chunks * CHUNK)).fill(1),
  );
  await report("  read alone", each((chunk) => source.read(chunk * CHUNK, plain)));
  await report("  seal alone", each((chunk) => aead.sealInto(key, chunkNonce(chunk), aad, plain, sealed)));
  await report("  hash alone", each(() => void leafHash(engine.sha256, sealed)));
  source.close();
  const libcrypto = libcryptoEngine();
  if (libcrypto) compareEngines(libcrypto, nativeEngine);
  else console.log("  no libcrypto here to compare with");
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** What there is much of, done by one engine and the other in turn, on chunks and on messages of 200 bytes. */
function compareEngines(one: Engine, other: Engine): void {
  const [key, nonce, aad] = [systemRandom(32), chunkNonce(0), systemRandom(88)];
  for (const size of [CHUNK, 200]) {
    const memory = systemRandom(size + 16);
    const plain = memory.subarray(0, size);
    const stages: [string, (engine: Engine) => void][] = [[
      "hash of a leaf",
      ({ sha256 }) => void leafHash(sha256, memory),
    ]];
    for (const name of ["chacha20-poly1305", "aes-256-gcm"] satisfies AeadName[]) {
      const sealed = one.aead(name).seal(key, nonce, aad, plain);
      if (!equalBytes(sealed, other.aead(name).seal(key, nonce, aad, plain))) {
        throw new Error(`${name} differs`);
      }
      const opened = new Uint8Array(size);
      stages.push(
        [`seal ${name}`, (engine) => engine.aead(name).sealInto(key, nonce, aad, plain, memory)],
        [`open ${name}`, (engine) => {
          if (!engine.aead(name).openInto(key, nonce, aad, sealed, opened)) {
            throw new Error(`${name} does not open`);
          }
        }],
      );
    }
    console.log(
      `${size} bytes, ${one.name} in MB/s, and as a multiple of ${other.name} round by round: median (range)`,
    );
    for (const [name, stage] of stages) {
      const figures = Array.from(
        { length: rounds },
        () => [one, other].map((engine) => rateOf(() => stage(engine), size)),
      );
      const rate = spread(figures.map(([mine]) => mine)).median;
      const { median, min, max } = spread(figures.map(([mine, theirs]) => mine / theirs));
      console.log(
        `  ${name.padEnd(24)} ${rate.toFixed(0).padStart(6)}  ${median.toFixed(2)}  (${min.toFixed(2)}-${
          max.toFixed(2)
        })`,
      );
    }
  }
}

/** One thread and all that an exposer takes, in turn; the least file that gets others is of `limits.crewBytesMin`. */
async function compareThreads(seal: (threads: number) => Promise<void>): Promise<void> {
  const all = 1 + Math.min(limits.sealThreadsMax, navigator.hardwareConcurrency - 1);
  const figures: (readonly [number, number])[] = [];
  for (let round = 0; round < rounds; round++) {
    figures.push([await megabytesPerSecond(() => seal(0)), await megabytesPerSecond(() => seal(all - 1))]);
  }
  tell("on one thread", figures.map(([one]) => one));
  tell(`on ${all} threads`, figures.map(([, more]) => more));
  const { median, min, max } = spread(figures.map(([one, more]) => more / one));
  const isMet = median >= THREADS_GAIN_MIN;
  console.log(
    `  ${all} ÷ one                  ${median.toFixed(2)}  (${min.toFixed(2)}-${
      max.toFixed(2)
    })   ≥ ${THREADS_GAIN_MIN}: ${isMet ? "met" : "short"}`,
  );
  if (!isMet) Deno.exitCode = 1;
}

async function megabytesPerSecond(work: () => void | Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return megabytes / ((performance.now() - started) / 1000);
}

function tell(name: string, figures: readonly number[]): void {
  const { median, min, max } = spread(figures);
  console.log(`  ${name.padEnd(24)} ${median.toFixed(0).padStart(6)}  (${min.toFixed(0)}-${max.toFixed(0)})`);
}

/** MB/s over at least 100 ms. */
function rateOf(work: () => void, size: number): number {
  const started = performance.now();
  let times = 0;
  let ms = 0;
  for (; ms < 100; ms = performance.now() - started, times += 100) for (let i = 0; i < 100; i++) work();
  return times * size / 1000 / ms;
}

async function report(name: string, work: () => void | Promise<void>): Promise<void> {
  const figures: number[] = [];
  for (let round = 0; round < rounds; round++) figures.push(await megabytesPerSecond(work));
  tell(name, figures);
}

/** Opens every chunk again and compares it with the file. */
async function prove(path: string, exposure: SealedExposure): Promise<void> {
  const facts = decodeManifest(exposure.manifest);
  const aad = parameters(exposure.manifest);
  const bytes = await Deno.readFile(path);
  for (let chunk = 0; chunk < exposure.chunkCount; chunk++) {
    const expected = bytes.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
    const opened = aead.open(exposure.exposureKey, chunkNonce(chunk), aad, exposure.store.piece(chunk)!);
    if (!opened || !equalBytes(opened, expected)) {
      throw new Error(`chunk ${chunk} of ${facts.totalSize} bytes does not open`);
    }
  }
  exposure.store.close();
}
