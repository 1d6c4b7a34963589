import fc from "fast-check";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import { anyBytes, anyUnsigned, assertTruncationsRefused, embedded } from "./_samples.ts";
import { ADDRESS_BYTES, addressBytes } from "./address.ts";
import { decodeTokenBody, encodeTokenBody, TOKEN_BYTES, tokenBodyLayout } from "./token.ts";

Deno.test("token: epoch, nonce, body and tag fill it", () => {
  assertEquals(tokenBodyLayout.size, 63);
  assertEquals(1 + 24 + tokenBodyLayout.size + 16, TOKEN_BYTES);
});

Deno.test("token body: what is written is read", () => {
  const body = fc.record({
    exposureId: anyBytes(32),
    ticketId: anyBytes(8),
    address: anyBytes(ADDRESS_BYTES),
    flags: anyUnsigned(8),
    expirySeconds: anyUnsigned(32),
  });
  fc.assert(fc.property(body, (value) => {
    const encoded = encodeTokenBody(value);
    assertEquals(decodeTokenBody(embedded(encoded)), value);
  }));
});

Deno.test("token body: holds an address in its one form, and refuses parts of other sizes", () => {
  const value = {
    exposureId: new Uint8Array(32),
    ticketId: new Uint8Array(8),
    address: addressBytes({ host: "::ffff:192.0.2.1", port: 9000 }),
    flags: 0,
    expirySeconds: 600,
  };
  const encoded = encodeTokenBody(value);
  assertTruncationsRefused(decodeTokenBody, encoded);
  assertEquals(decodeTokenBody(new Uint8Array(encoded.length + 1)), undefined);
  assertEquals(encoded.subarray(40, 58).toHex(), "00000000000000000000ffffc00002012328");
  for (const part of ["exposureId", "ticketId", "address"] as const) {
    const wrong = { ...value, [part]: new Uint8Array(value[part].length + 1) };
    assertThrows(() => encodeTokenBody(wrong), RangeError);
  }
});
