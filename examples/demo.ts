/*
 * `deno task demo`: a file is exposed, pulled over UDP by another process, which is killed half-way, and pulled on to its end.
 *
 * Everything goes through the `rgtp` command, as a person would use it. Options: `--mib N` (256), `--limit-rate RATE` for the pulls.
 */
import { createHash } from "node:crypto";
import { Program } from "./_program.ts";

const MIB = 1_048_576;

Deno.exit(await main());

async function main(): Promise<number> {
  const mib = Number(option("--mib") ?? 256);
  if (!Number.isInteger(mib) || mib < 1) throw new RangeError("--mib takes a whole number of MiB");
  const folder = await Deno.makeTempDir({ prefix: "rgtp-demo-" });
  const running = new Set<Program>();
  try {
    return await show(folder, mib, running) ? 0 : 1;
  } catch (error) {
    say(`That was not to happen: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    for (const program of running) await program.end("SIGKILL");
    await Deno.remove(folder, { recursive: true });
  }
}

async function show(folder: string, mib: number, running: Set<Program>): Promise<boolean> {
  const source = `${folder}/giant.bin`;
  const copy = `${folder}/copy.bin`;
  say(`1. A file of ${mib} MiB of random bytes is made; nothing in it can be guessed or compressed.`);
  const sourceHash = await makeFile(source, mib);
  say(`   SHA-256 ${sourceHash}`);

  say("2. One process exposes it: every chunk is sealed and hashed, once.");
  const exposer = new Program(running, [
    "expose",
    source,
    ...["--host", "127.0.0.1", "--port", "0", "--state-dir", `${folder}/state`],
  ]);
  const ready = await exposer.until("ready");
  say(`   ${ready.chunks} chunks in ${seconds(ready.sealSeconds)}, ${rate(ready.bytes / ready.sealSeconds)}`);
  say("   Its ticket says where it is, what it is, and holds the secret that lets one pull:");
  say(`   ${ready.ticket}`);

  say("3. A second process pulls it over UDP with nothing but that ticket. Half-way it is killed (SIGKILL):");
  const rateLimit = option("--limit-rate");
  const pullArgs = ["pull", ready.ticket, copy, ...(rateLimit ? ["--limit-rate", rateLimit] : [])];
  const first = new Program(running, pullArgs);
  const seen = await first.until("progress", ({ bytes, total }) => bytes >= total / 10);
  await pause((seen.total / 2 - seen.bytes) / seen.rate);
  await first.end("SIGKILL");
  say(`   killed about half-way; it was coming at ${rate(seen.rate)}.`);
  say(
    `   ${
      await exists(copy)
        ? "There IS a copy.bin, and there must be none"
        : "There is no copy.bin yet, only a part of it"
    }.`,
  );
  if (await exists(copy)) return false;

  say("4. The same command again. It checks what is on disk against the hashes, and pulls the rest:");
  const second = new Program(running, pullArgs);
  const done = await second.until("done");
  const reused = done.reused ?? 0;
  const pulled = done.bytes - reused;
  await second.finished();
  say(`   ${share(reused, done.bytes)} was there and right; the other ${megabytes(pulled)} came in`);
  say(`   ${seconds(done.seconds)}, ${rate(pulled / done.seconds)}.`);

  await exposer.end("SIGINT");
  const sent = exposer.last("served")?.bytes ?? 0;
  if (sent > 0) {
    say(
      `   In both pulls the exposer sent ${megabytes(sent)}, ${
        (sent / done.bytes).toFixed(3)
      } times the file:`,
    );
    say("   headers and tags are in that, and what was under way when the first pull was killed.");
  }

  say("5. Is it the same file?");
  const copyHash = await hashFile(copy);
  say(`   SHA-256 ${copyHash}`);
  const same = copyHash === sourceHash && done.sha256 === sourceHash;
  say(same ? "   Yes, byte for byte." : "   NO. This is a fault: please report it.");
  if (reused === 0) say("   But nothing was resumed, and that is a fault too.");
  return same && reused > 0;
}

async function makeFile(path: string, mib: number): Promise<string> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const hash = createHash("sha256");
  const block = new Uint8Array(MIB);
  for (let i = 0; i < mib; i++) {
    for (let at = 0; at < MIB; at += 65_536) crypto.getRandomValues(block.subarray(at, at + 65_536));
    hash.update(block);
    for (let at = 0; at < MIB;) at += await file.write(block.subarray(at));
  }
  return hash.digest("hex");
}

async function hashFile(path: string): Promise<string> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const block = new Uint8Array(MIB);
  for (let got = await file.read(block); got !== null; got = await file.read(block)) {
    hash.update(block.subarray(0, got));
  }
  return hash.digest("hex");
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 * time)));
}

function option(name: string): string | undefined {
  const at = Deno.args.indexOf(name);
  return at < 0 ? undefined : Deno.args[at + 1];
}

function say(text: string): void {
  console.log(text);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function rate(bytesPerSecond: number): string {
  return `${Math.round(bytesPerSecond / 1e6)} MB/s`;
}

function seconds(time: number): string {
  return `${time.toFixed(2)} s`;
}

function share(bytes: number, total: number): string {
  return `${Math.round(100 * bytes / total)} % (${megabytes(bytes)})`;
}
