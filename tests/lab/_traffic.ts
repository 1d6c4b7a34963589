/*
 * Numbered datagrams from one process to another, to see what a link does to them.
 *
 *   _traffic.ts receive HOST PORT         prints `ready`, and when standard input has ended what came, a `Received` as JSON
 *   _traffic.ts send HOST PORT OPTIONS    a `Sending` as JSON
 */
import { Poller } from "./_tun.ts";

/** What is sent. */
export interface Sending {
  readonly packets: number;
  /** With UDP and IPv4 headers. */
  readonly packetBytes: number;
  readonly mbitPerSecond: number;
}

/** What came, in order of arrival. */
export interface Received {
  /** The number of each packet, from 0. */
  readonly numbers: readonly number[];
  /** How long each was on its way, ms. */
  readonly delays: readonly number[];
}

/** Of an IPv4 and a UDP header. */
const HEADER_BYTES = 28;
const BUFFER_BYTES = 33_554_432;

/** The same in all processes, but for steps of the machine's clock: what they have in common begins at their start. */
const nowMs = (): number => performance.timeOrigin + performance.now();

/** By foreign functions, as nothing else has buffers that hold whatever is sent: what is missing was lost on the link. */
function receive(host: string, port: number): void {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  }).symbols;
  const [AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE, MSG_DONTWAIT] = [2, 2, 1, 33, 0x40];
  const socket = libc.socket(AF_INET, SOCK_DGRAM, 0);
  const size = new Uint8Array(Int32Array.of(BUFFER_BYTES).buffer);
  // struct sockaddr_in: the family as the machine writes it, port and address as the network does.
  const address = Uint8Array.of(
    AF_INET,
    0,
    port >> 8,
    port & 255,
    ...host.split(".").map(Number),
    ...Array(8),
  );
  if (
    libc.setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, size, 4) < 0 || libc.bind(socket, address, 16) < 0
  ) {
    throw new Error(`there is no receiving at ${host}:${port}`);
  }
  console.log("ready");
  const received = { numbers: [] as number[], delays: [] as number[] };
  const poller = new Poller([socket, 0]);
  const packet = new Uint8Array(2048);
  const view = new DataView(packet.buffer);
  do {
    poller.wait(500);
    while (libc.recv(socket, packet, packet.length, MSG_DONTWAIT) > 0) {
      received.numbers.push(view.getUint32(0));
      received.delays.push(nowMs() - view.getFloat64(4));
    }
  } while (!poller.isReady(1));
  console.log(JSON.stringify(received satisfies Received));
}

async function send(hostname: string, port: number, sending: Sending): Promise<void> {
  const { packets, packetBytes, mbitPerSecond } = sending;
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const packet = new Uint8Array(packetBytes - HEADER_BYTES);
  const view = new DataView(packet.buffer);
  const started = nowMs();
  for (let number = 0; number < packets; number++) {
    const due = started + number * packetBytes * 8 / (mbitPerSecond * 1000);
    // Timers are coarse: what is due meanwhile goes out in one go.
    while (due > nowMs()) await new Promise((resolve) => setTimeout(resolve, 1));
    view.setUint32(0, number);
    view.setFloat64(4, nowMs());
    await socket.send(packet, { transport: "udp", hostname, port });
  }
  socket.close();
}

if (import.meta.main) {
  const [what, host, port, options] = Deno.args;
  if (what === "receive") receive(host, Number(port));
  else await send(host, Number(port), JSON.parse(options));
}
