/*
 * Pulls a file into another one over a certain link and with a certain engine, some times, and counts what the garbage collector gets to do.
 * Prints {@linkcode Garbage} for each time, of two pulls: to look at the buffers of one makes more objects than the other one has.
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
  /** Bytes that were pulled. */
  readonly bytes: number;
  readonly seconds: number;
  /** Bytes of objects that were made on the heap. */
  readonly heap: number;
  /**
   * Bytes of buffers that were made beside the heap. At least, since what came and went between two looks does not show; with what looking
   * makes.
   */
  readonly buffers: number;
}

/** Engines by their names; `undefined` is one that is not here. */
export const engines: Readonly<Record<string, () => Engine | undefined>> = {
  libcrypto: libcryptoEngine,
  native: () => nativeEngine,
  portable: () => portableEngine,
};

const LOOK_MS = 20;

type Counted = Omit<Garbage, "buffers">;

async function pullOnce(ticket: string, out: string, kind: LinkKind, engine: Engine): Promise<Counted> {
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
  const started = performance.now();
  await shell.run();
  const seconds = (performance.now() - started) / 1000;
  const heap = allocated() - before;
  const { done: bytes } = shell.machine.progress;
  output!.sink.close();
  Deno.removeSync(`${out}.part`);
  Deno.removeSync(`${out}.part.rgtp`);
  return { bytes, seconds, heap };
}

/** What `work` makes beside the heap. */
async function buffersOf(work: () => Promise<unknown>): Promise<number> {
  let [buffers, external] = [0, Deno.memoryUsage().external];
  const looking = setInterval(() => {
    const now = Deno.memoryUsage().external;
    buffers += Math.max(0, now - external);
    external = now;
  }, LOOK_MS);
  await work();
  clearInterval(looking);
  return buffers;
}

/** Bytes that were ever taken from the heap. Older type definitions do not know of it. */
function allocated(): number {
  return (v8.getHeapStatistics() as unknown as { total_allocated_bytes: number }).total_allocated_bytes;
}

if (import.meta.main) {
  const [ticket, out, kind, name, times] = Deno.args;
  const engine = engines[name]?.();
  for (let i = 0; i < Number(times); i++) {
    const pull = () => pullOnce(ticket, out, kind as LinkKind, engine!);
    const garbage: Garbage = { ...await pull(), buffers: await buffersOf(pull) };
    console.log(JSON.stringify(garbage));
  }
  Deno.exit(0);
}
