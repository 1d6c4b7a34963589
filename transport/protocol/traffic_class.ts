/** What a kind of transfer gives others, and expects of them. */
export interface TrafficClass {
  /** Length of the queue that it may keep, as a share of that of `normal`. */
  readonly queueShare: number;
  /** Whether it holds its own against those who fill queues. */
  readonly competes: boolean;
  /** How fast it takes what is free, as a multiple of `normal`. */
  readonly growth: number;
  /** Standard deviations of luck that repairs allow for. */
  readonly margin: number;
}

/** The kinds of transfer. */
export const trafficClassNames = ["realtime", "high", "normal", "batch"] as const;

/** The name of a kind of transfer: how it behaves beside other traffic. */
export type TrafficClassName = (typeof trafficClassNames)[number];

/** Kinds of transfer by name. */
export const trafficClasses: Readonly<Record<TrafficClassName, TrafficClass>> = {
  realtime: { queueShare: 0.5, competes: true, growth: 1, margin: 2 },
  high: { queueShare: 1, competes: true, growth: 2, margin: 1.5 },
  normal: { queueShare: 1, competes: true, growth: 1, margin: 1.5 },
  batch: { queueShare: 0.5, competes: false, growth: 1, margin: 0.5 },
};

/** The standing queue of `normal`: never less than this, and on slow paths as long as some packets take. */
const QUEUE_MS_MIN = 3;
const QUEUE_ROOT = 9.7;

/**
 * The queue that a flow may keep, ms, where the path carries `capacity` symbols a ms: of a length that grows with the root of the rate, so
 * that equal flows end up equal.
 */
export function queueTarget({ queueShare }: TrafficClass, capacity: number): number {
  const rooted = capacity > 0 ? QUEUE_ROOT / Math.sqrt(capacity) : QUEUE_MS_MIN;
  return queueShare * Math.max(QUEUE_MS_MIN, rooted);
}
