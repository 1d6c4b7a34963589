import { cpuUsage } from "node:process";
import type { EdgeStats } from "../transport/edge.ts";
import type { ExposureStats, ServingStats } from "../transport/expose.ts";
import { byAddress } from "./_puller_log.ts";

/** The figures of an exposure or an edge. */
export type ServedStats = ServingStats & Partial<ExposureStats & EdgeStats>;

/** Figures by the value of a metric's label; `undefined` stands for a part that is not there. */
type Figures = Readonly<Record<string, number | undefined>>;

/** One metric. */
export interface Metric<From = ServedStats> {
  /** As Prometheus names such things. */
  readonly name: string;
  /** Counters only grow. */
  readonly kind: "counter" | "gauge";
  /** What it counts. */
  readonly help: string;
  /** What tells its figures apart. All values come from this program: nothing that a stranger sends becomes one. */
  readonly label?: string;
  /** The figures; a metric without a label has one, under any key. */
  readonly read: (from: From) => Figures;
}

/** The figures of several sources, added up, by the value of the metric's label. */
export function figuresOf<From>({ read }: Metric<From>, sources: readonly From[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [key, value] of sources.flatMap((source) => Object.entries(read(source)))) {
    if (value !== undefined) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/** What is told of an exposure or an edge. No name, ticket, key or address is in it. */
export const metricTable: readonly Metric[] = [
  {
    name: "rgtp_sent_bytes_total",
    kind: "counter",
    help: "Bytes of chunks sent to pullers, headers included",
    read: ({ bytesSent }) => ({ bytesSent }),
  },
  {
    name: "rgtp_upstream_bytes_total",
    kind: "counter",
    help: "Bytes of chunks that an edge has pulled from its upstream, headers included",
    read: ({ bytesPulled }) => ({ bytesPulled }),
  },
  {
    name: "rgtp_shared_bytes_total",
    kind: "counter",
    help: "Bytes handed to pullers on this machine as shared memory",
    read: ({ shared }) => ({ bytesGiven: shared?.bytesGiven }),
  },
  {
    name: "rgtp_pullers",
    kind: "gauge",
    help: "Pullers that pull now",
    read: ({ pullers }) => ({ pullers: byAddress(pullers).length }),
  },
  {
    name: "rgtp_group_receivers",
    kind: "gauge",
    help: "Receivers of a multicast group that still want something",
    read: ({ multicast }) => ({ receivers: multicast?.receivers }),
  },
  {
    name: "rgtp_pulls_total",
    kind: "counter",
    help: "Pulls that were completed, or that fell silent before",
    label: "outcome",
    read: ({ completed, left }) => ({ completed, left }),
  },
  {
    name: "rgtp_handshakes_total",
    kind: "counter",
    help: "Handshake packets that were granted, answered with something short of that, denied, or dropped",
    label: "outcome",
    read: ({ handshakes }) => handshakes,
  },
  {
    name: "rgtp_dropped_packets_total",
    kind: "counter",
    help: "Packets that were dropped, by reason",
    label: "reason",
    read: ({ drops }) => drops,
  },
  {
    name: "rgtp_shared_drops_total",
    kind: "counter",
    help: "Asks for shared memory that were not answered, by reason",
    label: "reason",
    read: ({ shared }) => shared?.drops ?? {},
  },
  {
    name: "rgtp_chunks_total",
    kind: "counter",
    help:
      "Chunks sealed, sealed again as they were no longer held, cut into packets, or read back from a spill file",
    label: "work",
    read: ({ store }) => ({
      sealed: store?.seals,
      resealed: store?.reseals,
      read_back: store?.spillReads,
    }),
  },
  {
    name: "rgtp_memory_bytes",
    kind: "gauge",
    help: "Bytes held: packets ready to be sent, and memory to be shared",
    label: "of",
    read: ({ storeBytes, shared }) => ({ store: storeBytes, shared: shared?.memoryBytes }),
  },
  {
    name: "rgtp_kept",
    kind: "gauge",
    help:
      "What is kept for others for a moment: pullers, answers and handshakes that wait, hosts refused of late",
    label: "of",
    read: ({ memory }) => ({
      pullers: memory.liveTokens,
      answers: memory.answers,
      handshakes: memory.handshakes,
      fragmented: memory.fragmented,
      refusals: memory.refusals,
    }),
  },
  {
    name: "rgtp_queued_bytes",
    kind: "gauge",
    help: "Bytes of answers that wait to be sent",
    read: ({ memory }) => ({ answerBytes: memory.answerBytes }),
  },
  {
    name: "rgtp_datagrams_total",
    kind: "counter",
    help:
      "Datagrams of the socket: sent, received, refused by the network, or dropped as nobody fetched them",
    label: "outcome",
    read: ({ link }) => ({
      sent: link.packetsSent,
      received: link.packetsReceived,
      refused: link.sendErrors,
      not_fetched: link.receiveDrops,
    }),
  },
];

/** What is told of the process, by the names that Prometheus' own libraries give it. */
export const processMetrics: readonly Metric<void>[] = [
  {
    name: "process_resident_memory_bytes",
    kind: "gauge",
    help: "Memory of this process, in bytes",
    read: () => ({ rss: Deno.memoryUsage().rss }),
  },
  {
    name: "process_cpu_seconds_total",
    kind: "counter",
    help: "Time of processors that this process has taken, in seconds",
    read: () => {
      const { user, system } = cpuUsage();
      return { seconds: (user + system) / 1e6 };
    },
  },
  {
    name: "process_start_time_seconds",
    kind: "gauge",
    help: "When this process began, in seconds since 1970",
    read: () => ({ seconds: performance.timeOrigin / 1000 }),
  },
];
