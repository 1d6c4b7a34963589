/*
 * What an address that has proved nothing can make an exposer send: for every packet that needs no proof, the bytes of the answers by the
 * bytes of the question. A forged sender is no lever as long as that is 1 at most: his victim gets no more than he has to send himself.
 */
import { assert, assertEquals, assertLessOrEqual } from "../../tests/_assert.ts";
import { exposedOf, simExposure } from "../../tests/sim/exposure.ts";
import { seededRandom } from "../../tests/sim/random.ts";
import { projectText } from "../../tools/project_files.ts";
import { keepalive, rateReport } from "../../codec/control.ts";
import { AskKind } from "../../codec/grant.ts";
import type { Ask } from "../../codec/grant.ts";
import { decodeHandshake, encodeHandshake } from "../../codec/handshake.ts";
import { PacketType, PROTOCOL_VERSION, readWord, writeWord } from "../../codec/packet.ts";
import type { PacketTypeName } from "../../codec/packet.ts";
import { encodePullRequest } from "../../codec/pull_request.ts";
import { TOKEN_BYTES } from "../../codec/token.ts";
import { limits } from "../../core/limits.ts";
import { drain } from "../../core/machine.ts";
import { ticketId } from "../../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { passphraseProver } from "./passphrase_prover.ts";
import { ExposerMachine } from "./exposer.ts";
import type { Exposed } from "./exposed.ts";
import { DEFAULT_RATE_POLICY } from "./group_rate.ts";
import { OFFERS } from "./handshake_shape.ts";
import { Initiator } from "./initiator.ts";
import type { InitiatorOptions } from "./initiator.ts";

const { bytes: random } = seededRandom(1, "amplification");
const fresh = (length: number) => random(length).slice();
// As many leaves as a grant may hold.
const exposure = await simExposure(1, 16 * 4096, { chunkSize: 4096 });
const { staticPrivate, staticKey: exposerKey, psk, sealed } = exposure;
const knownTicket = ticketId(engine, psk);
const openId = fresh(32);
const groupId = fresh(32);
const secured = {
  id: fresh(32),
  passphrase: { stretched: fresh(32), ticketSecret: fresh(16), ticketId: knownTicket },
};
const victim = { host: "198.51.100.99", port: 666 };
/** A name of nothing, as long as one may be. */
const longestName = "n".repeat(limits.nameBytesMax);

/** What makes a grant long: sixteen leaves, the longest name, a door to shared memory. */
function largest(access: Exposed["access"]): Exposed {
  return { ...exposedOf(exposure, access), name: longestName, share: fresh(16) };
}

/** With it the leaves do not fit any more. */
const cast = {
  group: { address: { host: "ff02::1:2", port: 9000 }, tag: fresh(8), key: fresh(32), symbolSize: 1428 },
  policy: DEFAULT_RATE_POLICY,
};

function exposer(): ExposerMachine {
  const machine = new ExposerMachine(0, { engine, random, staticPrivate });
  machine.add(largest((id) => id.toHex() === knownTicket.toHex() ? psk : "denied"));
  machine.add({ ...largest(() => "open"), id: openId });
  machine.add({ ...largest(() => "open"), id: groupId, cast });
  machine.add({ ...largest(() => "denied"), ...secured });
  machine.add({ ...largest(() => "open"), id: fresh(32), isList: true });
  return machine;
}

const byId = (exposureId: Uint8Array, id = new Uint8Array(8)): Ask => ({
  kind: AskKind.ID,
  exposureId,
  ticketId: id,
});

/** A puller's first message. */
function first(options: Partial<InitiatorOptions> = {}): Uint8Array {
  const ask = byId(openId);
  return new Initiator({ engine, random, staticPrivate: random(32), ask, ...options }).packet;
}

/** A first message in which one thing is another. */
function changed(changes: Partial<NonNullable<ReturnType<typeof decodeHandshake>>>): Uint8Array {
  return encodeHandshake({ ...decodeHandshake(first({ exposerKey }))!, ...changes });
}

/** The first packet of a message that shows a cookie nobody gave. */
function withCookie(options: Partial<InitiatorOptions>): Uint8Array {
  const puller = new Initiator({ engine, random, staticPrivate: random(32), ask: byId(openId), ...options });
  puller.handleRetry(random(16));
  return puller.packet;
}

/** A packet of one type with any content, and as short as its answer. */
function shortest(type: number, version = PROTOCOL_VERSION): Uint8Array {
  const packet = random(12).slice();
  writeWord(packet, type, 0, 0);
  packet[0] = (version << 4) | type;
  return packet;
}

const invented = { token: fresh(TOKEN_BYTES), tag: fresh(8), number: 1 };
const mac = () => random(8);

/** What anybody can send to an exposer without having heard anything from it. */
const questions: Readonly<Record<string, () => Uint8Array>> = {
  "HANDSHAKE XX1": first,
  "HANDSHAKE IK1, granted": () => first({ exposerKey }),
  "HANDSHAKE IK1, granted with a group": () => first({ exposerKey, ask: byId(groupId) }),
  "HANDSHAKE IK1, denied": () => first({ exposerKey, ask: byId(fresh(32)) }),
  "HANDSHAKE IK1, a name": () => first({ exposerKey, ask: { kind: AskKind.NAME, name: longestName } }),
  "HANDSHAKE IK1, the list": () => first({ exposerKey, ask: { kind: AskKind.LIST } }),
  "HANDSHAKE IK1, a passphrase": () =>
    first({
      exposerKey,
      ask: byId(secured.id),
      passphrase: passphraseProver(engine, fresh, () => fresh(32)),
    }),
  "HANDSHAKE IK_PSK1, granted": () => first({ exposerKey, psk, ask: byId(sealed.id, knownTicket) }),
  "HANDSHAKE IK_PSK1, denied": () => first({ exposerKey, psk: fresh(32), ask: byId(sealed.id, fresh(8)) }),
  "HANDSHAKE XX1 that offers a hybrid": () => first({ offers: OFFERS.auto }),
  "HANDSHAKE HYBRID_XX1, a fragment without a cookie": () => first({ offers: OFFERS.auto, isHybrid: true }),
  "HANDSHAKE HYBRID_IK1, a fragment with an invented cookie": () =>
    withCookie({ exposerKey, offers: OFFERS.auto, isHybrid: true }),
  "HANDSHAKE for another key": () => first({ exposerKey: engine.x25519.publicKey(fresh(32)) }),
  "HANDSHAKE with offers that are unknown": () => changed({ offers: [200] }),
  "HANDSHAKE XX3 with an invented cookie": () =>
    changed({ message: 3, stateCookie: fresh(200), body: fresh(80) }),
  "HANDSHAKE PASS_PROOF with an invented cookie": () =>
    changed({ message: 9, stateCookie: fresh(200), body: fresh(80) }),
  "HANDSHAKE as a fragment": () => changed({ fragment: 1, fragments: 2 }),
  "PULL_REQUEST": () =>
    encodePullRequest({ ...invented, receipt: 1, received: 0, symbolSize: 1428, sections: [[]] }, mac),
  "KEEPALIVE": () => keepalive.encode(invented, { flags: 1 }, mac),
  "RATE_REPORT": () => rateReport.encode({ ...invented, loss: 0, delayUs: 0, wantedRate: 1e9 }, {}, mac),
  ...Object.fromEntries(
    Object.entries(PacketType).flatMap(([name, type]) => [
      [`${name}, 12 bytes`, () => shortest(type)],
      [`${name}, 12 bytes of version 1`, () => shortest(type, 1)],
    ]),
  ),
  "1 byte": () => Uint8Array.of(0x24),
  "no bytes": () => new Uint8Array(0),
};

/** What comes back for one packet: how many bytes, and of which types. */
function answerOf(machine: ExposerMachine, packet: Uint8Array): { bytes: number; types: string[] } {
  const types: string[] = [];
  let bytes = 0;
  machine.handleDatagram(0, victim, packet);
  drain(machine, (output) => {
    if (output.kind === "granted" || output.kind === "left") return;
    assertEquals(output.kind, "send", "chunks are for whoever has proved his address");
    if (output.kind !== "send") return;
    bytes += output.bytes.length;
    types.push(typeName(output.bytes));
  });
  return { bytes, types };
}

function typeName(packet: Uint8Array): PacketTypeName {
  const type = readWord(packet)?.type;
  return (Object.entries(PacketType) as [PacketTypeName, number][]).find(([, value]) => value === type)![0];
}

/** One row: to an exposer at rest, and to one that is under load. */
function row(name: string, make: () => Uint8Array) {
  const packet = make();
  const rest = answerOf(exposer(), packet);
  const busy = exposer();
  for (let i = 0; i <= limits.handshakesPerSecondBeforeRetry; i++) answerOf(busy, FLOOD);
  const load = answerOf(busy, make());
  const factor = packet.length === 0 ? 0 : Math.max(rest.bytes, load.bytes) / packet.length;
  return { name, packet, rest, load, factor };
}

const FLOOD = first();
const rows = Object.entries(questions).map(([name, make]) => row(name, make));

Deno.test("amplification: no packet of an address that has proved nothing is answered with more bytes than it has", () => {
  const text = rows.map(({ name, packet, rest, load, factor }) => {
    const said = rest.types.length > 0 ? rest.types.join(", ") : "nothing";
    const sizes = [packet.length, rest.bytes, load.bytes].map((bytes) => String(bytes).padStart(5)).join("");
    return `${sizes}  ${factor.toFixed(3)}  ${name} -> ${said}`;
  });
  console.log(["   in  out load factor", ...text].join("\n"));
  for (const { name, rest, load, packet, factor } of rows) {
    assertLessOrEqual(factor, 1, name);
    assert(rest.types.length <= 1 && load.types.length <= 1, `${name}: several answers`);
    if (packet.length === 0) assertEquals([rest.bytes, load.bytes], [0, 0], name);
  }
});

Deno.test("amplification: what grants, denials and refusals there are is among them: the largest answers were tried", () => {
  const of = (name: string) => rows.find((one) => one.name === name)!;
  for (const name of ["HANDSHAKE IK1, granted", "HANDSHAKE IK1, a name", "HANDSHAKE IK_PSK1, granted"]) {
    assertEquals(of(name).rest.types, ["HANDSHAKE"], name);
    // Otherwise it was a denial.
    assert(of(name).rest.bytes > 1100, `${name}: ${of(name).rest.bytes} bytes`);
    assertEquals(of(name).load.types, ["RETRY"], name);
  }
  for (const name of ["PULL_REQUEST", "KEEPALIVE", "RATE_REPORT", "HANDSHAKE for another key"]) {
    assertEquals(of(name).rest.types, ["REFUSAL"], name);
  }
});

Deno.test("amplification: the page of threats has the table, with these figures", () => {
  const page = projectText("docs/threats.md");
  for (const { name, packet, rest } of rows.filter(({ rest }) => rest.bytes > 0)) {
    if (name.includes("12 bytes")) continue;
    const figures = `| ${packet.length} | ${rest.types[0]} | ${rest.bytes} |`;
    const line = page.split("\n").find((text) => text.startsWith(`| ${name} `));
    assertEquals(line?.replaceAll(/ +/g, " ").includes(figures), true, `${name} ${figures}`);
  }
});
