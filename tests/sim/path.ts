/**
 * What the way from one host to another does to packets, one direction. A packet meets, in this order: the end of the way (`open`), the
 * MTU, a policer, the queue before the bottleneck, loss, and the way behind it.
 *
 * Rates, queues and the MTU count what a datagram occupies on an IPv4 link: {@linkcode HEADER_BYTES} more than its payload.
 */
export interface PathOptions {
  /** Whether anything passes. What is under way when it closes still arrives. */
  readonly open: boolean;
  /** The largest packet, bytes; larger ones vanish, as where fragments and ICMP are filtered. */
  readonly mtu: number;

  /** The link whose queue and policer it goes through, together with all other paths that name the same; absent: one of its own. */
  readonly link?: string;
  /** What a policer lets pass, bytes a second; it drops, and holds nothing back. */
  readonly policedBytesPerSecond: number;
  /** What passes at once after a silence. */
  readonly policedBurstBytes: number;
  /** What the bottleneck carries, bytes a second. */
  readonly bytesPerSecond: number;
  /** What waits before the bottleneck, bytes, the packet in transmission included; a packet that does not fit is dropped. */
  readonly queueBytes: number;
  /** The same as time, ms: a packet that would wait longer is dropped. */
  readonly queueMs: number;

  /** Share of packets that vanish, each on its own. */
  readonly lossRate: number;
  /** Share of packets that vanish in bursts, of `burstPackets` in a row on average (Gilbert's model). */
  readonly burstLossRate: number;
  /** Mean length of a burst, packets: at least 1. */
  readonly burstPackets: number;
  /** After which a burst is over, ms, however few packets it has met. */
  readonly burstMs: number;

  /** Every packet takes this long, ms, after it has left the queue. */
  readonly delayMs: number;
  /** And up to this much longer, ms, evenly spread. */
  readonly jitterMs: number;
  /** Whether jitter makes packets wait for those before them. Otherwise they overtake each other. */
  readonly jitterKeepsOrder: boolean;
  /** Now and then nothing arrives for a while, as where many share the air; what waits comes at its end. The mean length of a pause, ms. */
  readonly pauseMs: number;
  /** And the mean time between two of them, ms. */
  readonly pauseEveryMs: number;
  /** Share of packets that are held back by `reorderMs`, so that later ones overtake them. */
  readonly reorderRate: number;
  /** How long they are held back, ms. */
  readonly reorderMs: number;
  /** Share of packets that come twice. The copy has its own jitter. */
  readonly duplicateRate: number;
  /** Share of packets of which one bit is flipped. Empty ones have none. */
  readonly corruptRate: number;
}

/** Headers of IPv4 (RFC 791, without options) and UDP (RFC 768). */
export const HEADER_BYTES = 28;

/** A perfect path: no time, no loss, no limits. */
export const perfectPath: PathOptions = Object.freeze({
  open: true,
  mtu: 65_535,
  policedBytesPerSecond: Infinity,
  policedBurstBytes: Infinity,
  bytesPerSecond: Infinity,
  queueBytes: Infinity,
  queueMs: Infinity,
  lossRate: 0,
  burstLossRate: 0,
  burstPackets: 1,
  burstMs: Infinity,
  delayMs: 0,
  jitterMs: 0,
  jitterKeepsOrder: false,
  pauseMs: 0,
  pauseEveryMs: Infinity,
  reorderRate: 0,
  reorderMs: 10,
  duplicateRate: 0,
  corruptRate: 0,
});

/** Options by direction. */
export type PathRule = (fromHost: string, toHost: string) => Partial<PathOptions>;

/** Share of packets that a path loses behind its queue, by chance. */
export function lossOf({ lossRate = 0, burstLossRate = 0 }: Partial<PathOptions>): number {
  return 1 - (1 - lossRate) * (1 - burstLossRate);
}
