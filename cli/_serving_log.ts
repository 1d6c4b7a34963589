import { formatAddress } from "../codec/address.ts";
import type { ExposureEvent, ServingStats } from "../transport/expose.ts";
import type { Log } from "./_log.ts";
import { byAddress } from "./_puller_log.ts";

const SUMMARY_MS = 60_000;

/** What is served. */
interface Served {
  readonly id: string;
  readonly bytes: number;
  readonly address: { readonly host: string; readonly port: number };
  stats(): ServingStats;
}

/** Writes what happens to whoever serves to a log: who comes and goes, and once a minute what has been done, if there is news. */
export class ServingLog implements Disposable {
  readonly #log: Log;
  #served: Served | undefined;
  #said = "";
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** It serves; `fields` are further facts. */
  ready(served: Served, fields: Readonly<Record<string, unknown>> = {}): void {
    const { id, bytes, address } = served;
    this.#served = served;
    this.#log("info", "serving", { id, bytes, address: formatAddress(address), ...fields });
    this.#said = JSON.stringify(this.#summary(served));
    this.#timer = setInterval(() => this.#tellNews(served), SUMMARY_MS);
  }

  /** A puller came or went. */
  event({ kind, address, bytesSent, handshake }: ExposureEvent): void {
    const fields = { address: formatAddress(address), bytesSent };
    this.#log("info", `pull ${kind}`, handshake ? { ...fields, handshake } : fields);
  }

  /** Something is not as it should be. */
  warning(message: string): void {
    this.#log("warning", "warning", { message });
  }

  /** The upstream is lost, or (`undefined`) back. */
  upstream(message: string | undefined): void {
    if (message === undefined) this.#log("info", "upstream back");
    else this.#log("warning", "upstream lost", { message });
  }

  /** It ends. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    if (this.#served) this.#log("info", "stopped", this.#summary(this.#served));
  }

  #tellNews(served: Served): void {
    const summary = this.#summary(served);
    const news = JSON.stringify(summary);
    if (news !== this.#said) this.#log("info", "served", summary);
    this.#said = news;
    this.#log("debug", "kept", { ...served.stats().memory });
  }

  #summary(served: Served): Record<string, unknown> {
    const { bytesSent, pullers, completed, left, handshakes, drops } = served.stats();
    return { bytesSent, pullers: byAddress(pullers).length, completed, left, handshakes, drops };
  }
}
