import type { ListedService, MessageData, ServiceOffer } from "./message_data.ts";

/** What controllers know of an instance of a service. */
export type ServiceRecord = ServiceOffer & {
  readonly instance_id: string;
  readonly node: string;
  /** `HOST:PORT`. */
  readonly address: string;
  readonly healthy: boolean;
  /** Smoothed; 0 while nothing was measured. */
  readonly latency_ms: number;
  /** Checks that have failed since the last good one. */
  readonly failures: number;
};

/** What one look at a service has found. */
export interface Check {
  readonly ok: boolean;
  /** How long the answer took. */
  readonly ms: number;
}

/** One failure may be chance; two in a row are not believed to be. */
const FAILURES_MAX = 2;
/** The share of a new latency in the smoothed one, as TCP has it for round trips (RFC 6298 §2). */
const GAIN = 1 / 8;
/** A latency that has changed by less is not worth telling. */
const NEWS = 0.2;

/** A service that was registered: it is not healthy before it was looked at, unless nobody can look. */
export function registered(
  offer: MessageData["mesh.register"],
  node: string,
  address: string,
): ServiceRecord {
  const { service_name, version, instance_id, protocol, port, health_check, tags } = offer;
  return {
    service_name,
    version,
    instance_id,
    protocol,
    port,
    ...(health_check !== undefined && { health_check }),
    ...(tags !== undefined && { tags }),
    node,
    address,
    healthy: !isChecked(offer),
    latency_ms: 0,
    failures: 0,
  };
}

/** Whether a service can be looked at. */
export function isChecked({ protocol }: ServiceOffer): boolean {
  return protocol === "http" || protocol === "https" || protocol === "tcp";
}

/** The record after a look. */
export function judged(record: ServiceRecord, { ok, ms }: Check): ServiceRecord {
  if (!ok) {
    const failures = record.failures + 1;
    return { ...record, failures, healthy: record.healthy && failures < FAILURES_MAX };
  }
  const { latency_ms: before } = record;
  const latency = before === 0 ? ms : before + (ms - before) * GAIN;
  return { ...record, failures: 0, healthy: true, latency_ms: Math.round(latency * 1000) / 1000 };
}

/** Whether others have to know of a change. */
export function isNews(before: ServiceRecord, after: ServiceRecord): boolean {
  return before.healthy !== after.healthy || before.failures !== after.failures ||
    Math.abs(after.latency_ms - before.latency_ms) > NEWS * Math.max(1, before.latency_ms);
}

/** What a query finds: those that are healthy first, the nearest of them first. */
export function matching(
  records: readonly ServiceRecord[],
  { service_name, filters = {} }: MessageData["mesh.query"],
): ServiceRecord[] {
  return records.filter((record) =>
    record.service_name === service_name &&
    (filters.healthy === undefined || record.healthy === filters.healthy) &&
    (filters.version === undefined || record.version === filters.version)
  ).sort((a, b) => Number(b.healthy) - Number(a.healthy) || a.latency_ms - b.latency_ms);
}

/** As it stands in a list. */
export function listedService(record: ServiceRecord): ListedService {
  const { service_name, version, protocol, instance_id, node, address, healthy, latency_ms } = record;
  return { service_name, version, protocol, instance_id, node, address, healthy, latency_ms };
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})$/;
const HEALTH_CHECK = /^\/[!-~]{0,255}$/;

/** What is wrong with an offer; `undefined` when nothing is. */
export function offerFault({ service_name, port, health_check }: ServiceOffer): string | undefined {
  if (!NAME.test(service_name)) {
    return `'${service_name}' cannot be a service's name: up to 63 letters, digits, '.', '_' and '-'`;
  }
  if (port < 1 || port > 65_535) return `${port} is no port: 1 to 65535`;
  if (health_check !== undefined && !HEALTH_CHECK.test(health_check)) {
    return `'${health_check}' is no path to ask for health: say it like /health`;
  }
  return undefined;
}
