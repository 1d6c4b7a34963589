import { formatTicket, parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { createIdentity, fingerprint } from "../crypto/identity.ts";
import { assert, assertEquals, assertThrows } from "../tests/_assert.ts";
import { linesOf, ticketFacts } from "./info.ts";

const engine = defaultEngine();
const exposerKey = createIdentity(engine, new Uint8Array(32).fill(3)).staticKey;
const ticket: Ticket = {
  addresses: [{ host: "192.0.2.1", port: 9000 }, { host: "2001:db8::1", port: 9000 }],
  exposureId: new Uint8Array(32).fill(1),
  exposerKey,
  secret: new Uint8Array(16).fill(0xab),
  exposureKey: new Uint8Array(32).fill(0xcd),
  name: "photo\u202egpj.exe",
};
const b64 = { alphabet: "base64url", omitPadding: true } as const;

Deno.test("a ticket's facts: everything but its secrets, and nothing that acts on a terminal", () => {
  const facts = ticketFacts(engine, parseTicket(formatTicket(ticket)));
  assertEquals(facts.addresses, ["192.0.2.1:9000", "[2001:db8::1]:9000"]);
  assertEquals(facts.fingerprint, fingerprint(exposerKey));
  assertEquals([facts.hasSecret, facts.hasExposureKey, facts.name], [true, true, ticket.name]);
  const all = `${JSON.stringify(facts)}\n${linesOf(facts).join("\n")}`;
  for (const secret of [ticket.secret!, ticket.exposureKey!]) {
    for (const text of [secret.toBase64(b64), secret.toHex()]) assert(!all.includes(text));
  }
  assert(linesOf(facts).includes("name          photo\\u{202e}gpj.exe"));
});

Deno.test("an open ticket has no secret, and no ID to revoke it by", () => {
  const { addresses, exposureId } = ticket;
  const facts = ticketFacts(engine, { addresses, exposureId, exposerKey, name: "" });
  assertEquals([facts.hasSecret, facts.hasExposureKey, facts.ticketId], [false, false, undefined]);
  assertEquals(linesOf(facts).filter((line) => /none/.test(line)).length, 3);
});

Deno.test("a ticket whose key is none is called damaged", () => {
  const damaged = { ...ticket, exposerKey: new Uint8Array(32) };
  assertEquals(assertThrows(() => ticketFacts(engine, damaged), RgtpError).condition, "INVALID_ARG");
});
