/*
 * Exposes bytes, pulls them twice in the same program (as verified chunks, and into a file), and ends the ticket.
 *
 *   deno run --allow-net=127.0.0.1,0.0.0.0 --allow-read --allow-write examples/expose_and_pull.ts
 */
import { expose, pull, redactTicket, RgtpError } from "@red-giant/rgtp";

const data = new Uint8Array(3_000_000);
for (let at = 0; at < data.length; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));

await using exposure = await expose(data, { host: "127.0.0.1", port: 0, name: "random.bin" });
// Whoever has the ticket may pull, so a log gets it without its secret.
console.log(`${exposure.bytes} bytes in ${exposure.chunks} chunks: ${redactTicket(exposure.ticket)}`);

// Chunks come verified, in any order; each says where it belongs.
const copy = new Uint8Array(exposure.bytes);
const chunkSize = 65_536;
for await (const { index, bytes } of pull(exposure.ticket)) copy.set(bytes, index * chunkSize);
if (copy.some((byte, i) => byte !== data[i])) throw new Error("the copy differs");
console.log("pulled chunk by chunk: identical");

// A file appears whole and verified, or not at all.
const folder = await Deno.makeTempDir({ prefix: "rgtp-example-" });
try {
  const { path, sha256, reusedBytes } = await pull(exposure.ticket).saveTo(`${folder}/random.bin`);
  const again = await pull(exposure.ticket).saveTo(path);
  console.log(`pulled to a file: ${sha256}`);
  console.log(
    `pulled again: already complete is ${again.alreadyComplete} (before: ${reusedBytes} bytes reused)`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}

// A ticket can be ended; the pull is then refused, with a code that programs can rely on.
exposure.revokeTicket(exposure.ticket);
try {
  await pull(exposure.ticket, { timeoutMs: 3000 }).bytes();
  throw new Error("a revoked ticket was served");
} catch (error) {
  if (!(error instanceof RgtpError)) throw error;
  console.log(`pulled with a revoked ticket: ${error.condition} (${error.code})`);
}
