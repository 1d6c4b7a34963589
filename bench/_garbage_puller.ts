/*
 * Pulls a file into another one over a certain link and with a certain engine, some times, and counts what the garbage collector gets to do.
 * Prints {@linkcode Garbage} for each time.
 *
 *   _garbage_puller.ts TICKET OUT LINK ENGINE TIMES
 */
import v8 from "node:v8";
import { parseTicket } from "../codec/ticket.ts";
import { systemRandom } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { ticketId, ticketPsk } from "../crypto/key_schedule.ts";
import { libcryptoEngine } from "../crypto/native/libcrypto_engine.ts";
import { nativeEngine } from "../crypto/native_engine.ts";
import { portableEngine } from "../crypto/portable_engine.ts";
import { openLink } from "../transport/link/open_link.ts";
import type { LinkKind } from "../transport/link/open_link.ts";
import { openOutput } from "../transport/output.ts";
import type { Output } from "../transport/output.ts";
import { PullerShell } from "../transport/puller_shell.ts";

/** What one pull left behind. */
export interface Garbage {
  readonly bytes: number;
  readonly seconds: number;
  /** Bytes of objects that were made on the heap. */
  readonly heap: number;
  /** Bytes of buffers that were made beside the heap: at least, since what came and went between two looks does not show. */
  readonly buffers: number;
}

/** Engines by their names; `undefined` is one that is not here. */
export const engines: Readonly<Record<string, () => Engine | undefined>> = {
  libcrypto: libcryptoEngine,
  native: () => nativeEngine,
  portable: () => portableEngine,
};

// Looking makes garbage as well.
const LOOK_MS = 20;

async function pullOnce(ticket: string, out: string, kind: LinkKind, engine: Engine): Promise<Garbage> {
  const { addresses, exposureId, exposerKey, secret } = parseTicket(ticket);
  const psk = ticketPsk(engine, secret!);
  const link = await openLink({ host: "127.0.0.1", port: 0, kind });
  let output: Output | undefined;
  const shell = new PullerShell(link, {
    ...{ engine, random: systemRandom, staticPrivate: systemRandom(32), exposureId, exposerKey, addresses },
    ticket: { id: ticketId(engine, psk), psk },
    burstPacketsMax: Math.min(link.burstPacketsMax, 1024),
    timeoutMs: 30_000,
    handshakeTimeoutMs: 10_000,
  }, {
    granted: async (_grant, manifest) =>
      (output = await openOutput(out, manifest, exposureId, { force: true })).sink,
    stalled: () => {},
  });
  const before = allocated();
  let [buffers, external] = [0, Deno.memoryUsage().external];
  const looking = setInterval(() => {
    const now = Deno.memoryUsage().external;
    buffers += Math.max(0, now - external);
    external = now;
  }, LOOK_MS);
  const started = performance.now();
  await shell.run();
  const seconds = (performance.now() - started) / 1000;
  clearInterval(looking);
  const heap = allocated() - before;
  const { done: bytes } = shell.machine.progress;
  output!.sink.close();
  return { bytes, seconds, heap, buffers };
}

/** Bytes that were ever taken from the heap. Older type definitions do not know of it. */
function allocated(): number {
  return (v8.getHeapStatistics() as unknown as { total_allocated_bytes: number }).total_allocated_bytes;
}

if (import.meta.main) {
  const [ticket, out, kind, name, times] = Deno.args;
  const engine = engines[name]?.();
  for (let i = 0; i < Number(times); i++) {
    console.log(JSON.stringify(await pullOnce(ticket, out, kind as LinkKind, engine!)));
    Deno.removeSync(`${out}.part`);
    Deno.removeSync(`${out}.part.rgtp`);
  }
  Deno.exit(0);
}
