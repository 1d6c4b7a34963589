/*
 * Sends first messages of handshakes that nobody will go on with. Reads lines: `go` begins, anything else stops; each gets a line of
 * {@linkcode Flood}.
 *
 *   _flooder.ts HOST PORT MESSAGES-A-SECOND [cookies]      with cookies that nobody has made
 */
import { systemRandom } from "../core/machine.ts";
import { AskKind } from "../codec/grant.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { openLink } from "../transport/link/open_link.ts";
import { Initiator } from "../transport/protocol/initiator.ts";
import { lines } from "./_processes.ts";

/** How many went out since the last line. */
export interface Flood {
  readonly sent: number;
  readonly seconds: number;
}

const MESSAGES = 512;
/** The kernel takes so many at once, and sends each by itself. */
const TRAIN = 8;

const [host, port, rate, cookies] = Deno.args;
const peer = { host, port: Number(port) };
const link = await openLink({ host: "0.0.0.0", port: 0, kind: "linux_udp" });
const engine = defaultEngine();
const messages = Array.from({ length: MESSAGES }, () => {
  const initiator = new Initiator({
    engine,
    random: systemRandom,
    staticPrivate: systemRandom(32),
    ask: { kind: AskKind.ID, exposureId: systemRandom(32), ticketId: systemRandom(8) },
  });
  if (cookies) initiator.handleRetry(systemRandom(16));
  return initiator.packet;
});
const segmentSize = messages[0].length;
const trains = Array.from({ length: MESSAGES / TRAIN }, (_, i) => {
  const bytes = new Uint8Array(TRAIN * segmentSize);
  for (let j = 0; j < TRAIN; j++) bytes.set(messages[i * TRAIN + j], j * segmentSize);
  return bytes;
});

let isOn = false;
let [sent, since] = [0, performance.now()];

async function flood(): Promise<void> {
  while (isOn) {
    // Where it cannot keep up, it still has to hear that it is to stop.
    const due = Math.min((performance.now() - since) / 1000 * Number(rate), sent + MESSAGES);
    for (; sent < due; sent += TRAIN) {
      await link.send({ peer, bytes: trains[(sent / TRAIN) % trains.length], segmentSize });
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

let running = Promise.resolve();
for await (const line of lines(Deno.stdin.readable)) {
  isOn = false;
  await running;
  const sums: Flood = { sent, seconds: (performance.now() - since) / 1000 };
  console.log(JSON.stringify(sums));
  [sent, since] = [0, performance.now()];
  isOn = line === "go";
  running = flood();
}
