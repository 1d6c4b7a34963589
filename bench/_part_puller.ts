/*
 * Pulls a part of what a ticket names and keeps nothing of it: chunks FIRST to before END. Prints what it brought, as JSON.
 *
 *   _part_puller.ts TICKET FIRST END
 */
import { parseTicket } from "../codec/ticket.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { ticketId, ticketPsk } from "../crypto/key_schedule.ts";
import { openLink } from "../transport/link/open_link.ts";
import { PullerShell } from "../transport/puller_shell.ts";

const [text, first, end] = Deno.args;
const { addresses, exposureId, exposerKey, secret } = parseTicket(text);
const engine = defaultEngine();
const psk = ticketPsk(engine, secret!);
const link = await openLink({ host: "127.0.0.1", port: 0 });
let bytes = 0;
const shell = new PullerShell(link, {
  engine,
  random: systemRandom,
  staticPrivate: systemRandom(32),
  exposureId,
  exposerKey,
  ticket: { id: ticketId(engine, psk), psk },
  addresses,
  burstPacketsMax: link.burstPacketsMax,
  timeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
}, {
  granted: () => ({
    wanted: [{ first: Number(first), end: Number(end) }],
    write: (_chunk, plaintext) => void (bytes += plaintext.length),
  }),
  stalled: () => {},
});
await shell.run();
const { wireBytes } = shell.machine.progress;
console.log(JSON.stringify({ event: "done", bytes, wireBytes }));
