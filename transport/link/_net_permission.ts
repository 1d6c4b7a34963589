import { type Address, formatAddress } from "../../codec/address.ts";

/** Peers whose answer is remembered. */
const peersMax = 1024;

/** Deno's permissions for sockets that Deno does not know: foreign functions must not reach whom the user has not allowed. */
export class NetPermission {
  readonly #isWhole: boolean;
  readonly #peers = new Map<string, boolean>();

  constructor() {
    const { state, partial } = Deno.permissions.querySync({ name: "net" });
    this.#isWhole = state === "granted" && !partial;
  }

  /** Whether the peer may be sent to. The user is not asked: thousands of peers may come. */
  allows(peer: Address): boolean {
    if (this.#isWhole) return true;
    const host = formatAddress(peer);
    let known = this.#peers.get(host);
    if (known === undefined) {
      known = Deno.permissions.querySync({ name: "net", host }).state === "granted";
      if (this.#peers.size >= peersMax) this.#peers.clear();
      this.#peers.set(host, known);
    }
    return known;
  }
}
