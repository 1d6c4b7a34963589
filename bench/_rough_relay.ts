/*
 * Somebody on the way between pullers and one exposer, on loopback: a port that pullers take for the exposer's, which loses packets,
 * damages them, holds them back, or is silent, as it is told from moment to moment.
 */
import type { Address } from "../codec/address.ts";

/** What happens to packets, each way. Shares of them, 0 to 1, and milliseconds. */
export interface Roughness {
  /** Lost. */
  readonly lost: number;
  /** With one to three bits flipped. */
  readonly flipped: number;
  /** Twice. */
  readonly doubled: number;
  /** Without their last bytes. */
  readonly cut: number;
  /** How long each is under way, at least; and up to how much longer, so that one overtakes another. */
  readonly delayMs: number;
  readonly jitterMs: number;
}

/** Nothing happens to them. */
export const smooth: Roughness = { lost: 0, flipped: 0, doubled: 0, cut: 0, delayMs: 0, jitterMs: 0 };

const HOST = "127.0.0.1";
/** A puller that has said nothing for so long has gone. */
const IDLE_MS = 30_000;

/** A puller, and the socket that speaks to the exposer for it. */
interface Client {
  readonly address: Deno.Addr;
  socket: Deno.DatagramConn;
  heardAt: number;
}

/** The way itself. */
export class RoughRelay implements Disposable {
  /** What it does to packets from now on. */
  roughness: Roughness = smooth;
  /** Whether nothing gets through. */
  isSilent = false;
  /** Packets that it was given, and those of them that it did not pass on as they were. */
  readonly counts = { packets: 0, spoilt: 0 };
  readonly #front = listen();
  readonly #target: Deno.NetAddr;
  readonly #float: () => number;
  readonly #clients = new Map<string, Client>();
  readonly #late = new Set<ReturnType<typeof setTimeout>>();
  #isClosed = false;

  /** Before an exposer; `float` is its chance, from 0 up to 1. */
  constructor(target: Address, float: () => number) {
    this.#target = { transport: "udp", hostname: target.host, port: target.port };
    this.#float = float;
    this.#run();
  }

  /** Where pullers find it. */
  get address(): Address {
    return { host: HOST, port: (this.#front.addr as Deno.NetAddr).port };
  }

  /** From now on pullers come to the exposer from other ports, as behind a router that has forgotten them. */
  moveClients(): void {
    for (const client of this.#clients.values()) {
      const { socket } = client;
      client.socket = listen();
      this.#answer(client);
      socket.close();
    }
  }

  /** Twice is fine. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const timer of this.#late) clearTimeout(timer);
    for (const { socket } of this.#clients.values()) socket.close();
    this.#front.close();
  }

  async #run(): Promise<void> {
    for await (const [bytes, from] of this.#front) {
      const client = this.#clientAt(from as Deno.NetAddr);
      client.heardAt = performance.now();
      this.#carry(bytes, (packet) => client.socket.send(packet, this.#target));
    }
  }

  async #answer(client: Client): Promise<void> {
    for await (const [bytes] of client.socket) {
      this.#carry(bytes, (packet) => this.#front.send(packet, client.address));
    }
  }

  #clientAt(address: Deno.NetAddr): Client {
    const key = `${address.hostname} ${address.port}`;
    const known = this.#clients.get(key);
    if (known) return known;
    const now = performance.now();
    for (const [other, { heardAt, socket }] of this.#clients) {
      if (now - heardAt < IDLE_MS) continue;
      socket.close();
      this.#clients.delete(other);
    }
    const client = { address, socket: listen(), heardAt: now };
    this.#clients.set(key, client);
    this.#answer(client);
    return client;
  }

  #carry(bytes: Uint8Array<ArrayBuffer>, send: (packet: Uint8Array<ArrayBuffer>) => Promise<number>): void {
    const { lost, doubled, delayMs, jitterMs } = this.roughness;
    this.counts.packets++;
    const isLost = this.isSilent || this.#float() < lost;
    const packet = isLost ? undefined : this.#damaged(bytes);
    if (packet !== bytes) this.counts.spoilt++;
    if (packet === undefined) return;
    const pass = () => {
      // The other side may have gone: then it is lost like any other.
      if (!this.#isClosed) send(packet).catch(() => {});
    };
    for (let times = this.#float() < doubled ? 2 : 1; times > 0; times--) {
      const ms = delayMs + jitterMs * this.#float();
      if (ms < 1) pass();
      else {
        const timer = setTimeout(() => {
          this.#late.delete(timer);
          pass();
        }, ms);
        this.#late.add(timer);
      }
    }
  }

  #damaged(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const { flipped, cut } = this.roughness;
    if (this.#float() < cut) return bytes.slice(0, Math.floor(this.#float() * bytes.length));
    if (this.#float() >= flipped) return bytes;
    const damaged = bytes.slice();
    for (let bits = 1 + Math.floor(this.#float() * 3); bits > 0; bits--) {
      damaged[Math.floor(this.#float() * bytes.length)] ^= 1 << Math.floor(this.#float() * 8);
    }
    return damaged;
  }
}

function listen(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}
