import type { Address } from "../codec/address.ts";
import { isLoopback } from "../codec/address.ts";
import { fittingSymbolSize } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../codec/packet.ts";
import { limits } from "../core/limits.ts";
import type { Link } from "./link/link.ts";
import type { PullerOptions } from "./protocol/puller_types.ts";

/** What a link's `burstPacketsMax` counts. */
const PACKET_BYTES = 1452;
/** What may come in one burst, however large the receive buffer: what an exposer lets wait for one puller, who gets nothing for more. */
const BURST_PACKETS_MAX = Math.floor(limits.tokenQueueBytesMax / PACKET_BYTES);
/** The same at first: what is under way is lost when the pull is cut off, and should be little beside what has come. */
const BURST_PACKETS_FIRST = 576;
/** What passes within a machine on any system: macOS sends no datagram that is longer than 9216 bytes unless it is told to. */
const LOOPBACK_PACKET_BYTES = 9000;

/** The packets that a pull asks for over a link, from sources at these addresses: how long they are, and how many may come in one burst. */
export function packetsOver(
  link: Pick<Link, "burstPacketsMax" | "pathBytesMax">,
  addresses: readonly Address[],
): Pick<PullerOptions, "symbolSize" | "burstPacketsMax" | "burstPacketsFirst"> {
  if (link.pathBytesMax !== undefined) {
    const symbolSize = fittingSymbolSize(link.pathBytesMax);
    return { ...bursts(link, 1), ...(symbolSize !== undefined && { symbolSize }) };
  }
  const isWithin = addresses.length > 0 && addresses.every(({ host }) => isLoopback(host));
  if (!isWithin) return bursts(link, 1);
  const symbolSize = fittingSymbolSize(LOOPBACK_PACKET_BYTES)!;
  return { symbolSize, ...bursts(link, (symbolSize + CHUNK_HEADER_BYTES) / PACKET_BYTES) };
}

/** Of packets that are longer by a factor than a link counts. */
function bursts(
  { burstPacketsMax }: Pick<Link, "burstPacketsMax">,
  times: number,
): Pick<PullerOptions, "burstPacketsMax" | "burstPacketsFirst"> {
  const [most, first] = [BURST_PACKETS_MAX, BURST_PACKETS_FIRST]
    .map((packets) => Math.max(1, Math.floor(Math.min(burstPacketsMax, packets) / times)));
  return first < most ? { burstPacketsMax: most, burstPacketsFirst: first } : { burstPacketsMax: most };
}
