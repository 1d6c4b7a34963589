import fc from "fast-check";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { assert, assertEquals, assertInstanceOf, assertMatch, assertThrows, fail } from "../tests/_assert.ts";
import { anyBytes, anyName, ramp } from "./_samples.ts";
import { formatTicket, parseTicket, redactTicket } from "./ticket.ts";
import type { Ticket } from "./ticket.ts";

const full: Ticket = {
  addresses: [{ host: "192.0.2.1", port: 9000 }, { host: "2001:db8::1", port: 9001 }, {
    host: "example.org",
    port: 1,
  }],
  exposureId: ramp(32, 1),
  exposerKey: ramp(32, 101),
  secret: ramp(16, 201),
  exposureKey: ramp(32, 151),
  name: "disk image.iso",
};
const open: Ticket = {
  addresses: full.addresses.slice(0, 1),
  exposureId: full.exposureId,
  exposerKey: full.exposerKey,
  name: "",
};

const anyAddress = fc.record({
  host: fc.oneof(
    fc.constantFrom("192.0.2.1", "2001:db8::1", "::", "a", "eth:02:00:5e:10:00:01"),
    fc.ipV4(),
    fc.domain(),
  ),
  port: fc.integer({ min: 1, max: 65535 }),
});
const anyTicket: fc.Arbitrary<Ticket> = fc.record({
  addresses: fc.array(anyAddress, { minLength: 1, maxLength: 3 }),
  exposureId: anyBytes(32),
  exposerKey: anyBytes(32),
  secret: anyBytes(16),
  exposureKey: anyBytes(32),
  name: anyName(),
}, { requiredKeys: ["addresses", "exposureId", "exposerKey", "name"] });

/** The error that reading `text` throws; fails when there is none, or one of another kind. */
function refusal(text: string): RgtpError {
  let accepted: Ticket;
  try {
    accepted = parseTicket(text);
  } catch (error) {
    assertInstanceOf(error, RgtpError);
    assert(["TRUNCATED", "INVALID_ARG"].includes(error.condition), error.condition);
    return error;
  }
  fail(`${JSON.stringify(text)} was accepted as ${JSON.stringify(accepted)}`);
}

/** All that an error would print, with its causes. */
function printed(error: unknown): string {
  const { message, cause, data } = error as RgtpError;
  return message + JSON.stringify(data) + (cause === undefined ? "" : printed(cause));
}

/** Texts of a ticket that nobody may see. */
function secretsOf({ secret, exposureKey }: Ticket): string[] {
  return [secret, exposureKey].filter((part) => part !== undefined).map((part) =>
    part.toBase64({ alphabet: "base64url", omitPadding: true })
  );
}

Deno.test("parseTicket: refuses every cut-off ticket, and says that it is cut off once its start is there", () => {
  for (const ticket of [full, open, { ...full, exposureKey: undefined }, { ...open, name: "a/b.tar%~" }]) {
    const text = formatTicket(ticket);
    const hostsEnd = text.indexOf("/", "rgtp://".length);
    for (let length = 0; length < text.length; length++) {
      const error = refusal(text.slice(0, length));
      if (length >= hostsEnd) assertEquals(error.condition, "TRUNCATED", text.slice(0, length));
      if (length > 0) refusal(text.slice(length));
    }
  }
});

Deno.test("parseTicket: refuses every cut-off of any ticket", () => {
  fc.assert(fc.property(anyTicket, fc.nat(), (ticket, cut) => {
    const text = formatTicket(ticket);
    refusal(text.slice(0, cut % text.length));
  }));
});

Deno.test("parseTicket: no message, cause or datum holds a secret, wherever it stands", () => {
  const secrets = secretsOf(full);
  const [secret, exposureKey] = secrets;
  const text = formatTicket(full);
  const damaged = [
    ...Array.from(text, (_, i) => text.slice(0, i)),
    ...Array.from(text, (_, i) => text.slice(i + 1)),
    ...Array.from(text, (_, i) => text.slice(0, i) + "!" + text.slice(i)),
    ...Array.from(text, (_, i) => text.slice(0, i) + "/" + text.slice(i)),
    ...Array.from(text, (_, i) => text.slice(0, i) + text.slice(i + 1)),
    `rgtp://${secret}/${exposureKey}/x/`,
    `rgtp://${secret},${exposureKey}/x.y.z/n/`,
    `rgtp://h:1/${secret}.${exposureKey}./n/`,
    `rgtp://h:1/a.b.${secret}=/n/`,
    `rgtp://h:1/a.b.c/%${secret}/`,
  ];
  for (const bad of damaged) {
    try {
      parseTicket(bad);
    } catch (error) {
      const all = printed(error);
      for (const part of secrets) assert(!all.includes(part.slice(0, 8)), `${bad}: ${all}`);
    }
  }
});

Deno.test("redactTicket: leaves nothing of a secret, whole, damaged or within other text", () => {
  fc.assert(
    fc.property(
      anyTicket,
      fc.nat(),
      fc.constantFrom("", " ", "\n", "/", "!", "RGTP://", "%"),
      (ticket, at, extra) => {
        const text = formatTicket(ticket);
        const place = at % text.length;
        const forms = [
          text,
          ` ${text}\n`,
          `cannot pull ${text}: refused`,
          text.toUpperCase().slice(0, 7) + text.slice(7),
          text.slice(0, place),
          text.slice(0, place) + extra + text.slice(place),
        ];
        for (const form of forms) {
          const shown = redactTicket(form);
          // A damaged scheme makes another text: nothing can be told from it.
          if (!/rgtp:\/\//i.test(form)) continue;
          for (const part of secretsOf(ticket)) {
            for (let i = 0; i + 8 <= part.length; i++) {
              assert(
                !shown.includes(part.slice(i, i + 8)),
                `${form}: ${shown}`,
              );
            }
          }
        }
      },
    ),
  );
});

Deno.test("redactTicket: shows where, the label's start and the name", () => {
  assertEquals(
    redactTicket(formatTicket(full)),
    "rgtp://192.0.2.1:9000,[2001:db8::1]:9001,example.org:1/AQIDBAUG…/disk%20image.iso/",
  );
  assertEquals(redactTicket("rgtp://h:1/cut.off"), "rgtp://…");
  assertEquals(redactTicket("192.0.2.1:9000"), "192.0.2.1:9000");
});

Deno.test("formatTicket: the text, part by part", () => {
  assertEquals(
    formatTicket({ ...full, exposureKey: undefined }),
    "rgtp://192.0.2.1:9000,[2001:db8::1]:9001,example.org:1/" +
      "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA.ZWZnaGlqa2xtbm9wcXJzdHV2d3h5ent8fX5_gIGCg4Q.ycrLzM3Oz9DR0tPU1dbX2A" +
      "/disk%20image.iso/",
  );
  assertMatch(formatTicket(open), /^rgtp:\/\/192\.0\.2\.1:9000\/[\w-]{43}\.[\w-]{43}\.\/\/$/);
  assertMatch(formatTicket(full), /\/[\w-]{43}\.[\w-]{43}\.[\w-]{22}\.[\w-]{43}\//);
});

Deno.test("formatTicket: what it writes is read, and holds no character that a shell touches", () => {
  fc.assert(fc.property(anyTicket, (ticket) => {
    const text = formatTicket(ticket);
    assertMatch(text, /^[A-Za-z0-9._~%:,/\[\]-]+$/);
    assertEquals(parseTicket(text), ticket);
    assertEquals(parseTicket(`\n ${text}\t\r\n`), ticket);
    assertEquals(formatTicket(parseTicket(text)), text);
  }));
});

Deno.test("formatTicket: no name brings a special character in, nor ends a part", () => {
  for (let code = 0; code < 0x300; code++) {
    const name = `a${String.fromCharCode(code)}b`;
    const text = formatTicket({ ...open, name });
    assertMatch(
      text.slice(text.indexOf("/", 7)),
      /^\/[\w-]+\.[\w-]+\.\/a(?:[A-Za-z0-9._~-]|(?:%[0-9A-F]{2})+)b\/$/,
    );
    assertEquals(parseTicket(text).name, name);
  }
  // A half surrogate has no UTF-8 form; U+FFFD stands in for it.
  assertEquals(parseTicket(formatTicket({ ...open, name: "a\ud800b" })).name, "a\ufffdb");
  for (
    const name of [
      "..",
      "../../etc/passwd",
      "$(id)",
      "`id`",
      "a;b|c&d>e<f",
      "'\"!*?()[]{}#~",
      "\u202egnp.exe",
      "\ufeffx",
    ]
  ) {
    assertEquals(parseTicket(formatTicket({ ...open, name })).name, name);
  }
});

Deno.test("formatTicket: refuses parts of the wrong size, and what could not be read back", () => {
  for (const part of ["exposureId", "exposerKey", "secret", "exposureKey"] as const) {
    for (const length of [0, 15, 17, 31, 33]) {
      assertThrows(
        () => formatTicket({ ...full, [part]: new Uint8Array(length) }),
        RangeError,
        "bytes where",
      );
    }
  }
  for (const host of ["", "a b", "$(id)", "fe80::1%eth0", "a/b", "a,b", "127.1", "[::1]"]) {
    assertThrows(
      () => formatTicket({ ...full, addresses: [{ host, port: 1 }] }),
      RangeError,
      "not an address",
    );
  }
  for (const port of [0, -1, 65536, 1.5]) {
    assertThrows(
      () => formatTicket({ ...full, addresses: [{ host: "a", port }] }),
      RangeError,
      "not an address",
    );
  }
});

Deno.test("ticket: its limits, and one more", () => {
  const addresses = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ host: "192.0.2.1", port: i + 1 }));
  const most = formatTicket({ ...full, addresses: addresses(limits.ticketAddressesMax) });
  assertEquals(parseTicket(most).addresses.length, limits.ticketAddressesMax);
  assertThrows(
    () => formatTicket({ ...full, addresses: addresses(limits.ticketAddressesMax + 1) }),
    RangeError,
  );
  assertThrows(() => formatTicket({ ...full, addresses: [] }), RangeError);
  refusal(most.replace("rgtp://", "rgtp://a:1,"));

  const name = "ä".repeat((limits.nameBytesMax - 1) / 2) + "a";
  const named = formatTicket({ ...open, name });
  assertEquals(parseTicket(named).name, name);
  assertThrows(() => formatTicket({ ...open, name: name + "a" }), RangeError, "a name of 256 bytes");
  refusal(named.slice(0, -1) + "a/");

  const long = { host: `${"a".repeat(60)}.`.repeat(4) + "bcdefghij", port: 65535 };
  const hosts = [...Array.from({ length: 6 }, () => long), {
    host: "a".repeat(60) + "." + "b".repeat(60),
    port: 1,
  }];
  const padded = (chars: number): Ticket => ({ ...full, name: "a".repeat(chars), addresses: hosts });
  const filler = limits.ticketCharsMax - formatTicket(padded(0)).length;
  assert(filler > 0 && filler <= limits.nameBytesMax, `${filler}`);
  const longest = formatTicket(padded(filler));
  assertEquals(longest.length, limits.ticketCharsMax);
  assertEquals(parseTicket(longest), padded(filler));
  assertThrows(() => formatTicket(padded(filler + 1)), RangeError, "a ticket of 2049 characters");
  refusal(longest.slice(0, -1) + "a/");
});

Deno.test("parseTicket: one spelling for each part", () => {
  const text = formatTicket({ ...full, exposureKey: undefined });
  const [before, secret, after] = text.split(/\.([\w-]{22})\//);
  // The last character of 16 bytes has four bits that must be zero: 'A' + 1 would name the same secret.
  const twin = secret.slice(0, -1) + "B";
  assertEquals(refusal(`${before}.${twin}/${after}`).condition, "INVALID_ARG");
  for (
    const other of [
      secret + "A",
      secret + "==",
      secret.replace(/./, "+"),
      secret.replace(/./, "/"),
      secret.replace(/./, "%41"),
    ]
  ) {
    refusal(`${before}.${other}/${after}`);
  }
});

Deno.test("parseTicket: texts that are no ticket", () => {
  const text = formatTicket(full);
  const none = [
    ..."| |rgtp|rgtp:|rgtp:/|rgtp://|http://a:1/b.c.d/n/|RGTP://a:1/b.c.d/n/".split("|"),
    text + "/",
    text + "x",
    text + text,
    text.replace("rgtp://", "rgtp:///"),
    text.replace("rgtp://", "rgtp://,"),
    text.replace(":9000", ""),
    text.replace(":9000", ":0"),
    text.replace("192.0.2.1", "192.0.2.999"),
    text.replace("disk", "di sk"),
    text.replace("disk", "di\nsk"),
    text.replace("disk", "di\u00e4sk"),
    text.replace("disk", "%"),
    text.replace("disk", "%ff"),
    text.replace("disk", "%c0%af"),
    text.replace("/disk", "./disk"),
    text.replace("/disk", ".AAAA/disk"),
    text.replace("/disk", "?a=b/disk"),
    "rgtp://" + "a".repeat(1_000_000),
  ];
  for (const bad of none) refusal(bad);
});
