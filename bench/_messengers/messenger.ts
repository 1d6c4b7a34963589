import type { Credentials } from "../../cluster/mod.ts";

/** One side of a protocol for messages, which talks to the other in another process. */
export interface Messenger {
  /** Sends so many heartbeats; resolves when the other side has dealt with all. */
  beats(count: number): Promise<void>;
  /** Asks something small, and waits for the answer. */
  ping(): Promise<void>;
  /** Sends so many byte strings of a megabyte; resolves when the other side has dealt with all. */
  bulk(chunks: number): Promise<void>;
  close(): Promise<void>;
}

/** A protocol for messages over mutual TLS, with certificates of one authority. */
export interface Protocol {
  readonly name: string;
  /** What it promises of a heartbeat here. */
  readonly promise: string;
  /** Makes it ready to be used. Why it is not here; empty when it is. */
  prepare(): Promise<string>;
  /** Starts what stands between both sides, if something does; gives its port. */
  between?(folder: string): Promise<{ readonly port: number } & AsyncDisposable>;
  /** The side that takes: gives the port to dial. */
  serve(credentials: Credentials, port: number): Promise<number>;
  /** The side that sends. */
  dial(credentials: Credentials, port: number): Promise<Messenger>;
}

/** The name in the serving side's certificate, which is a host's name as well: some protocols dial by that alone. */
export const SERVER = "localhost";

/** What a heartbeat carries. */
export const beat = { cpu_percent: 45.2, ram_used_mb: 2048, instance_count: 12 };

/** A megabyte that does not compress. */
export function megabyte(): Uint8Array {
  const bytes = new Uint8Array(1_000_000);
  for (let at = 0; at < bytes.length; at += 50_000) crypto.getRandomValues(bytes.subarray(at, at + 50_000));
  return bytes;
}

/** @throws {Error} when a heartbeat is not as it must be: all protocols look */
export function checkBeat(data: Partial<typeof beat>): void {
  const { cpu_percent, ram_used_mb, instance_count } = data;
  if (!Number.isFinite(cpu_percent) || !Number.isFinite(ram_used_mb) || !Number.isInteger(instance_count)) {
    throw new Error(`that is no heartbeat: ${JSON.stringify(data)}`);
  }
}
