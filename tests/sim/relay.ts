import type { Address } from "../../codec/address.ts";
import type { SimHost, World } from "./world.ts";

/** Somebody on the way, whom the puller takes for the exposer and the exposer for the puller. */
export class SimRelay implements SimHost {
  /** What becomes of a packet: those that are sent on in its place. */
  filter: (towards: "exposer" | "puller", bytes: Uint8Array) => Uint8Array[];
  readonly address: Address;
  readonly #world: World;
  readonly #exposer: Address;
  readonly #puller: Address;

  /** It passes everything on until `filter` is set. */
  constructor(world: World, address: Address, exposer: Address, puller: Address) {
    this.address = address;
    this.#world = world;
    this.#exposer = exposer;
    this.#puller = puller;
    this.filter = (_towards, bytes) => [bytes];
    world.add(this);
  }

  deliver(_now: number, from: Address, bytes: Uint8Array): void {
    const towards = from.host === this.#exposer.host ? "puller" : "exposer";
    for (const packet of this.filter(towards, bytes)) this.send(towards, packet);
  }

  /** Sends a packet of its own making. */
  send(towards: "exposer" | "puller", bytes: Uint8Array): void {
    this.#world.send(this.address, towards === "puller" ? this.#puller : this.#exposer, bytes);
  }

  deadline(): number {
    return Infinity;
  }

  timeout(): void {}
}
