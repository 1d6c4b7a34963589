import { formatAddress, hostKind } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import type { LinkStats } from "./link/link.ts";

/**
 * What this machine's network says of packets to addresses that do not answer, for people: what their names stand for, and what the
 * system has refused. Empty when there is nothing to say.
 */
export function networkWords(
  asked: readonly Address[],
  found: readonly Address[],
  { packetsSent, sendErrors, lastSendError, lastReceiveError }: LinkStats,
): string {
  const names = asked.filter(({ host }) => hostKind(host) === "name").map(formatAddress);
  const words: string[] = [];
  if (names.length > 0) {
    words.push(`${names.join(", ")} stands for ${found.map(({ host }) => host).join(", ")}`);
  }
  if (sendErrors > 0) {
    const which = packetsSent === 0 ? "no packet" : "not every packet";
    words.push(`this machine's network takes ${which}: ${lastSendError}`);
  }
  // Where the system tells: that nobody listens on the port, or that there is no way.
  if (lastReceiveError !== undefined) words.push(`the network says: ${lastReceiveError}`);
  return words.join("; ");
}
