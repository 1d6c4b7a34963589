import type { Address } from "../codec/address.ts";
import { isLoopback } from "../codec/address.ts";
import { fittingSymbolSize } from "../codec/geometry.ts";
import { CHUNK_HEADER_BYTES } from "../codec/packet.ts";
import type { Link } from "./link/link.ts";
import type { PullerOptions } from "./protocol/puller_types.ts";

/** What a link's `burstPacketsMax` counts. */
const PACKET_BYTES = 1452;
/** What may come in one burst, however large the receive buffer: more gains nothing, measured, and is lost when the pull is cut off. */
const BURST_PACKETS_MAX = 768;
/** What passes within a machine on any system: macOS sends no datagram that is longer than 9216 bytes unless it is told to. */
const LOOPBACK_PACKET_BYTES = 9000;

/** The packets that a pull asks for over a link, from sources at these addresses: how long they are, and how many may come in one burst. */
export function packetsOver(
  link: Pick<Link, "burstPacketsMax" | "pathBytesMax">,
  addresses: readonly Address[],
): Pick<PullerOptions, "symbolSize" | "burstPacketsMax"> {
  const burstPacketsMax = Math.min(link.burstPacketsMax, BURST_PACKETS_MAX);
  if (link.pathBytesMax !== undefined) {
    const symbolSize = fittingSymbolSize(link.pathBytesMax);
    return { burstPacketsMax, ...(symbolSize !== undefined && { symbolSize }) };
  }
  if (addresses.length === 0 || !addresses.every(({ host }) => isLoopback(host))) return { burstPacketsMax };
  const symbolSize = fittingSymbolSize(LOOPBACK_PACKET_BYTES)!;
  const times = (symbolSize + CHUNK_HEADER_BYTES) / PACKET_BYTES;
  return { symbolSize, burstPacketsMax: Math.max(1, Math.floor(burstPacketsMax / times)) };
}
