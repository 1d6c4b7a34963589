import { formatAddress } from "../codec/address.ts";
import type { Ticket } from "../codec/ticket.ts";
import type { Edge } from "../transport/edge.ts";
import type { ExposureEvent } from "../transport/expose.ts";
import type { Io } from "./_io.ts";
import { byAddress, PullerLog } from "./_puller_log.ts";
import { emit } from "./_report.ts";
import { StatsView } from "./_stats_view.ts";
import { StatusLine } from "./_terminal.ts";
import { formatBytes, plural, visible } from "./_text.ts";

const SERVED_MS = 2000;

/** Tells how an edge goes: people in lines, programs in JSON. */
export class EdgeView {
  readonly #io: Io;
  readonly #isJson: boolean;
  readonly #status: StatusLine;
  readonly #log: PullerLog;
  readonly #stats: StatsView | undefined;
  #edge: Edge | undefined;
  #names: ReadonlyMap<string, string> = new Map();
  #saidAt = performance.now();
  #said = 0;

  constructor(io: Io, { json, stats }: { readonly json: boolean; readonly stats: boolean }) {
    this.#io = io;
    this.#isJson = json;
    this.#status = new StatusLine(io);
    this.#stats = stats ? new StatsView(io, json ? undefined : this.#status) : undefined;
    this.#log = new PullerLog(this.#status);
  }

  /** It serves. */
  ready(edge: Edge, upstream: readonly string[], { name, addresses, exposureId }: Ticket): void {
    this.#edge = edge;
    this.#names = new Map([[exposureId.toHex(), name]]);
    const { ticket, id, bytes, address } = edge;
    if (this.#isJson) return emit(this.#io, "ready", { ticket, id, bytes });
    const at = addresses.map(formatAddress).join(", ");
    this.#status.note(
      `an edge of ${visible(name)} (${formatBytes(bytes)}) at ${upstream.join(" or ")}, without its key`,
    );
    this.#status.note(`answering on UDP ${formatAddress(address)}; the ticket names ${at}`);
    this.#status.note("the edge's ticket, which opens nothing by itself:");
    this.#io.out(ticket);
    this.#status.note("to pull by it: rgtp pull TICKET --edge EDGE-TICKET    to stop: Ctrl-C");
  }

  /** A puller came or went. */
  event(event: ExposureEvent): void {
    if (!this.#isJson) this.#log.event(event, this.#edge?.stats().pullers ?? []);
  }

  /** The upstream is lost, or (`undefined`) back. */
  upstream(reason: string | undefined): void {
    if (this.#isJson) {
      return reason === undefined
        ? emit(this.#io, "upstream", { state: "back" })
        : emit(this.#io, "upstream", { state: "lost", message: reason });
    }
    this.#status.note(
      reason === undefined
        ? "the upstream is back"
        : `the upstream is lost, what is here is served: ${visible(reason)}`,
    );
  }

  /** Some time has passed. */
  tick(edge: Edge): void {
    const stats = edge.stats();
    this.#stats?.look([{ names: this.#names, stats }]);
    if (!this.#isJson) return this.#stats ? undefined : this.#log.show(stats);
    const now = performance.now();
    if (now - this.#saidAt < SERVED_MS || stats.bytesSent === this.#said) return;
    this.#saidAt = now;
    this.#said = stats.bytesSent;
    this.#served(edge);
  }

  /** It is about to close. */
  end(edge: Edge): void {
    if (this.#isJson) return this.#served(edge);
    const { bytesSent, bytesPulled, completed } = edge.stats();
    this.#status.clear();
    this.#status.note(
      `stopped: ${formatBytes(bytesSent)} served of ${formatBytes(bytesPulled)} pulled, ${
        plural(completed, "complete pull")
      }`,
    );
  }

  #served(edge: Edge): void {
    const { bytesSent, bytesPulled, pullers } = edge.stats();
    emit(this.#io, "served", { bytes: bytesSent, pulled: bytesPulled, pullers: byAddress(pullers).length });
  }
}
