/*
 * The least that a receiver-driven transfer over `Deno.DatagramConn` can do: requests for 40 datagrams, 80 outstanding, datagrams of
 * the size that RGTP sends. Nothing is sealed, verified or stored.
 *
 *   _bare_loop.ts serve                 prints its port
 *   _bare_loop.ts fetch PORT BYTES      prints a line of JSON: MB/s of payload, and CPU seconds
 */
import { cpuSeconds } from "./_processes.ts";

const SYMBOL_BYTES = 1428;
const DATAGRAM_BYTES = 24 + SYMBOL_BYTES;
const BURST = 40;
const OUTSTANDING = 80;
const RECEIVES_AT_ONCE = 16;

const conn = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });

async function serve(): Promise<void> {
  console.log((conn.addr as Deno.NetAddr).port);
  const packets = new Uint8Array(DATAGRAM_BYTES * BURST);
  const request = new Uint8Array(65535);
  while (true) {
    const [{ length }, peer] = await conn.receive(request);
    if (length === 0) continue;
    for (let i = 0; i < request[0]; i++) {
      await conn.send(packets.subarray(i * DATAGRAM_BYTES, (i + 1) * DATAGRAM_BYTES), peer);
    }
  }
}

async function fetchFrom(port: number, bytes: number): Promise<void> {
  const peer: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port };
  const total = Math.ceil(bytes / SYMBOL_BYTES);
  let got = 0;
  let asked = 0;
  const ask = () => {
    while (asked < total && asked - got <= OUTSTANDING - BURST) {
      conn.send(Uint8Array.of(BURST), peer);
      asked += BURST;
    }
  };
  const started = performance.now();
  ask();
  const done = Promise.withResolvers<void>();
  const receive = async () => {
    const packet = new Uint8Array(65535);
    while (got < total) {
      await conn.receive(packet);
      got++;
      ask();
    }
    done.resolve();
  };
  for (let i = 0; i < RECEIVES_AT_ONCE; i++) receive();
  // What was lost is asked for again as if it had not been asked for.
  let before = -1;
  const timer = setInterval(() => {
    if (got === before) {
      asked = got;
      ask();
    }
    before = got;
  }, 30);
  await done.promise;
  clearInterval(timer);
  const rate = bytes / 1e6 / ((performance.now() - started) / 1000);
  console.log(JSON.stringify({ rate, cpuSeconds: await cpuSeconds(Deno.pid) }));
  Deno.exit(0);
}

if (Deno.args[0] === "serve") await serve();
else await fetchFrom(Number(Deno.args[1]), Number(Deno.args[2]));
