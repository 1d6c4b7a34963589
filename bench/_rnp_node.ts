/*
 * The other side of `bench/rnp.ts`, in a process of its own: `FOLDER [hmac]`. It takes messages over RNP, pulls what it is given a ticket
 * for, and takes bytes over bare `node:tls` with the same certificates; it prints both ports, and answers `app.proof` with what it has got.
 */
import { createHash } from "node:crypto";
import tls from "node:tls";
import { count, readNodeFolder, record, startNode, text } from "../cluster/mod.ts";
import { pull } from "../mod.ts";

const { credentials, secret } = await readNodeFolder(Deno.args[0]);
const isSigned = Deno.args[1] === "hmac";
const node = await startNode({
  credentials,
  listen: { host: "127.0.0.1", port: 0 },
  ...(isSigned && { secret }),
});

let hash: ReturnType<typeof createHash> | undefined = createHash("sha256");
let [messages, bytes] = [0, 0];
node.handle("heartbeat", () => void messages++);
node.handle("fs.write", async ({ size, ticket }) => {
  if (ticket === undefined) return;
  const { bytes, sha256 } = await pull(ticket).saveTo(`${Deno.args[0]}/taken`);
  await Deno.remove(`${Deno.args[0]}/taken`);
  return { type: "fs.stored", data: { file_id: sha256, complete: bytes === size } };
}, { concurrent: true });
node.handle("fs.replicate", ({ chunk_data }) => {
  bytes += chunk_data.length;
  hash?.update(chunk_data);
}, { borrows: true });
node.define("app.proof", record({ messages: count, bytes: count, sha256: text }));
node.handle("app.proof", () => {
  const data = { messages, bytes, sha256: hash?.digest("hex") ?? "" };
  // Proved once; the rounds that are timed do without.
  hash = undefined;
  return { type: "app.proof", data };
});

const { cert, key, ca } = credentials;
const bare = tls.createServer(
  { cert, key, ca, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
  (socket: tls.TLSSocket) => {
    let left = 0;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      // The first four bytes say how many millions follow; a byte goes back when they are here.
      if (left === 0) left = 4 + 1e6 * new DataView(chunk.buffer, chunk.byteOffset).getUint32(0);
      left -= chunk.length;
      if (left === 0) socket.write(Uint8Array.of(1));
    });
  },
);
await new Promise<void>((resolve) => bare.listen(0, "127.0.0.1", resolve));
console.log(`${node.address!.port} ${(bare.address() as { port: number }).port}`);
