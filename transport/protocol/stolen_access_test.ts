/*
 * What somebody gets who holds what was another's: a token for something else, a ticket after its end, messages of before that.
 */
import { assert, assertEquals } from "../../tests/_assert.ts";
import { request } from "../../tests/sim/exposer_bench.ts";
import { exposedOf, simExposure } from "../../tests/sim/exposure.ts";
import type { SimExposure } from "../../tests/sim/exposure.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { refusal, RefusalReason, retry } from "../../codec/control.ts";
import { DenialReason } from "../../codec/grant.ts";
import type { Grant } from "../../codec/grant.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import { drain } from "../../core/machine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { ExposerMachine } from "./exposer.ts";
import type { ExposerOutput } from "./exposer_types.ts";
import { OFFERS } from "./handshake_shape.ts";
import type { PostQuantum } from "./handshake_shape.ts";
import { Initiator } from "./initiator.ts";

const { bytes: random } = seededRandom(1, "stolen access");
const us = { host: "198.51.100.2", port: 4000 };
const [small, large] = [
  await simExposure(1, 3 * 4096, { chunkSize: 4096 }),
  await simExposure(2, 40 * 4096, {
    chunkSize: 4096,
  }),
];
const { staticPrivate, staticKey: exposerKey } = small;

/** One exposer of both, each with a ticket of its own. */
class Both {
  readonly machine = new ExposerMachine(0, { engine, random, staticPrivate });
  readonly outputs: ExposerOutput[] = [];
  readonly #revoked = new Set<string>();
  now = 0;

  constructor() {
    for (const exposure of [small, large]) {
      const known = ticketId(engine, exposure.psk).toHex();
      const isGood = (id: Uint8Array) => id.toHex() === known && !this.#revoked.has(known);
      this.machine.add(exposedOf(exposure, (id) => isGood(id) ? exposure.psk : "denied"));
    }
  }

  /** What it does for a packet. */
  hear(packet: Uint8Array): ExposerOutput[] {
    // A second apart, so that each refusal is said.
    this.now += 1000;
    const outputs: ExposerOutput[] = [];
    this.machine.handleDatagram(this.now, us, packet);
    drain(this.machine, (output) => outputs.push(output));
    return outputs;
  }

  /** The packets that it sends for one. */
  answers(packet: Uint8Array): Uint8Array[] {
    return this.hear(packet).flatMap((output) => output.kind === "send" ? [output.bytes] : []);
  }

  revoke({ psk }: SimExposure): void {
    const id = ticketId(engine, psk);
    this.#revoked.add(id.toHex());
    this.machine.revoke(this.now, id);
  }

  grant(exposure: SimExposure): Grant {
    const puller = new Initiator(optionsOf(exposure, "off"));
    const result = puller.handle(this.answers(puller.packet)[0]);
    assert(result && result !== "next" && result.answer.granted);
    return result.answer.grant;
  }
}

function optionsOf({ sealed, psk }: SimExposure, mode: PostQuantum) {
  const ask = { kind: 0, exposureId: sealed.id, ticketId: ticketId(engine, psk) };
  return { engine, random, staticPrivate: random(32), exposerKey, psk, ask, offers: OFFERS[mode] };
}

Deno.test("stolen: a token of one exposure gets pieces of that one alone, and no other's key makes it more", () => {
  const both = new Both();
  const [ofSmall, ofLarge] = [both.grant(small), both.grant(large)];
  for (const [grant, pullKey] of [[ofSmall, ofLarge.pullKey], [ofLarge, ofSmall.pullKey]] as const) {
    assertEquals(both.hear(request({ ...grant, pullKey }, 1)), []);
  }
  assertEquals(both.machine.drops.of("wrong mac"), 2);
  // Chunk 7 is there in the large one.
  assertEquals(both.hear(request(ofSmall, 7)), []);
  assertEquals(both.machine.drops.of("piece out of bounds"), 1);
  const [served] = both.hear(request(ofSmall, 2));
  assert(served.kind === "serve");
  assertEquals(served.puller.exposed.id, small.sealed.id);
  // It ends with its own exposure, and the other goes on.
  both.machine.withdraw(both.now, small.sealed.id);
  drain(both.machine, () => {});
  const [refused] = both.answers(request(ofSmall, 1));
  assertEquals(refusal.decode(refused)?.field, RefusalReason.TOKEN);
  const [other] = both.hear(request(ofLarge, 7));
  assert(other.kind === "serve");
  assertEquals(other.puller.exposed.id, large.sealed.id);
});

Deno.test("stolen: a ticket after its revocation is denied, by plain handshakes and hybrid ones, of its holder and of whoever recorded him", () => {
  const both = new Both();
  const [plain, question] = [
    new Initiator(optionsOf(small, "off")),
    new Initiator(optionsOf(small, "require")),
  ];
  const recorded = both.answers(question.packet);
  assertEquals(recorded.map((bytes) => readWord(bytes)?.type), [PacketType.RETRY]);
  const hybrid = new Initiator({ ...optionsOf(small, "require"), isHybrid: true });
  hybrid.handleRetry(retry.decode(recorded[0])!.cookie.slice());
  const [first, second] = hybrid.packets;
  // One fragment is there before it ends, the other one comes after.
  assertEquals(both.answers(first), []);
  const token = both.grant(small);
  both.revoke(small);
  const halves = both.answers(second);
  assertEquals(halves.length, 2);
  hybrid.handle(halves[0]);
  const results = [hybrid.handle(halves[1]), plain.handle(both.answers(plain.packet)[0])];
  for (const result of results) {
    assert(typeof result === "object");
    assertEquals(result.answer, { granted: false, reason: DenialReason.DENIED });
  }
  const [refused] = both.answers(request(token, 1));
  assertEquals(refusal.decode(refused)?.field, RefusalReason.TOKEN);
  assertEquals(both.machine.handshakes, { granted: 1, answered: 2, denied: 2, dropped: 0 });
  // Other tickets hold.
  assert(both.grant(large));
});

Deno.test("stolen: a grant that was recorded opens nothing for who did not shake the hands himself", () => {
  for (const mode of ["off", "require"] as const) {
    const both = new Both();
    const exchange = (puller: Initiator) => puller.packets.flatMap((packet) => both.answers(packet));
    let [puller, answers] = [new Initiator(optionsOf(small, mode)), [] as Uint8Array[]];
    answers = exchange(puller);
    if (mode === "require") {
      puller = new Initiator({ ...optionsOf(small, mode), isHybrid: true });
      puller.handleRetry(retry.decode(answers[0])!.cookie.slice());
      answers = exchange(puller);
    }
    // The same ticket, another handshake: not even under its name.
    const isHybrid = mode === "require";
    const thief = new Initiator({ ...optionsOf(small, mode), isHybrid });
    const renamed = answers.map((bytes) => {
      const copy = bytes.slice();
      copy.set(thief.exchange, 4);
      return copy;
    });
    for (const bytes of [...answers, ...renamed]) assertEquals(thief.handle(bytes), undefined, mode);
    const own = answers.map((bytes) => puller.handle(bytes)).at(-1);
    assert(typeof own === "object" && own.answer.granted, mode);
  }
});
