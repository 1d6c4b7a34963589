import { formatAddress } from "../codec/address.ts";
import type { ExposureEvent, ExposureStats } from "../transport/expose.ts";
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

  /** A puller came or went. */
  event({ kind, address, bytesSent }: ExposureEvent): void {
    const who = formatAddress(address);
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
  show({ pullers, bytesSent }: ExposureStats): void {
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
