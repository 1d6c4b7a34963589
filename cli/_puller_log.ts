import { formatAddress } from "../codec/address.ts";
import type { ExposureEvent, ExposureStats } from "../transport/expose.ts";
import type { PullerStatus } from "../transport/protocol/exposer_types.ts";
import { RateMeter } from "./_rate_meter.ts";
import type { StatusLine } from "./_terminal.ts";
import { formatBytes, formatRate, formatSeconds, plural } from "./_text.ts";

/** So many pullers are told one by one. */
const NAMED_MAX = 3;

/** Tells people who pulls: a line when one comes or goes, and one that lives, with rates. */
export class PullerLog {
  readonly #status: StatusLine;
  readonly #now: () => number;
  readonly #since = new Map<string, number>();
  readonly #meter = new RateMeter();
  #last = "";

  /** `now` is monotonic ms. */
  constructor(status: StatusLine, now: () => number = () => performance.now()) {
    this.#status = status;
    this.#now = now;
  }

  /** A puller came or went, while these pull. */
  event({ kind, address, bytesSent }: ExposureEvent, pulling: readonly PullerStatus[]): void {
    const who = formatAddress(address);
    // It has fallen silent under an old token only.
    if (kind === "left" && pulling.some((puller) => formatAddress(puller.address) === who)) return;
    const since = this.#since.get(who);
    // A grant is renewed in a long pull: that is no news.
    if (kind === "granted" && since !== undefined) return;
    if (kind === "granted") {
      this.#since.set(who, this.#now());
      return this.#status.note(`${who} pulls`);
    }
    this.#since.delete(who);
    const seconds = since === undefined ? 0 : (this.#now() - since) / 1000;
    const sent = `${formatBytes(bytesSent)} sent in ${formatSeconds(seconds)}`;
    if (kind === "left") return this.#status.note(`${who} fell silent: ${sent}; it can go on where it was`);
    const rate = seconds > 0 && bytesSent > 0 ? ` (${formatRate(bytesSent / seconds)})` : "";
    this.#status.note(`${who} has everything: ${sent}${rate}`);
  }

  /** Shows how things are. Without a terminal, only what is news. */
  show({ pullers: tokens, bytesSent }: Pick<ExposureStats, "pullers" | "bytesSent">): void {
    const pullers = byAddress(tokens);
    const rate = this.#meter.update(this.#now(), bytesSent);
    const served = `${formatBytes(bytesSent)} served`;
    const each = pullers.map((puller) => `${formatAddress(puller.address)} ${formatRate(puller.rate)}`);
    const who = pullers.length === 0
      ? "nobody pulls"
      : pullers.length <= NAMED_MAX
      ? each.join(", ")
      : `${plural(pullers.length, "puller")}, ${formatRate(rate)} together`;
    const news = `${pullers.length} ${bytesSent}`;
    if (news === this.#last && rate === 0) return;
    this.#status.show(`${who}; ${served}`);
    this.#last = news;
  }
}

/** Each puller once: after a new handshake one has an old token beside its new one for a while. */
export function byAddress(pullers: readonly PullerStatus[]): PullerStatus[] {
  const merged = new Map<string, PullerStatus>();
  for (const puller of pullers) {
    const who = formatAddress(puller.address);
    const { bytesSent = 0, rate = 0, forMs = 0 } = merged.get(who) ?? {};
    merged.set(who, {
      ...puller,
      bytesSent: puller.bytesSent + bytesSent,
      rate: puller.rate + rate,
      forMs: Math.max(puller.forMs, forMs),
    });
  }
  return [...merged.values()];
}
