import { formatAddress, hostKind } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Exposure, ExposureEvent } from "../transport/expose.ts";
import { formatStaticKey } from "../transport/exposure/access.ts";
import type { Io } from "./_io.ts";
import { isGranted } from "./_permissions.ts";
import { showQr } from "./_qr.ts";
import { byAddress, PullerLog } from "./_puller_log.ts";
import { RateMeter } from "./_rate_meter.ts";
import { emit } from "./_report.ts";
import type { Looked } from "./_stats_view.ts";
import { StatsView } from "./_stats_view.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, formatPercent, formatRate, formatSeconds, plural, visible } from "./_text.ts";

const SERVED_MS = 2000;

/** Who is told how an exposure goes. */
export interface ExposeView {
  /** So much of standard input is read. */
  reading(bytes: number): void;
  /** So much of the file is sealed. */
  sealing(bytes: number, total: number): void;
  /** It serves. */
  ready(exposure: Exposure): void;
  /** A puller came or went. */
  event(event: ExposureEvent): void;
  /** Some time has passed. */
  tick(exposure: Exposure): void;
  /** It is about to close. */
  end(exposure: Exposure): void;
  /** Takes away what is not to stay. */
  clear(): void;
}

/** For programs: JSON lines. */
export class JsonExposeView implements ExposeView {
  readonly #io: Io;
  readonly #stats: StatsView | undefined;
  #saidAt = performance.now();
  #said: Served = { bytes: 0, pullers: 0, shared: 0 };

  constructor(io: Io, { stats = false } = {}) {
    this.#io = io;
    this.#stats = stats ? new StatsView(io, undefined) : undefined;
  }

  reading(): void {}

  sealing(): void {}

  ready({ ticket, id, bytes, chunks, sealSeconds, access }: Exposure): void {
    emit(this.#io, "ready", { ticket, id, bytes, chunks, sealSeconds, access });
  }

  event(): void {}

  tick(exposure: Exposure): void {
    this.#stats?.look([lookAt(exposure)]);
    const now = performance.now();
    const next = servedBy(exposure);
    const isNews = (Object.keys(next) as (keyof Served)[]).some((key) => next[key] !== this.#said[key]);
    if (now - this.#saidAt < SERVED_MS || !isNews) return;
    this.#saidAt = now;
    this.#said = next;
    emit(this.#io, "served", { ...next });
  }

  end(exposure: Exposure): void {
    emit(this.#io, "served", { ...servedBy(exposure) });
  }

  clear(): void {}
}

/** For people: ticket and addresses, and a line that says who pulls. */
export class HumanExposeView implements ExposeView {
  readonly #io: Io;
  readonly #wanted: { readonly qr: boolean; readonly announce: boolean };
  readonly #status: StatusLine;
  readonly #log: PullerLog;
  readonly #stats: StatsView | undefined;
  readonly #readRate = new RateMeter();
  readonly #sealRate = new RateMeter();
  #exposure: Exposure | undefined;

  /** With the ticket's QR code, or without; for what is announced to the network, or not; with a table of pullers, or a line. */
  constructor(io: Io, wanted = { qr: false, announce: false, stats: false }) {
    this.#io = io;
    this.#wanted = wanted;
    this.#status = new StatusLine(io);
    this.#log = new PullerLog(this.#status);
    this.#stats = wanted.stats ? new StatsView(io, this.#status) : undefined;
  }

  reading(bytes: number): void {
    const rate = this.#readRate.update(performance.now(), bytes);
    this.#status.show(`reading standard input: ${formatBytes(bytes)}, ${formatRate(rate)}`);
  }

  sealing(bytes: number, total: number): void {
    const rate = this.#sealRate.update(performance.now(), bytes);
    const eta = rate > 0 ? `, ${formatSeconds((total - bytes) / rate)} left` : "";
    this.#status.show(
      `sealing: ${formatBytes(bytes)} of ${formatBytes(total)}, ${formatPercent(bytes, total)}, ${
        formatRate(rate)
      }${eta}`,
    );
  }

  ready(exposure: Exposure): void {
    const { ticket, bytes, chunks, sealSeconds, address } = exposure;
    this.#exposure = exposure;
    const { name, addresses } = parseTicket(ticket);
    const note = (text: string) => this.#status.note(text);
    this.#status.clear();
    note(
      `exposing ${visible(name)}: ${formatBytes(bytes)} (${bytes} bytes) in ${
        plural(chunks, "chunk")
      }, sealed in ` +
        formatSeconds(sealSeconds),
    );
    note(
      `answering on ${hostKind(address.host) === "ethernet" ? "" : "UDP "}${
        formatAddress(address)
      }; the ticket names ${addresses.map(formatAddress).join(", ")}`,
    );
    if (addresses.every(({ host }) => isLoopback(host))) note(loopbackHint(address.host));
    note(`the ticket (${whoMayPull(exposure)}):`);
    this.#io.out(ticket);
    if (this.#wanted.qr) showQr(ticket, this.#io);
    if (exposure.access !== "tickets") {
      // Who knows the passphrase needs no key to know the exposer by.
      const how = exposure.access === "passphrase" ? "--password-file -" : `--key ${keyOf(ticket)}`;
      note(`or by its name: rgtp pull ${formatAddress(addresses[0])} ${quoted(name)} ${how}`);
    }
    if (this.#wanted.announce) {
      note("announced to the local network: 'rgtp find' there lists its name, size and address");
    }
    note("to pull it: rgtp pull TICKET [OUT]    to stop: Ctrl-C");
  }

  event(event: ExposureEvent): void {
    this.#log.event(event, this.#exposure?.stats().pullers ?? []);
  }

  tick(exposure: Exposure): void {
    if (this.#stats) this.#stats.look([lookAt(exposure)]);
    else this.#log.show(exposure.stats());
  }

  end(exposure: Exposure): void {
    const { bytesSent, shared, completed } = exposure.stats();
    const memory = shared?.bytesGiven ? `, ${formatBytes(shared.bytesGiven)} shared as memory` : "";
    this.#status.clear();
    this.#status.note(
      `stopped: ${formatBytes(bytesSent)} served${memory}, ${plural(completed, "complete pull")}`,
    );
  }

  clear(): void {
    this.#status.clear();
  }
}

/** Bytes that were sent, who pulls now, and bytes that were handed out as shared memory. */
interface Served {
  readonly bytes: number;
  readonly pullers: number;
  readonly shared: number;
}

function servedBy(exposure: Exposure): Served {
  const { bytesSent: bytes, pullers, shared } = exposure.stats();
  return { bytes, pullers: byAddress(pullers).length, shared: shared?.bytesGiven ?? 0 };
}

function lookAt(exposure: Exposure): Looked {
  const { name, exposureId } = parseTicket(exposure.ticket);
  return { names: new Map([[exposureId.toHex(), name]]), stats: exposure.stats() };
}

function whoMayPull({ access }: Exposure): string {
  if (access === "open") return "whoever can reach this address may pull";
  if (access === "passphrase") return "whoever knows the passphrase may pull";
  return access === "tickets" ? "whoever has it may pull" : "only nodes that are allowed may pull";
}

/** As one word of a shell. */
function quoted(name: string): string {
  return `'${visible(name).replaceAll("'", "'\\''")}'`;
}

function keyOf(ticket: string): string {
  return formatStaticKey(parseTicket(ticket).exposerKey);
}

/** Whether this machine alone reaches it. */
export function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1" || host === "localhost";
}

function loopbackHint(bound: string): string {
  if (isLoopback(bound)) return "only this machine can reach that: leave --host out to let others pull";
  return isGranted({ name: "sys", kind: "networkInterfaces" })
    ? "this machine has no other address: only it can pull"
    : "others cannot reach that: run again with --allow-sys=networkInterfaces, or with --host and an address of this machine";
}
