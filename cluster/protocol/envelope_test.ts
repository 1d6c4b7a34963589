import fc from "fast-check";
import { encodePacked } from "../../codec/msgpack_map.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { assertEquals } from "../../tests/_assert.ts";
import { encodeEnvelope } from "./envelope.ts";
import type { Message } from "./payload.ts";

const ping: Message = {
  type: "ping",
  id: "550e8400-e29b-41d4-a716-446655440000",
  timestamp: 1_705_075_200_000,
  sender: "node-1",
  data: { timestamp: 1_705_075_200_000 },
};

/** What the library writes for the same map. */
function slowly(message: Message, room = 0): string {
  return encodePacked(message as unknown as PackedMap, room).toHex();
}

Deno.test("envelope: its bytes are those of the library", () => {
  const ascii = (maxLength: number) => fc.string({ minLength: 1, maxLength, unit: "binary-ascii" });
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const count = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.nat(70_000), fc.constantFrom(2 ** 32 - 1, 2 ** 32));
  const message = fc.record({
    type: ascii(255),
    id: ascii(64),
    timestamp: count,
    sender: ascii(64),
    data: fc.constantFrom<PackedMap>({}, { a: 1.5, b: "ü", c: [null, { d: new Uint8Array(3) }] }),
    channel: some(ascii(64)),
    seq: some(count),
    reply_to: some(ascii(64)),
  });
  fc.assert(fc.property(message, fc.nat(20), (given, room) => {
    assertEquals(encodeEnvelope(given, room)?.toHex(), slowly(given, room));
  }));
});

Deno.test("envelope: there is room for entries that come behind it", () => {
  const head = encodePacked({ hmac: "x".repeat(40) }).subarray(1);
  const bytes = encodeEnvelope(ping, 2, 1, head.length)!;
  bytes.set(head, bytes.length - head.length);
  assertEquals(bytes.toHex(), slowly({ ...ping, hmac: "x".repeat(40) } as Message, 2));
});

Deno.test("envelope: what is not plain is left to the library", () => {
  const { data: _data, ...headless } = ping;
  const others: Record<string, unknown>[] = [
    { ...ping, channel: "größe", seq: 1 },
    { ...ping, sender: "\u0080" },
    { ...ping, type: "x".repeat(256) },
    { ...ping, timestamp: -1 },
    { ...ping, timestamp: 1.5 },
    { ...ping, seq: 2 ** 53 },
    { ...ping, id: 7 },
    { ...ping, hmac: "sha256:" },
    { ...ping, constructor: 1 },
    headless,
  ];
  for (const one of others) assertEquals(encodeEnvelope(one as unknown as Message, 0), undefined);
});
