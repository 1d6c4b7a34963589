/*
 * Asks to pull, and leaves as soon as it is granted. Does so once for each line that it reads, and prints `{ms}`: from the first packet to the
 * grant, or -1 when there was none.
 *
 *   _newcomer.ts TICKET
 */
import { pull } from "../transport/mod.ts";
import { lines } from "./_processes.ts";

const [ticket] = Deno.args;
/** Longer than anybody waits. */
const PATIENCE_MS = 30_000;

async function grantedAfter(): Promise<number> {
  const leaving = new AbortController();
  const began = performance.now();
  let ms = -1;
  const onEvent = ({ kind }: { kind: string }) => {
    if (kind !== "granted") return;
    ms = performance.now() - began;
    leaving.abort();
  };
  const asking = pull(ticket, {
    ...{ shared: false, link: "linux_udp" as const, onEvent },
    ...{ signal: leaving.signal, timeoutMs: PATIENCE_MS },
  });
  // It ends by itself or by us, in either case with an error.
  await asking.bytes().catch(() => {});
  return ms;
}

for await (const _ of lines(Deno.stdin.readable)) console.log(JSON.stringify({ ms: await grantedAfter() }));
