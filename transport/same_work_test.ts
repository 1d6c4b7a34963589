/*
 * To somebody who may not pull, what is there and what is not look alike: the same packets, made with the same work, under every policy and
 * over every handshake. Counted, not timed: `deno task bench:denials` shows the times.
 */
import { AskKind } from "../codec/grant.ts";
import type { Ask } from "../codec/grant.ts";
import { decodeManifest } from "../codec/manifest.ts";
import { drain, systemRandom as random } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { nativeEngine } from "../crypto/native_engine.ts";
import { assert, assertEquals, assertGreater, assertNotEquals } from "../tests/_assert.ts";
import { accessPolicy, formatStaticKey } from "./exposure/access.ts";
import type { AccessOptions } from "./exposure/access.ts";
import { passphraseDoor } from "./exposure/passphrase_door.ts";
import { sealSource } from "./exposure/seal.ts";
import { bytesSource } from "./exposure/source.ts";
import { TicketBook } from "./exposure/ticket_book.ts";
import { ExposerMachine } from "./protocol/exposer.ts";
import { Initiator } from "./protocol/initiator.ts";
import type { InitiatorOptions } from "./protocol/initiator.ts";
import { passphraseProver } from "./protocol/passphrase_prover.ts";

/** Counts what is done with an engine. */
class Counted {
  readonly counts: Record<string, number> = {};
  readonly engine: Engine = {
    ...nativeEngine,
    hmacSha256: this.#counting("hmac", nativeEngine.hmacSha256),
    hkdfExtract: this.#counting("extract", nativeEngine.hkdfExtract),
    hkdfExpand: this.#counting("expand", nativeEngine.hkdfExpand),
    x25519: this.#all("x25519", nativeEngine.x25519),
    sha256: this.#all("sha256", nativeEngine.sha256),
    xchacha20Poly1305: this.#all("xchacha", nativeEngine.xchacha20Poly1305),
    aead: (name) => this.#all(name, nativeEngine.aead(name)),
  };

  #all<Part extends object>(name: string, part: Part): Part {
    const entries = Object.entries(part).map(([key, value]) =>
      typeof value === "function" ? [key, this.#counting(`${name}.${key}`, value)] : [key, value]
    );
    return Object.fromEntries(entries) as Part;
  }

  #counting<Args extends unknown[], Result>(name: string, call: (...args: Args) => Result) {
    return (...args: Args): Result => {
      this.counts[name] = (this.counts[name] ?? 0) + 1;
      return call(...args);
    };
  }
}

const identity = createIdentity(nativeEngine, random(32));
const from = { host: "192.0.2.7", port: 4000 };
const sealed = await sealSource(bytesSource(new Uint8Array(100_000)), {
  engine: nativeEngine,
  chunkSize: 65_536,
  secret: random(32),
  salt: random(32),
});
const friend = formatStaticKey(createIdentity(nativeEngine, random(32)).staticKey);

/** An exposer of something called `there`, and how often its owner's policy was asked. */
function exposer(options: AccessOptions, engine: Engine) {
  const policy = accessPolicy(options);
  const door = options.passphrase === undefined
    ? undefined
    : passphraseDoor(nativeEngine, random, random(32));
  const book = door?.book ?? new TicketBook(nativeEngine, random, Date.now);
  const machine = new ExposerMachine(0, { engine, random, staticPrivate: identity.staticPrivate });
  let asked = 0;
  machine.add({
    id: sealed.id,
    manifestBytes: sealed.manifest,
    manifest: decodeManifest(sealed.manifest),
    exposureKey: sealed.exposureKey,
    leaves: sealed.leaves,
    name: "there",
    access: (ticket, key) => (asked++, policy.decide(book, ticket, key)),
    isAccessPure: policy.kind !== "callback",
    stillGood: () => true,
    ...(door && { passphrase: door.passphrase }),
  });
  return { machine, asked: () => asked };
}

/** What it took to answer this, and the length of what was answered. */
function work(options: AccessOptions, asking: Partial<InitiatorOptions>) {
  const counted = new Counted();
  const { machine, asked } = exposer(options, counted.engine);
  // What is made once, at the start, is not for the asker.
  for (const name of Object.keys(counted.counts)) delete counted.counts[name];
  const engine = nativeEngine;
  const puller = new Initiator({
    engine,
    random,
    staticPrivate: random(32),
    ask: byName("there"),
    ...asking,
  });
  const lengths: number[] = [];
  for (let round = 0; round < 4; round++) {
    const answers: Uint8Array[] = [];
    machine.handleDatagram(1000 * round, from, puller.packet);
    drain(machine, (output) => output.kind === "send" && answers.push(output.bytes));
    assertEquals(answers.length, 1);
    lengths.push(answers[0].length);
    const result = puller.handle(answers[0]);
    assert(result !== undefined);
    if (result === "next") continue;
    assertEquals(result.answer, { granted: false, reason: 1 });
    return { lengths, asked: asked(), ...counted.counts };
  }
  throw new Error("the handshake does not end");
}

const byId = (exposureId: Uint8Array): Ask => ({ kind: AskKind.ID, exposureId, ticketId: random(8) });
const byName = (name: string): Ask => ({ kind: AskKind.NAME, name });

const policies: Readonly<Record<string, AccessOptions>> = {
  tickets: {},
  allow: { allow: [friend] },
  callback: { access: () => false },
  passphrase: { passphrase: "four quiet words here" },
};

const guess = { passphrase: passphraseProver(nativeEngine, random, () => new Uint8Array(32).fill(1)) };

const ways: Readonly<Record<string, Partial<InitiatorOptions>>> = {
  "XX": {},
  "IK": { exposerKey: identity.staticKey },
  "IKpsk2": { exposerKey: identity.staticKey, psk: random(32) },
  "XX, by passphrase": guess,
  "IK, by passphrase": { exposerKey: identity.staticKey, ...guess },
};

for (const [name, options] of Object.entries(policies)) {
  Deno.test(`policy ${name}: denied and absent take the same work, and get answers of one length`, () => {
    for (const [way, asking] of Object.entries(ways)) {
      for (
        const [there, absent] of [[byId(sealed.id), byId(random(32))], [byName("there"), byName("other")]]
      ) {
        const denied = work(options, { ...asking, ask: there });
        const nothing = work(options, { ...asking, ask: absent });
        // An owner's function is asked about what is there alone, and is all that differs.
        if (name === "callback") assertEquals(work(options, { ...asking, ask: absent }).asked, 0);
        const { asked: _, ...seen } = denied;
        const { asked: __, ...unseen } = nothing;
        assertEquals(seen, unseen, way);
        if (name !== "callback") assertEquals(denied.asked, nothing.asked, way);
      }
    }
  });
}

Deno.test("the work is counted: more of it is seen, and a passphrase costs two points more on this side", () => {
  const plain = work({}, ways.IK) as unknown as Record<string, number>;
  const secured = work({}, ways["IK, by passphrase"]) as unknown as Record<string, number>;
  assertGreater(plain["x25519.sharedSecret"], 3);
  assertEquals(secured["x25519.sharedSecret"], plain["x25519.sharedSecret"] + 2);
  assertNotEquals(work({}, ways.XX).lengths, work({}, ways.IK).lengths);
});
