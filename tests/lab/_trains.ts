/*
 * One side of a cable: sends trains of datagrams over the Linux link, or takes them and says what came.
 *
 *   _trains.ts receive HOST PORT COUNT          prints "ready", then a line of JSON: see Received
 *   _trains.ts join INTERFACE GROUP PORT COUNT  the same of a multicast group, over a socket that knows no trains
 *   _trains.ts send HOST PORT COUNT SIZE        prints a line of JSON: see Sent
 */
import { createSocket } from "node:dgram";
import { equalBytes } from "../../core/bytes.ts";
import { segments } from "../../transport/link/link.ts";
import { openLinuxUdp } from "../../transport/link/linux_udp.ts";

/** What came: each datagram once, as it was sent, or not. */
export interface Received {
  readonly datagrams: number;
  readonly messages: number;
  readonly wrong: number;
}

/** What the link counted. */
export interface Sent {
  readonly packetsSent: number;
  readonly sendErrors: number;
  readonly lastSendError?: string;
}

/** Datagrams of one send: a default chunk's. */
const TRAIN = 46;
const SILENCE_MS = 5000;

/** What a datagram holds: its number, from the first to the last of its bytes. */
function content(number: number, size: number): Uint8Array {
  return new Uint8Array(new Uint32Array(Math.ceil(size / 4)).fill(number).buffer, 0, size);
}

class Tally {
  readonly #seen: Uint8Array;
  messages = 0;
  datagrams = 0;
  wrong = 0;

  constructor(count: number) {
    this.#seen = new Uint8Array(count);
  }

  take(datagram: Uint8Array): void {
    const number = new DataView(datagram.buffer, datagram.byteOffset).getUint32(0, true);
    const isNew = this.#seen[number] === 0;
    if (!isNew || !equalBytes(datagram, content(number, datagram.length))) this.wrong++;
    this.#seen[number] = 1;
    this.datagrams++;
  }
}

async function receive(host: string, port: number, count: number): Promise<void> {
  using link = await openLinuxUdp({ host, port });
  console.log("ready");
  const tally = new Tally(count);
  let silence = setTimeout(() => link.close(), SILENCE_MS);
  while (tally.datagrams < count) {
    const batch = await link.receive();
    if (batch.length === 0) break;
    if (tally.messages === 0) {
      await link.send({ peer: batch[0].peer, bytes: Uint8Array.of(1), segmentSize: 1 });
    }
    tally.messages += batch.length;
    for (const datagrams of batch) for (const datagram of segments(datagrams)) tally.take(datagram);
    clearTimeout(silence);
    silence = setTimeout(() => link.close(), SILENCE_MS);
  }
  clearTimeout(silence);
  console.log(JSON.stringify(tally));
}

async function join(at: string, group: string, port: number, count: number): Promise<void> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  const tally = new Tally(count);
  const over = Promise.withResolvers<void>();
  const silence = setTimeout(over.resolve, SILENCE_MS);
  socket.on("message", (datagram: Uint8Array) => {
    tally.messages++;
    tally.take(datagram);
    if (tally.datagrams === count) over.resolve();
  });
  await new Promise<void>((resolve) => socket.bind(port, () => resolve()));
  socket.addMembership(group, at);
  console.log("ready");
  await over.promise;
  clearTimeout(silence);
  socket.close();
  console.log(JSON.stringify(tally));
}

async function send(host: string, port: number, count: number, size: number): Promise<void> {
  using link = await openLinuxUdp({ host: host.includes(":") ? "::" : "0.0.0.0", port: 0 });
  const bytes = new Uint8Array(TRAIN * size);
  for (let sent = 0, train = 1; sent < count; sent += train, train = Math.min(TRAIN, count - sent)) {
    for (let i = 0; i < train; i++) bytes.set(content(sent + i, size), i * size);
    await link.send({ peer: { host, port }, bytes: bytes.subarray(0, train * size), segmentSize: size });
    // While a neighbour is looked for little can wait for it: the first datagram goes ahead. A group has no neighbour, and no answer.
    if (sent === 0 && !host.startsWith("239.")) await link.receive();
  }
  const { packetsSent, sendErrors, lastSendError } = link.stats;
  console.log(JSON.stringify({ packetsSent, sendErrors, lastSendError }));
}

if (import.meta.main) {
  const [role, ...args] = Deno.args;
  if (role === "receive") await receive(args[0], Number(args[1]), Number(args[2]));
  else if (role === "join") await join(args[0], args[1], Number(args[2]), Number(args[3]));
  else await send(args[0], Number(args[1]), Number(args[2]), Number(args[3]));
}
