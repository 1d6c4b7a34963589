import type { ResourceStatus } from "./message_data.ts";

/** What an instance takes of a node. */
export type Demand = {
  readonly cpu_cores: number;
  readonly ram_mb: number;
  readonly disk_mb: number;
};

/** A part of a node that is kept for an instance. */
export type Reservation = Demand & {
  /** Ms since 1970; 0: as long as the instance runs. */
  readonly expires_at: number;
};

/** What controllers know of a node. All that is reserved of it stands in here, so that one comparison decides who was first. */
export type NodeRecord = {
  readonly node: string;
  /** What it has reported last, and when: ms since 1970. */
  readonly status: ResourceStatus;
  readonly reported_at: number;
  /** It wants to leave: nothing is placed there. */
  readonly leaving: boolean;
  /** By instance. */
  readonly reservations: { readonly [instance: string]: Reservation };
};

/** A node that has reported for the first time, or again. */
export function reported(
  known: NodeRecord | undefined,
  node: string,
  status: ResourceStatus,
  now: number,
): NodeRecord {
  const { reservations = {}, leaving = false } = known ?? {};
  return { node, status, reported_at: now, leaving, reservations: current(reservations, now) };
}

/**
 * What can still be reserved. Of processors that is all that the node has less what is reserved: who is idle now may be busy later. Memory
 * and disk are gone when anybody has taken them.
 */
export function free(record: NodeRecord, now: number): Demand {
  const { cpu, ram, disk } = record.status;
  const taken = { cpu_cores: 0, ram_mb: 0, disk_mb: 0 };
  for (const one of Object.values(current(record.reservations, now))) {
    taken.cpu_cores += one.cpu_cores;
    taken.ram_mb += one.ram_mb;
    taken.disk_mb += one.disk_mb;
  }
  return {
    cpu_cores: Math.max(0, cpu.total_cores - taken.cpu_cores),
    ram_mb: Math.max(0, Math.min(ram.total_mb - taken.ram_mb, ram.available_mb)),
    disk_mb: Math.max(0, Math.min(disk.total_gb * 1024 - taken.disk_mb, disk.available_gb * 1024)),
  };
}

/** Whether there is room for a demand. */
export function fits(room: Demand, demand: Demand): boolean {
  return demand.cpu_cores <= room.cpu_cores && demand.ram_mb <= room.ram_mb && demand.disk_mb <= room.disk_mb;
}

/** The record with one more reservation, or with another one in its place; those that have expired are left out. */
export function reserve(
  record: NodeRecord,
  instance: string,
  reservation: Reservation,
  now: number,
): NodeRecord {
  const { cpu_cores, ram_mb, disk_mb, expires_at } = reservation;
  const kept = { cpu_cores, ram_mb, disk_mb, expires_at };
  return { ...record, reservations: { ...current(record.reservations, now), [instance]: kept } };
}

/** The record without a reservation. */
export function release(record: NodeRecord, instance: string): NodeRecord {
  const { [instance]: _, ...reservations } = record.reservations;
  return { ...record, reservations };
}

/** Those that have not expired. */
export function current(
  reservations: NodeRecord["reservations"],
  now: number,
): Record<string, Reservation> {
  return Object.fromEntries(
    Object.entries(reservations).filter(([, { expires_at }]) => expires_at === 0 || expires_at > now),
  );
}

/** What is wrong with a demand; `undefined` when nothing is. */
export function demandFault({ cpu_cores, ram_mb, disk_mb }: Demand): string | undefined {
  for (const [name, value] of Object.entries({ cpu_cores, ram_mb, disk_mb })) {
    if (!(value >= 0)) return `${name} is ${value}: it must not be less than 0`;
  }
  return undefined;
}
