import { addressBytes } from "../../codec/address.ts";
import type { Address } from "../../codec/address.ts";
import { FragmentedMessage } from "../../codec/handshake.ts";
import type { Handshake as HandshakePacket } from "../../codec/handshake.ts";
import { limits } from "../../core/limits.ts";
import { networkOf } from "./guess_meter.ts";

interface Assembly {
  readonly name: string;
  readonly network: string;
  readonly since: number;
  readonly message: FragmentedMessage;
  /** Its fragments, once the message was whole. */
  answer?: readonly Uint8Array[];
}

/** What came of a fragment: others are awaited; the message is whole; or it was answered before, by this fragment among others. */
export type Assembled =
  | { readonly kind: "waits" }
  | { readonly kind: "whole"; readonly message: HandshakePacket }
  | { readonly kind: "answered"; readonly again: Uint8Array | undefined };

/**
 * First messages of several fragments that exposers put together, for addresses that have proved that they receive. An answer is kept as
 * long: a fragment that comes again gets its part of that and no more, so each part gets lost by itself. All of it is bounded, and the
 * network that has most of it gives way to newcomers.
 */
export class HandshakeAssemblies {
  /** The oldest first. */
  #all: readonly Assembly[] = [];

  /** Messages that are kept. */
  get size(): number {
    return this.#all.length;
  }

  /** Takes a fragment. What it keeps of it is its own. */
  take(now: number, from: Address, fragment: HandshakePacket): Assembled {
    this.expire(now);
    const assembly = this.#find(from, fragment) ?? this.#begin(now, from, fragment);
    if (assembly.answer) return { kind: "answered", again: assembly.answer[fragment.fragment] };
    const message = assembly.message.add(fragment);
    return message ? { kind: "whole", message } : { kind: "waits" };
  }

  /** Keeps the answer to a message that was whole; without one (`undefined`) the message is forgotten. */
  settle(from: Address, message: HandshakePacket, answer: readonly Uint8Array[] | undefined): void {
    const assembly = this.#find(from, message);
    if (!assembly) return;
    if (answer) assembly.answer = answer;
    else this.#all = this.#all.filter((one) => one !== assembly);
  }

  /** Forgets what is too old. */
  expire(now: number): void {
    const isOld = ({ since }: Assembly) => now - since > limits.handshakeFragmentsMsMax;
    if (this.#all.length > 0 && isOld(this.#all[0])) this.#all = this.#all.filter((one) => !isOld(one));
  }

  #find(from: Address, message: HandshakePacket): Assembly | undefined {
    const name = nameOf(from, message);
    return this.#all.find((one) => one.name === name);
  }

  #begin(now: number, from: Address, message: HandshakePacket): Assembly {
    const network = networkOf(from);
    const assembly = { name: nameOf(from, message), network, since: now, message: new FragmentedMessage() };
    const isFull = this.#all.length >= limits.handshakeFragmentedMax;
    this.#all = [...(isFull ? withoutOne(this.#all) : this.#all), assembly];
    return assembly;
  }
}

/** The oldest of the network that has most has to go. */
function withoutOne(all: readonly Assembly[]): readonly Assembly[] {
  const shares = [...Map.groupBy(all, ({ network }) => network).values()];
  const [oldest] = shares.reduce((most, share) => share.length > most.length ? share : most);
  return all.filter((one) => one !== oldest);
}

function nameOf(from: Address, { exchange }: HandshakePacket): string {
  return addressBytes(from).toHex() + exchange.toHex();
}
