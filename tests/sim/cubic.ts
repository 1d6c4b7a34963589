import type { Ack, CongestionControl } from "./tcp.ts";

const C = 0.4;
const BETA = 0.7;
/** What makes the window as fair to Reno as Reno is (RFC 9438 §4.3). */
const ALPHA = 3 * (1 - BETA) / (1 + BETA);
const INITIAL_WINDOW = 10;

/** CUBIC (RFC 9438), without HyStart++ and without undoing what was taken for loss. Windows in segments. */
export class Cubic implements CongestionControl {
  readonly pace = Infinity;
  readonly answersLoss = true;
  #window = INITIAL_WINDOW;
  #threshold = Infinity;
  #most = 0;
  /** The window before the last reduction. */
  #prior = 0;
  /** What Reno's would be. */
  #reno = 0;
  /** When growth after the last reduction began, ms; undefined before the first acknowledgement after it. */
  #epoch: number | undefined;
  /** How long the cubic takes to be back at its plateau, s. */
  #k = 0;

  get window(): number {
    return Math.max(1, Math.floor(this.#window));
  }

  handleAck({ now, delivered, roundTrip, inRecovery }: Ack): void {
    if (inRecovery && this.#window >= this.#threshold) return;
    if (this.#window < this.#threshold) {
      this.#window += delivered;
      return;
    }
    this.#epoch ??= this.#begin(now);
    const seconds = (now - this.#epoch) / 1000;
    const target = Math.min(
      1.5 * this.#window,
      Math.max(this.#window, this.#cubic(seconds + roundTrip / 1000)),
    );
    this.#reno += (this.#reno >= this.#prior ? 1 : ALPHA) * delivered / this.#window;
    this.#window = this.#cubic(seconds) < this.#reno
      ? Math.max(this.#window, this.#reno)
      : this.#window + delivered * (target - this.#window) / this.#window;
  }

  handleLoss(): void {
    // Fast convergence (§4.7): who shrinks makes room for who has come.
    this.#most = this.#window < this.#most ? this.#window * (1 + BETA) / 2 : this.#window;
    this.#prior = this.#window;
    this.#threshold = this.#window = Math.max(2, this.#window * BETA);
    this.#epoch = undefined;
  }

  handleTimeout(): void {
    this.handleLoss();
    this.#window = 1;
  }

  #begin(now: number): number {
    this.#most = Math.max(this.#most, this.#window);
    this.#reno = this.#window;
    this.#k = Math.cbrt((this.#most - this.#window) / C);
    return now;
  }

  #cubic(seconds: number): number {
    return C * (seconds - this.#k) ** 3 + this.#most;
  }
}
