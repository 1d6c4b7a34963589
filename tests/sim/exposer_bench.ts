import { assert } from "../_assert.ts";
import type { Address } from "../../codec/address.ts";
import type { Grant } from "../../codec/grant.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import type { PullRequest, RequestEntry } from "../../codec/pull_request.ts";
import { drain } from "../../core/machine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { packetMac } from "../../crypto/tokens.ts";
import { ExposerMachine } from "../../transport/protocol/exposer.ts";
import type { ExposerOptions, ExposerOutput } from "../../transport/protocol/exposer_types.ts";
import { Initiator } from "../../transport/protocol/initiator.ts";
import { exposedOf, simExposure } from "./exposure.ts";
import type { SimExposure } from "./exposure.ts";
import { seededRandom } from "./random.ts";
import type { SeededRandom } from "./random.ts";

/** Chance of all of them. */
export const { bytes: random, integer }: SeededRandom = seededRandom(1, "exposer");
/** 977 chunks of three symbols of 1428 bytes each. */
export const exposure: SimExposure = await simExposure(1, 4_000_000, { chunkSize: 4096 });
const { sealed, staticPrivate, staticKey: exposerKey, psk } = exposure;
/** ID of the one ticket. */
export const known: Uint8Array = ticketId(engine, psk);
/** Where the puller is that a test plays. */
export const us: Address = { host: "198.51.100.2", port: 4000 };

type Serve = Extract<ExposerOutput, { kind: "serve" }>;

/** An exposer's machine whose serves take as long as a test wants. */
export class ExposerBench {
  now = 1000;
  readonly machine: ExposerMachine;
  readonly sent: { to: Address; bytes: Uint8Array }[] = [];
  readonly serving: Serve[] = [];
  readonly events: ExposerOutput[] = [];
  readonly revoked = new Set<string>();
  served = 0;

  constructor(options: Partial<ExposerOptions> = {}) {
    this.machine = new ExposerMachine(this.now, { engine, random, staticPrivate, ...options });
    this.machine.add(
      exposedOf(
        exposure,
        (id) => id.toHex() === known.toHex() && !this.revoked.has(id.toHex()) ? psk : "denied",
      ),
    );
  }

  drain(): void {
    drain(this.machine, (output) => {
      if (output.kind === "send") this.sent.push(output);
      else if (output.kind === "serve") this.serving.push(output);
      else this.events.push(output);
    });
  }

  hear(from: Address, packet: Uint8Array): void {
    this.machine.handleDatagram(this.now, from, packet);
    this.drain();
  }

  /** Ends the serves under way, and those that follow. */
  serveAll(ok = true): void {
    for (let serve = this.serving.shift(); serve; serve = this.serving.shift()) this.end(serve, ok);
  }

  end(serve: Serve, ok = true): void {
    this.served += serve.bytes;
    this.machine.handleServed(this.now, serve.puller, ok);
    this.drain();
  }

  tick(ms: number): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now = Math.min(end, Math.max(this.now, this.machine.deadline));
      this.machine.handleTimeout(this.now);
      this.drain();
    }
  }

  grant(from = us): Grant {
    const puller = new Initiator({
      engine,
      random,
      staticPrivate: random(32),
      exposerKey,
      psk,
      ask: { kind: 0, exposureId: sealed.id, ticketId: known },
    });
    this.hear(from, puller.packet);
    const result = puller.handle(this.sent.pop()!.bytes);
    assert(result && result !== "next" && result.answer.granted);
    return result.answer.grant;
  }
}

/** The flow tag of requests. */
export const tag: Uint8Array = random(8);

/** All data of these chunks. */
export function entriesOf(...chunks: number[]): RequestEntry[] {
  return chunks.map((piece) => ({ piece, first: 0, count: 3, parityFirst: 0, parityCount: 0 }));
}

/** A PULL_REQUEST for the chunk of its number, or for what `changes` say. */
export function request(grant: Grant, number: number, changes: Partial<PullRequest> = {}): Uint8Array {
  const { token, receipt, pullKey } = grant;
  const common = {
    tag,
    number,
    receipt,
    received: 0,
    token,
    symbolSize: 1428,
    sections: [entriesOf(number)],
  };
  return encodePullRequest({ ...common, ...changes }, (packet) => packetMac(engine, pullKey, packet));
}
