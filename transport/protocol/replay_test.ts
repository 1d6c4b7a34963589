/*
 * Each handshake message, played back a thousand times to one exposer: it never seals twice under one key and nonce, and it remembers
 * nothing of it.
 */
import { assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/transfer.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { PacketType, readWord } from "../../codec/packet.ts";
import { retry } from "../../codec/control.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import type { Aead, Engine } from "../../crypto/engine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine } from "../../crypto/native_engine.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { ExposerMachine } from "./exposer.ts";
import { OFFERS } from "./handshake_shape.ts";
import { Initiator } from "./initiator.ts";

const TIMES = 1000;
const EVERY_MS = 137;

/** An engine that fails as soon as a key and a nonce seal for the second time. */
class WatchedEngine {
  /** Seals so far. */
  seals = 0;
  readonly #seen = new Map<string, string>();
  readonly engine: Engine = {
    ...nativeEngine,
    xchacha20Poly1305: {
      seal: (key, nonce, aad, plaintext) => {
        this.#record("x", key, nonce, plaintext);
        return nativeEngine.xchacha20Poly1305.seal(key, nonce, aad, plaintext);
      },
      open: (key, nonce, aad, sealed) => nativeEngine.xchacha20Poly1305.open(key, nonce, aad, sealed),
    },
    aead: (name) => this.#watched(nativeEngine.aead(name)),
  };

  #watched(aead: Aead): Aead {
    return {
      name: aead.name,
      seal: (key, nonce, aad, plaintext) => {
        this.#record(aead.name, key, nonce, plaintext);
        return aead.seal(key, nonce, aad, plaintext);
      },
      sealInto: (key, nonce, aad, plaintext, out) => {
        this.#record(aead.name, key, nonce, plaintext);
        aead.sealInto(key, nonce, aad, plaintext, out);
      },
      open: (key, nonce, aad, sealed) => aead.open(key, nonce, aad, sealed),
      openInto: (key, nonce, aad, sealed, out) => aead.openInto(key, nonce, aad, sealed, out),
    };
  }

  #record(kind: string, key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array): void {
    this.seals++;
    const name = `${kind} ${key.toHex()} ${nonce.toHex()}`;
    const before = this.#seen.get(name);
    const hash = nativeEngine.sha256.digest(plaintext).toHex();
    if (before !== undefined) {
      throw new Error(`one key and nonce sealed ${before === hash ? "the same" : "two things"}: ${name}`);
    }
    this.#seen.set(name, hash);
  }
}

const exposure = await simExposure(1, 5000);
const { bytes: random } = seededRandom(1, "replay");
const from = { host: "198.51.100.2", port: 4000 };
const ticket = ticketId(nativeEngine, exposure.psk);

function initiator(
  pattern: "XX" | "IK" | "IKpsk2",
  passphrase?: Uint8Array,
  offers: readonly number[] = OFFERS.off,
  isHybrid = false,
): Initiator {
  return new Initiator({
    offers,
    isHybrid,
    ...(passphrase && { passphrase: passphraseProver(nativeEngine, random, () => passphrase) }),
    engine: nativeEngine,
    random,
    staticPrivate: random(32),
    ask: { kind: 0, exposureId: exposure.sealed.id, ticketId: ticket },
    ...(pattern !== "XX" && { exposerKey: exposure.staticKey }),
    ...(pattern === "IKpsk2" && { psk: exposure.psk }),
  });
}

function exposer(engine: Engine): ExposerMachine {
  const machine = new ExposerMachine(0, { engine, random, staticPrivate: exposure.staticPrivate });
  const exposed = exposedOf(exposure, (id) => id.toHex() === ticket.toHex() ? exposure.psk : "open");
  const passphrase = { stretched: PASSPHRASE, ticketSecret: random(16), ticketId: ticket };
  machine.add({ ...exposed, passphrase });
  return machine;
}

const PASSPHRASE = random(32).slice();
const WRONG = random(32).slice();

/** What the puller sends after so many answers. */
function after(rounds: number, machine: ExposerMachine, now: number, puller: Initiator): Uint8Array {
  for (let i = 0; i < rounds; i++) {
    assertEquals(puller.handle(ask(machine, now, from, puller.packet)[0]), "next");
  }
  return puller.packet;
}

/** What the machine sends in answer. */
function ask(machine: ExposerMachine, now: number, address: typeof from, packet: Uint8Array): Uint8Array[] {
  const sent: Uint8Array[] = [];
  machine.handleDatagram(now, address, packet);
  drain(machine, (output) => output.kind === "send" && sent.push(output.bytes));
  if (now >= machine.deadline) machine.handleTimeout(now);
  drain(machine, (output) => output.kind === "send" && sent.push(output.bytes));
  return sent;
}

/** The message at the moment `now`: XX3 is made with the help of the exposer that it is meant for. */
const messages: Readonly<Record<string, (machine: ExposerMachine, now: number) => Uint8Array>> = {
  XX1: () => initiator("XX").packet,
  IK1: () => initiator("IK").packet,
  IK_PSK1: () => initiator("IKpsk2").packet,
  XX3: (machine, now) => after(1, machine, now, initiator("XX")),
  "IK1 by passphrase": () => initiator("IK", PASSPHRASE).packet,
  "XX3 by passphrase": (machine, now) => after(1, machine, now, initiator("XX", PASSPHRASE)),
  "PASS_PROOF after XX": (machine, now) => after(2, machine, now, initiator("XX", PASSPHRASE)),
  "PASS_PROOF after IK": (machine, now) => after(1, machine, now, initiator("IK", PASSPHRASE)),
  "PASS_PROOF, a wrong one": (machine, now) => after(1, machine, now, initiator("IK", WRONG)),
};

const ways: Readonly<Record<string, (i: number) => { now: number; address: typeof from }>> = {
  "at once, from one address": () => ({ now: 10, address: from }),
  "at once, from a thousand addresses": (i) => ({ now: 10, address: { ...from, port: 3500 + i } }),
  "over two minutes, across the lives of cookies": (i) => ({ now: 10 + i * EVERY_MS, address: from }),
  "over three hours, across the lives of tokens": (i) => ({ now: 10 + i * 11_000, address: from }),
};

for (const [name, make] of Object.entries(messages)) {
  for (const [way, place] of Object.entries(ways)) {
    Deno.test(`replay: ${name} ${TIMES} times ${way}: no key and nonce recur`, () => {
      const watch = new WatchedEngine();
      const machine = exposer(watch.engine);
      const packet = make(machine, 0);
      const answers = new Set<string>();
      let replies = 0;
      for (let i = 0; i < TIMES; i++) {
        const { now, address } = place(i);
        for (const bytes of ask(machine, now, address, packet)) {
          if (readWord(bytes)?.type !== PacketType.HANDSHAKE) continue;
          replies++;
          answers.add(bytes.toHex());
        }
        const { liveTokens, answers: waiting, handshakes } = machine.memory;
        assertEquals([liveTokens, waiting, handshakes], [0, 0, 0]);
      }
      assertGreater(replies, 0);
      assertEquals(answers.size, replies, "two answers are the same");
      assertGreater(watch.seals, replies - 1);
    });
  }
}

Deno.test("replay: under load, a first message with its cookie is answered each time, and never alike", () => {
  const watch = new WatchedEngine();
  const machine = exposer(watch.engine);
  const puller = initiator("IKpsk2");
  let cookie: Uint8Array | undefined;
  for (let i = 0; i < TIMES && !cookie; i++) {
    cookie = retry.decode(ask(machine, 10, from, initiator("XX").packet)[0])?.cookie;
  }
  puller.handleRetry(cookie!.slice());
  const answers = new Set<string>();
  for (let i = 0; i < TIMES; i++) answers.add(ask(machine, 20, from, puller.packet)[0].toHex());
  assertEquals(answers.size, TIMES);
});

for (const pattern of ["XX", "IK", "IKpsk2"] as const) {
  Deno.test(`replay: a hybrid's fragments ${TIMES} times, ${pattern}: no key and nonce recur, and what is remembered is one answer`, () => {
    const watch = new WatchedEngine();
    const machine = exposer(watch.engine);
    const [question] = ask(machine, 0, from, initiator(pattern, undefined, OFFERS.require).packet);
    const puller = initiator(pattern, undefined, OFFERS.require, true);
    puller.handleRetry(retry.decode(question)!.cookie.slice());
    const answers: string[] = [];
    for (let i = 0; i < TIMES; i++) {
      // Ten thousand ms: as long as the cookie is good.
      const sent = puller.packets.flatMap((packet) => ask(machine, 10 * i, from, packet));
      answers.push(...sent.map((bytes) => bytes.toHex()));
      assertLessOrEqual(machine.memory.fragmented, 1);
    }
    // Two packets for two each time; and one answer for as long as it is remembered.
    assertEquals(answers.length, 2 * TIMES);
    assertEquals(new Set(answers).size, 2 * Math.ceil(10 * TIMES / limits.handshakeFragmentsMsMax));
    // From elsewhere they are nothing.
    const elsewhere = puller.packets.flatMap((packet) => ask(machine, 10, { ...from, port: 1 }, packet));
    assertEquals(elsewhere.map((bytes) => readWord(bytes)?.type), [PacketType.RETRY, PacketType.RETRY]);
  });
}

Deno.test("replay: an exposer that does use a key and nonce twice is found", () => {
  const { engine } = new WatchedEngine();
  const [key, nonce, none] = [random(32), random(12), new Uint8Array(0)];
  const aead = engine.aead("chacha20-poly1305");
  aead.seal(key, nonce, none, Uint8Array.of(1));
  aead.seal(key, random(12), none, Uint8Array.of(1));
  assertThrows(() => aead.seal(key, nonce, none, Uint8Array.of(2)), Error, "two things");
  // Fixed randomness is what would do it.
  const machine = new ExposerMachine(0, {
    engine: new WatchedEngine().engine,
    random: (length) => new Uint8Array(length).fill(7),
    staticPrivate: exposure.staticPrivate,
  });
  machine.add(exposedOf(exposure, () => "open"));
  const { packet } = initiator("XX");
  assertThrows(() => [0, 1].map((now) => ask(machine, now, from, packet)), Error, "one key and nonce");
});
