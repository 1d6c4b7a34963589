/**
 * What a sender of TCP may send while it repairs a loss: Proportional Rate Reduction (RFC 9937). Its window shrinks by degrees, and while
 * more is being lost it sends no more than arrives: else the loss would never end. All in segments.
 */
export class Repair {
  readonly #underWayBefore: number;
  readonly #window: number;
  #delivered = 0;
  #sent = 0;
  #allowed = 0;

  /** `underWayBefore` were under way when the loss showed; `window` may be when it is repaired. */
  constructor(underWayBefore: number, window: number) {
    this.#underWayBefore = underWayBefore;
    this.#window = window;
  }

  /** What may be sent now. */
  get allowed(): number {
    return this.#allowed;
  }

  /** Something has arrived; `isSafe` when it closes a gap, and nothing more was lost. */
  handleAck(delivered: number, underWay: number, isSafe: boolean): void {
    this.#delivered += delivered;
    if (underWay > this.#window) {
      this.#allowed = Math.ceil(this.#delivered * this.#window / this.#underWayBefore) - this.#sent;
      return;
    }
    const arrived = Math.max(this.#delivered - this.#sent, delivered) + (isSafe ? 1 : 0);
    this.#allowed = Math.min(this.#window - underWay, arrived);
  }

  /** One was sent. */
  handleSend(): void {
    this.#sent++;
    this.#allowed--;
  }
}
