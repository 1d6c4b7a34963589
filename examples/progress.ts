/*
 * Watches a pull from both sides: events as they happen, numbers a few times a second, and how an error is told.
 *
 *   deno run --allow-net=127.0.0.1,0.0.0.0 examples/progress.ts
 */
import { expose, pull, RgtpError, strerror } from "@red-giant/rgtp";
import type { PullEvent, PullStats } from "@red-giant/rgtp";

const data = new Uint8Array(8_000_000);
for (let at = 0; at < data.length; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536));

await using exposure = await expose(data, {
  host: "127.0.0.1",
  port: 0,
  onEvent: ({ kind, address }) => console.log(`exposer: ${kind} ${address.host}`),
});

// Held to 10 MB/s, so that there is something to watch.
const watched = pull(exposure.ticket, { limitRate: 10_000_000, onEvent: tell });
const ticker = setInterval(() => console.log(line(watched.stats())), 200);
try {
  const bytes = await watched.bytes();
  console.log(`puller: ${bytes.length} bytes, state ${watched.stats().state}`);
} finally {
  clearInterval(ticker);
}

// A pull can be ended from outside at any time; the error has a stable code, and `strerror` its short text.
const stopped = pull(exposure.ticket, { limitRate: 1_000_000, onEvent: tell });
setTimeout(() => stopped.close(), 300);
try {
  await stopped.bytes();
} catch (error) {
  if (!(error instanceof RgtpError)) throw error;
  console.log(`puller: ${error.code} is ${strerror(error.code)}`);
}

function tell(event: PullEvent): void {
  if (event.kind === "granted") {
    console.log(`puller: ${event.source.host} gives ${event.bytes} bytes in ${event.chunks} chunks`);
  } else if (event.kind === "stalled") console.log(`puller: nothing comes: ${event.reason}`);
  else console.log(`puller: ${event.kind}`);
}

function line({ bytes, totalBytes, rate, loss, roundTripMs, sources }: PullStats): string {
  const done = `${(bytes / 1e6).toFixed(1)} of ${(totalBytes / 1e6).toFixed(1)} MB`;
  const path = `loss ${(100 * loss).toFixed(1)} %, round trip ${roundTripMs.toFixed(1)} ms`;
  return `puller: ${done}, ${(rate / 1e6).toFixed(1)} MB/s, ${path}, sources ${sources.length}`;
}
