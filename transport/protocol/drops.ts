/** Why a packet was dropped. Wrong traffic is counted, never thrown. */
export type DropReason =
  | "malformed"
  | "unknown type"
  | "other version"
  | "unexpected"
  | "wrong tag"
  | "wrong mac"
  | "wrong signature"
  | "address of nobody"
  | "bad token"
  | "unknown exposure"
  | "replayed request"
  | "request too large"
  | "piece out of bounds"
  | "over the limit"
  | "queue full"
  | "handshake not for this key"
  | "handshake too short"
  | "bad cookie"
  | "no proof of a passphrase"
  | "handshake queue full"
  | "draining"
  | "duplicate symbol"
  | "late symbol"
  | "wrong chunk";

/** Counts dropped packets by reason. */
export class DropCounter {
  readonly #counts = new Map<DropReason, number>();

  /** One more. */
  count(reason: DropReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** How many were dropped for `reason`. */
  of(reason: DropReason): number {
    return this.#counts.get(reason) ?? 0;
  }

  /** All counts that are not zero. */
  all(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
