/*
 * Who moves a file from one side to the other: RGTP through its commands, TCP by nginx and curl, QUIC by Deno. All of them write the
 * file into memory, and what has arrived is compared with what was sent.
 */
import type { Contestant } from "./_contest.ts";
import { quic } from "./_quic.ts";
import { rgtp } from "./_rgtp.ts";
import { tcp } from "./_tcp.ts";

/** All that there are. */
export const contestants: readonly Contestant[] = [
  rgtp("RGTP"),
  rgtp("RGTP batch", "batch"),
  tcp("TCP cubic", "cubic"),
  tcp("TCP BBR", "bbr"),
  quic("QUIC"),
];

/** One of them by its name. */
export function contestant(name: string): Contestant {
  const one = contestants.find((one) => one.name === name);
  if (!one) throw new RangeError(`no contestant is called ${name}`);
  return one;
}
