/*
 * Pulls once, to nowhere. Prints `{begun}` when a twentieth has come, and at the end what came from there on, and how long that took.
 *
 *   _begun_puller.ts TICKET BYTES
 */
import { pull } from "../transport/mod.ts";

const [ticket, total] = Deno.args;
let [bytes, begunBytes, begunAt] = [0, 0, 0];
for await (const chunk of pull(ticket, { shared: false, link: "linux_udp" })) {
  bytes += chunk.bytes.length;
  if (begunAt === 0 && bytes > Number(total) / 20) {
    [begunBytes, begunAt] = [bytes, performance.now()];
    console.log(JSON.stringify({ begun: bytes }));
  }
}
console.log(JSON.stringify({ bytes: bytes - begunBytes, seconds: (performance.now() - begunAt) / 1000 }));
