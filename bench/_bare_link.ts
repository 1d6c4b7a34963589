/*
 * The most that the Linux link can do: requests for 45 datagrams of the size that RGTP sends, which are one message to the kernel, and as
 * many outstanding as half the receive buffer holds. Nothing is sealed, verified or stored.
 *
 *   _bare_link.ts serve                 prints its port
 *   _bare_link.ts fetch PORT BYTES      prints a line of JSON: MB/s of payload, and CPU seconds
 */
import { segmentCount } from "../transport/link/link.ts";
import { openLinuxUdp } from "../transport/link/linux_udp.ts";
import { cpuSeconds } from "./_processes.ts";

const SYMBOL_BYTES = 1428;
const DATAGRAM_BYTES = 24 + SYMBOL_BYTES;
const BURST = 45;

const link = await openLinuxUdp({ host: "127.0.0.1", port: 0 });

async function serve(): Promise<void> {
  console.log(link.local.port);
  const bytes = new Uint8Array(DATAGRAM_BYTES * BURST);
  while (true) {
    for (const request of await link.receive()) {
      // Requests are one byte each, and may have come together.
      for (let i = segmentCount(request); i > 0; i--) {
        await link.send({ peer: request.peer, bytes, segmentSize: DATAGRAM_BYTES });
      }
    }
  }
}

async function fetchFrom(port: number, bytes: number): Promise<void> {
  const request = { peer: { host: "127.0.0.1", port }, bytes: new Uint8Array(1), segmentSize: 1 };
  const total = Math.ceil(bytes / SYMBOL_BYTES);
  const outstanding = Math.max(BURST, link.burstPacketsMax / 2);
  let [got, asked, before] = [0, 0, -1];
  const ask = async () => {
    for (; asked < total && asked - got <= outstanding - BURST; asked += BURST) await link.send(request);
  };
  const timer = setInterval(() => {
    // What was lost is asked for again as if it had not been asked for.
    if (got === before) asked = got;
    before = got;
    ask();
  }, 30);
  const started = performance.now();
  await ask();
  while (got < total) {
    for (const datagrams of await link.receive()) got += segmentCount(datagrams);
    await ask();
  }
  const seconds = (performance.now() - started) / 1000;
  clearInterval(timer);
  console.log(JSON.stringify({ rate: bytes / 1e6 / seconds, cpuSeconds: await cpuSeconds(Deno.pid) }));
  link.close();
}

if (Deno.args[0] === "serve") await serve();
else await fetchFrom(Number(Deno.args[1]), Number(Deno.args[2]));
