import type { Manifest } from "../codec/manifest.ts";
import { chunkCount } from "../codec/manifest.ts";
import type { Ticket } from "../codec/ticket.ts";
import type { PullerMachine } from "./protocol/puller.ts";
import type { PullStats } from "./pull_stats.ts";
import { trace } from "./telemetry.ts";
import type { Facts, Trace } from "./telemetry.ts";

/** A pull that is being traced. */
export interface PullTrace extends Pick<Trace, "part"> {
  /** The exposer has granted it. */
  granted(manifest: Manifest, machine: PullerMachine): void;
}

/** What of a pull is told. */
export interface TracedPull {
  readonly ticket: Ticket;
  /** What it has done so far. */
  readonly stats: () => PullStats;
  /** Absent before it has an address to ask. */
  readonly machine: () => PullerMachine | undefined;
}

/** Traces a pull, or a comparison of what is here with what is exposed, and the handshake in it. */
export async function tracedPull<Result>(
  operation: "pull" | "verify",
  { ticket: { exposureId }, stats, machine }: TracedPull,
  run: (trace: PullTrace) => Promise<Result>,
): Promise<Result> {
  const id = exposureId.toBase64({ alphabet: "base64url", omitPadding: true });
  const whole = await trace(operation, { "rgtp.exposure.id": id });
  let isShaken = false;
  const shaken = (since: number, facts: Facts, error?: unknown) => {
    isShaken = true;
    whole.part("handshake", facts, since).end(error);
  };
  const granted = (manifest: Manifest, { source, times }: PullerMachine) => {
    const peer = { "network.peer.address": source!.host, "network.peer.port": source!.port };
    shaken(times.startedAt, peer);
    whole.set({ ...peer, "rgtp.exposure.bytes": manifest.totalSize, "rgtp.chunks": chunkCount(manifest) });
  };
  try {
    const result = await run({ part: whole.part, granted });
    whole.set(factsOf(stats()));
    whole.end();
    return result;
  } catch (error) {
    const asking = machine();
    if (asking && !isShaken) shaken(asking.times.startedAt, {}, error);
    whole.set(factsOf(stats()));
    whole.end(error);
    throw error;
  }
}

function factsOf(stats: PullStats): Facts {
  return {
    "rgtp.bytes": stats.bytes,
    "rgtp.reused_bytes": stats.reusedBytes,
    "rgtp.shared_bytes": stats.sharedBytes,
    "rgtp.wire_bytes": stats.wireBytes,
    "rgtp.loss": stats.loss,
    "rgtp.round_trip_ms": stats.roundTripMs,
    "rgtp.sources": stats.sources.length,
    ...(stats.sources.length > 0 && { "rgtp.handshake": stats.sources[0].handshake }),
  };
}
