/*
 * Pulls once, and compares each chunk with the file that is exposed. Prints {@linkcode PullerCounts} when a quarter has come, a half and three
 * quarters; and at the end, when all is here and the same.
 *
 *   deno run --v8-flags=--expose-gc _counted_puller.ts TICKET FILE
 */
import { parseTicket } from "../../codec/ticket.ts";
import { equalBytes } from "../../core/bytes.ts";
import { systemRandom } from "../../core/machine.ts";
import { defaultEngine } from "../../crypto/default_engine.ts";
import { ticketId, ticketPsk } from "../../crypto/key_schedule.ts";
import { segmentCount } from "../../transport/link/link.ts";
import type { Datagrams, Link } from "../../transport/link/link.ts";
import { openLink } from "../../transport/link/open_link.ts";
import { PullerShell } from "../../transport/puller_shell.ts";
import { collect, held } from "../../bench/_held.ts";
import type { Held } from "../../bench/_held.ts";

/** What a puller has seen. */
export interface PullerCounts extends Held {
  /** Chunks that are here, each the same as in the file. */
  readonly chunks: number;
  readonly drops: Readonly<Record<string, number>>;
  /** Datagrams that it has looked at. */
  readonly received: number;
}

/** A link that gives what has come one message at a time, and counts it when the next one is asked for: so all that it has counted was looked at. */
class CountedLink implements Link {
  readonly kind: string;
  readonly local;
  readonly payloadBytesMax: number;
  readonly burstPacketsMax: number;
  received = 0;
  readonly #link: Link;
  #waiting: Datagrams[] = [];
  #given = 0;

  constructor(link: Link) {
    this.#link = link;
    this.kind = link.kind;
    this.local = link.local;
    this.payloadBytesMax = link.payloadBytesMax;
    this.burstPacketsMax = link.burstPacketsMax;
  }

  get stats() {
    return this.#link.stats;
  }

  send(datagrams: Datagrams): Promise<void> {
    return this.#link.send(datagrams);
  }

  async receive(): Promise<readonly Datagrams[]> {
    this.received += this.#given;
    this.#given = 0;
    if (this.#waiting.length === 0) this.#waiting = [...await this.#link.receive()];
    const next = this.#waiting.splice(0, 1);
    for (const datagrams of next) this.#given = segmentCount(datagrams);
    return next;
  }

  close(): void {
    this.#link.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

async function pullOnce(ticket: string, path: string): Promise<void> {
  const engine = defaultEngine();
  const { addresses, exposureId, exposerKey, secret } = parseTicket(ticket);
  const psk = ticketPsk(engine, secret!);
  using file = await Deno.open(path);
  const { size } = await file.stat();
  const link = new CountedLink(await openLink({ host: "127.0.0.1", port: 0 }));
  let [chunks, bytesDone, wrong] = [0, 0, 0];
  const tell = () => {
    collect();
    const { received } = link;
    const counts: PullerCounts = { chunks, drops: shell.machine.drops.all(), received, ...held() };
    console.log(JSON.stringify(counts));
  };
  const shell: PullerShell = new PullerShell(link, {
    ...{ engine, random: systemRandom, staticPrivate: systemRandom(32), exposureId, exposerKey, addresses },
    ticket: { id: ticketId(engine, psk), psk },
    burstPacketsMax: Math.min(link.burstPacketsMax, 1024),
    timeoutMs: 30_000,
    handshakeTimeoutMs: 30_000,
  }, {
    granted: (_grant, { chunkSize }) => ({
      write: (chunk, bytes) => {
        const right = new Uint8Array(bytes.length);
        file.seekSync(chunk * chunkSize, Deno.SeekMode.Start);
        file.readSync(right);
        if (!equalBytes(right, bytes)) wrong++;
        const quarters = Math.floor(4 * bytesDone / size);
        bytesDone += bytes.length;
        chunks++;
        // The last one is told when the pull has ended.
        if (Math.floor(4 * bytesDone / size) > quarters && bytesDone < size) tell();
      },
    }),
    stalled: () => {},
  });
  await shell.run();
  if (wrong > 0 || bytesDone !== size) {
    throw new Error(`${wrong} wrong chunks, ${bytesDone} of ${size} bytes`);
  }
  tell();
}

if (import.meta.main) {
  await pullOnce(Deno.args[0], Deno.args[1]);
  Deno.exit(0);
}
