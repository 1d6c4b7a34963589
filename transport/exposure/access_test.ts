import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { createIdentity, fingerprint } from "../../crypto/identity.ts";
import { nativeEngine as engine } from "../../crypto/native_engine.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../../tests/_assert.ts";
import { accessPolicy, formatStaticKey, isByTicket, parseStaticKey } from "./access.ts";
import type { AccessOptions, AccessPolicy } from "./access.ts";
import { TicketBook } from "./ticket_book.ts";

const key = () => createIdentity(engine, systemRandom(32)).staticKey;
const [bob, eve] = [key(), key()];
const text = formatStaticKey;
const book = new TicketBook(engine, systemRandom, Date.now);
const NO_TICKET = new Uint8Array(8);
const decide = (policy: AccessPolicy, who: Uint8Array | undefined) => policy.decide(book, NO_TICKET, who);

Deno.test("access: nobody is let in who is not named, whatever the list or the function does", () => {
  const refusing: readonly AccessOptions[] = [
    {},
    { allow: [text(bob)] },
    { allow: [fingerprint(bob)] },
    { access: () => false },
    {
      access: () => {
        throw new Error("the list of friends cannot be read");
      },
    },
    // What an async function answers is a promise, and as true as anything.
    { access: (() => Promise.resolve(true)) as unknown as () => boolean },
    { access: (() => "yes") as unknown as () => boolean },
  ];
  for (const options of refusing) {
    assertEquals(decide(accessPolicy(options), eve), "denied");
    assertEquals(decide(accessPolicy(options), undefined), "denied");
  }
  assertEquals(decide(accessPolicy({ open: true }), undefined), "denied");
});

Deno.test("access: who is named by key or fingerprint is let in, and a function is told both", () => {
  for (const allow of [[text(bob)], [text(eve), fingerprint(bob)], [fingerprint(bob), text(bob)]]) {
    assertEquals(decide(accessPolicy({ allow }), bob), "open");
  }
  assertEquals(decide(accessPolicy({ open: true }), eve), "open");
  const asked: unknown[] = [];
  assertEquals(decide(accessPolicy({ access: (request) => asked.push(request) > 0 }), bob), "open");
  assertEquals(asked, [{ key: text(bob), fingerprint: fingerprint(bob) }]);
});

Deno.test("access: one audience has one name, in whichever way and order its members are named", () => {
  const name = (...allow: string[]) => accessPolicy({ allow }).name;
  assertEquals(name(text(bob), text(eve)), name(fingerprint(eve), text(bob), fingerprint(bob)));
  assertNotEquals(name(text(bob)), name(text(bob), text(eve)));
  const names = [{}, { open: true }, { access: () => true }, { allow: [text(bob)] }].map((options) =>
    accessPolicy(options).name
  );
  assertEquals(new Set(names).size, names.length);
  assertEquals([...names, "reproducible", "open reproducible"].map(isByTicket), [
    true,
    false,
    false,
    false,
    true,
    false,
  ]);
});

Deno.test("access: two policies, an empty list, and what is no key are refused", () => {
  assertThrows(() => accessPolicy({ open: true, allow: [text(bob)] }), RangeError, "four policies");
  assertThrows(() => accessPolicy({ access: () => true, allow: [text(bob)] }), RangeError);
  assertThrows(() => accessPolicy({ allow: [] }), RgtpError, "nobody is allowed");
  const spelled = text(bob).slice(0, -1) + String.fromCharCode(text(bob).charCodeAt(42) + 1);
  // The neutral point, the point of order 2, and a number beyond the field: keys that everybody could use.
  const lowOrder = [new Uint8Array(32), new Uint8Array(32).with(0, 1), new Uint8Array(32).fill(255)].map(
    text,
  );
  for (const wrong of ["", "bob", text(bob).slice(1), `${text(bob)}=`, spelled, ...lowOrder]) {
    const error = assertThrows(() => accessPolicy({ allow: [wrong] }), RgtpError);
    assertEquals(error.condition, "INVALID_ARG");
  }
  assert(parseStaticKey(text(bob)).every((byte, i) => byte === bob[i]));
});
