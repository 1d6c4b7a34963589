/*
 * How long an exposer takes to deny what is there and what is not: the two should look alike, under each policy. One process, no network:
 * whoever asks from afar sees less.
 *
 *   deno task bench:denials [ROUNDS]
 */
import { AskKind } from "../codec/grant.ts";
import type { Ask } from "../codec/grant.ts";
import { systemRandom as random } from "../core/machine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { accessPolicy, formatStaticKey } from "../transport/exposure/access.ts";
import type { AccessOptions } from "../transport/exposure/access.ts";
import { passphraseDoor } from "../transport/exposure/passphrase_door.ts";
import { TicketBook } from "../transport/exposure/ticket_book.ts";
import { Initiator } from "../transport/protocol/initiator.ts";
import { passphraseProver } from "../transport/protocol/passphrase_prover.ts";
import type { Responder } from "../transport/protocol/responder.ts";
import { engine, exposed as open, from, identity, responderOf } from "./_responder.ts";

const rounds = Number(Deno.args[0] ?? 2000);
const friends = Array.from(
  { length: 20 },
  () => formatStaticKey(createIdentity(engine, random(32)).staticKey),
);
const policies: readonly AccessOptions[] = [
  {},
  { allow: friends },
  { access: () => false },
  { passphrase: "four quiet words here" },
];

const guess = passphraseProver(engine, random, () => new Uint8Array(32).fill(1));

/** An exposer with one exposure, and what it does not have beside. */
function exposer(options: AccessOptions): Responder {
  const policy = accessPolicy(options);
  const door = options.passphrase === undefined ? undefined : passphraseDoor(engine, random, random(32));
  const book = door?.book ?? new TicketBook(engine, random, Date.now);
  const exposed = {
    ...open,
    access: (ticket: Uint8Array, key: Uint8Array | undefined) => policy.decide(book, ticket, key),
    ...(door && { passphrase: door.passphrase }),
  };
  const exposures = new Map([[open.id.toHex(), exposed]]);
  return responderOf({
    find: (id) => exposures.get(id.toHex()),
    decoy: () => policy.kind === "callback" ? undefined : exposed,
  });
}

/** Microseconds that each answer takes until the denial has come. */
function time(responder: Responder, i: number, exposureId: Uint8Array, byPassphrase: boolean): number {
  const ask: Ask = { kind: AskKind.ID, exposureId, ticketId: new Uint8Array(8) };
  const puller = new Initiator({
    engine,
    random,
    staticPrivate: random(32),
    exposerKey: identity.staticKey,
    ask,
    ...(byPassphrase && { passphrase: guess }),
  });
  let spent = 0;
  for (;;) {
    const { packet } = puller;
    const started = performance.now();
    // A second apart each, so that no cookie is asked for.
    const { bytes } = responder.answer(i * 1000, from, packet);
    spent += performance.now() - started;
    if (puller.handle(bytes!) !== "next") return 1000 * spent;
  }
}

const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95];
console.log(`${rounds} denials each, in microseconds; quantiles ${quantiles.join(", ")}`);
for (const options of policies) {
  for (const byPassphrase of [false, true]) {
    const responder = exposer(options);
    const times: Record<string, number[]> = { denied: [], absent: [] };
    for (let i = 0; i < rounds; i++) {
      // In turn, so that what else the machine does falls on both.
      const order = i % 2 ? ["denied", "absent"] : ["absent", "denied"];
      for (const what of order) {
        times[what].push(time(responder, i, what === "denied" ? open.id : random(32), byPassphrase));
      }
    }
    const name = `${accessPolicy(options).kind}${byPassphrase ? ", asked by passphrase" : ""}`;
    for (const [what, all] of Object.entries(times)) {
      all.sort((a, b) => a - b);
      const shown = quantiles.map((q) => all[Math.floor(q * all.length)].toFixed(0).padStart(6)).join(" ");
      console.log(`${name.padEnd(34)} ${what.padEnd(7)}${shown}`);
    }
  }
}
