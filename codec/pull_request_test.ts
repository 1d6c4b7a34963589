import fc from "fast-check";
import { limits } from "../core/limits.ts";
import { assertEquals, assertThrows } from "../tests/_assert.ts";
import {
  anyBytes,
  anyUnsigned,
  assertForeignRefused,
  assertTruncationsRefused,
  embedded,
  fakeMac,
  ramp,
} from "./_samples.ts";
import { symbolSizes } from "./geometry.ts";
import { PAGE_BIT } from "./packet.ts";
import {
  decodePullRequest,
  encodePullRequest,
  requestEntriesMax,
  requestEntryLayout,
  requestHeadLayout,
} from "./pull_request.ts";
import type { PullRequest, RequestEntry } from "./pull_request.ts";
import { TOKEN_BYTES } from "./token.ts";

const head = {
  tag: ramp(8, 1),
  number: 7,
  receipt: 0x01020304,
  received: 0xfffffffe,
  token: ramp(TOKEN_BYTES, 50),
  symbolSize: 1200,
};
const COUNTS_AT = 4 + requestHeadLayout.size;

function entry(piece: number, first: number, count: number, parityFirst = 0, parityCount = 0): RequestEntry {
  return { piece, first, count, parityFirst, parityCount };
}

/** Sorted and disjoint entries: steps from one to the next, so that nothing has to be filtered. */
function anySection(lengthMax: number): fc.Arbitrary<RequestEntry[]> {
  const step = fc.record({
    piece: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(100_000)),
    gap: fc.oneof(fc.constant(0), fc.nat(200)),
    count: fc.nat(300),
    parityFirst: anyUnsigned(8),
    parityCount: anyUnsigned(8),
  });
  return fc.tuple(fc.oneof(fc.nat(1000), fc.constant(PAGE_BIT)), fc.array(step, { maxLength: lengthMax }))
    .map(
      ([start, steps]) => {
        const entries: RequestEntry[] = [];
        let piece = start;
        let next = 0;
        for (const { piece: skip, gap, count, parityFirst, parityCount } of steps) {
          piece += skip;
          const first = skip === 0 ? next + gap : gap;
          entries.push({
            piece,
            first,
            count,
            parityFirst,
            parityCount: count === 0 ? parityCount || 1 : parityCount,
          });
          next = first + Math.max(1, count);
        }
        return entries;
      },
    );
}

const anyHead = fc.record({
  tag: anyBytes(8),
  number: anyUnsigned(32),
  receipt: anyUnsigned(32),
  received: anyUnsigned(32),
  token: anyBytes(TOKEN_BYTES),
  symbolSize: fc.constantFrom(...symbolSizes),
});

function encodeEntries(...sections: RequestEntry[][]): Uint8Array {
  return encodePullRequest({ ...head, sections }, fakeMac);
}

function encodeBitmap(base: number, bits: Uint8Array): Uint8Array {
  return encodePullRequest({ ...head, sections: [], bitmap: { base, bits } }, fakeMac);
}

Deno.test("pull request: entries that are written are read, in their sections", () => {
  const sections = fc.array(anySection(35), { minLength: 3, maxLength: 3 });
  fc.assert(fc.property(anyHead, sections, fc.boolean(), (fields, wanted, done) => {
    const request: PullRequest = { ...fields, sections: wanted, done };
    const packet = encodePullRequest(request, fakeMac);
    assertEquals(decodePullRequest(embedded(packet)), request);
    assertEquals(packet.slice(-8), fakeMac(packet.subarray(0, packet.length - 8)));
  }));
});

Deno.test("pull request: fewer sections are written as empty ones", () => {
  for (const sections of [[], [[entry(1, 2, 3)]], [[entry(1, 2, 3)], [entry(0, 0, 1)]]]) {
    const read = decodePullRequest(encodeEntries(...sections));
    assertEquals(read?.sections, [...sections, [], [], []].slice(0, 3));
  }
  assertThrows(() => encodeEntries([], [], [], []), RangeError, "4 sections");
});

Deno.test("pull request: the places of its parts", () => {
  const packet = encodeEntries([entry(0x01020304, 0x0506, 0x0708, 9, 10)], [], [entry(PAGE_BIT, 0, 1)]);
  assertEquals(packet.subarray(0, 4).toHex(), "240004b0");
  assertEquals(packet.slice(4, 12), head.tag);
  assertEquals(packet.subarray(12, 24).toHex(), "00000007" + "01020304" + "fffffffe");
  assertEquals(packet.slice(24, 128), head.token);
  assertEquals(packet.slice(128, 131), Uint8Array.of(1, 0, 1));
  assertEquals(packet.subarray(131, 141).toHex(), "0102030405060708090a");
  assertEquals(packet.subarray(141, 151).toHex(), "80000000000000010000");
  assertEquals(packet.length, 151 + 8);
  assertEquals([COUNTS_AT, requestEntryLayout.size], [128, 10]);
});

Deno.test("pull request: refuses one cut off anywhere, and foreign packets", () => {
  for (
    const packet of [
      encodeEntries([entry(1, 2, 3)], [entry(0, 0, 1)]),
      encodeEntries(),
      encodeBitmap(5, ramp(9, 1)),
    ]
  ) {
    assertTruncationsRefused(decodePullRequest, packet);
    assertForeignRefused(decodePullRequest, packet);
  }
});

Deno.test("pull request: entries that are unsorted, overlap or ask for nothing spoil the whole request", () => {
  const good = entry(3, 10, 5);
  const table: [string, RequestEntry[], boolean][] = [
    ["one", [good], true],
    ["parity alone", [entry(3, 10, 0, 0, 1)], true],
    ["the next symbol", [good, entry(3, 15, 1)], true],
    ["the next piece, from its start", [good, entry(4, 0, 1)], true],
    ["chunks, then a leaf page", [entry(0x7ffffffe, 0, 1), entry(PAGE_BIT, 0, 1)], true],
    ["parity of two blocks", [entry(3, 0, 0, 0, 1), entry(3, 1, 0, 0, 1)], true],
    ["nothing", [entry(3, 10, 0)], false],
    ["nothing, behind something", [good, entry(4, 0, 0, 9, 0)], false],
    ["a lower piece", [good, entry(2, 0, 1)], false],
    ["a leaf page, then a chunk", [entry(PAGE_BIT, 0, 1), entry(0, 0, 1)], false],
    ["the same twice", [good, good], false],
    ["the last symbol twice", [good, entry(3, 14, 1)], false],
    ["within", [good, entry(3, 12, 1)], false],
    ["the same first symbol, for parity", [good, entry(3, 10, 0, 0, 1)], false],
    ["parity of one block twice", [entry(3, 0, 0, 0, 1), entry(3, 0, 0, 0, 1)], false],
    ["lower symbols", [good, entry(3, 0, 1)], false],
    ["past 2^16, and back", [entry(3, 65535, 65535), entry(3, 65535, 1)], false],
  ];
  for (const [what, entries, legal] of table) {
    for (const sections of [[entries, [], []], [[], entries, []], [[], [], entries]]) {
      assertEquals(
        decodePullRequest(encodeEntries(...sections))?.sections,
        legal ? sections : undefined,
        what,
      );
    }
  }
  // Each section stands for itself: a repeat names again what an earlier request named.
  assertEquals(decodePullRequest(encodeEntries([good], [good], [good]))?.sections.length, 3);
});

Deno.test("pull request: any two entries of a section exchanged spoil it", () => {
  const anyPair = fc.tuple(anySection(20), fc.nat(), fc.nat()).filter(([entries, a, b]) =>
    entries.length > 1 && a % entries.length !== b % entries.length
  );
  fc.assert(fc.property(anyPair, ([entries, a, b]) => {
    const [i, j] = [a % entries.length, b % entries.length];
    const exchanged = entries.with(i, entries[j]).with(j, entries[i]);
    assertEquals(decodePullRequest(encodeEntries(exchanged)), undefined);
  }));
});

Deno.test("pull request: the most entries that fit, and one more", () => {
  const many = Array.from({ length: requestEntriesMax + 1 }, (_, i) => entry(i, 0, 1));
  assertEquals(requestEntriesMax, 106);
  const largest = encodeEntries(many.slice(0, 50), many.slice(50, 100), many.slice(100, requestEntriesMax));
  assertEquals(largest.length <= limits.controlPacketBytesMax, true);
  assertEquals(decodePullRequest(largest)?.sections.map((section) => section.length), [50, 50, 6]);
  assertThrows(() => encodeEntries(many), RangeError, "too long");

  const forged = new Uint8Array(largest.length + requestEntryLayout.size);
  forged.set(largest);
  forged[COUNTS_AT + 2]++;
  requestEntryLayout.write(forged, largest.length - 8, many[requestEntriesMax]);
  assertEquals(forged.length > limits.controlPacketBytesMax, true);
  assertEquals(decodePullRequest(forged), undefined);
});

Deno.test("pull request: counts that do not add up are refused", () => {
  const packet = encodeEntries([entry(1, 0, 1), entry(2, 0, 1)]);
  for (const counts of [[0, 0, 0], [1, 0, 0], [3, 0, 0], [2, 1, 0], [255, 255, 255], [0, 0, 3]]) {
    packet.set(counts, COUNTS_AT);
    assertEquals(decodePullRequest(packet), undefined, `${counts}`);
  }
  packet.set([1, 0, 1], COUNTS_AT);
  assertEquals(decodePullRequest(packet)?.sections.map((section) => section.length), [1, 0, 1]);
});

Deno.test("pull request: only the four symbol sizes are decoded", () => {
  const packet = encodeEntries([entry(1, 0, 1)]);
  for (let size = 0; size < 65536; size++) {
    packet[2] = size >> 8;
    packet[3] = size & 255;
    const read = decodePullRequest(packet)?.symbolSize;
    if (read !== (symbolSizes.includes(size) ? size : undefined)) throw new Error(`symbol size ${size}`);
  }
});

Deno.test("pull request: done stands in a flag, and is optional to a caller", () => {
  for (const done of [undefined, false, true]) {
    const packet = encodePullRequest({ ...head, sections: [], ...(done !== undefined && { done }) }, fakeMac);
    assertEquals(packet[1], done ? 2 : 0);
    assertEquals(decodePullRequest(packet)?.done, done ?? false);
  }
});

Deno.test("pull request: reserved flags are ignored, the bitmap's and that of done are not", () => {
  const packet = encodeEntries([entry(1, 0, 1)]);
  for (let flags = 0; flags < 256; flags++) {
    packet[1] = flags;
    const read = decodePullRequest(packet);
    assertEquals(read?.sections.length, flags & 1 ? undefined : 3, `flags ${flags}`);
    assertEquals(read?.done, flags & 1 ? undefined : (flags & 2) !== 0, `flags ${flags}`);
  }
});

Deno.test("pull request: a bitmap that is written is read", () => {
  const anyBits = fc.uint8Array({ minLength: 1, maxLength: 1058 }).filter((bits) =>
    bits.some((byte) => byte !== 0)
  );
  fc.assert(fc.property(anyHead, fc.nat(limits.chunksMax - 8 * 1058), anyBits, (fields, base, bits) => {
    const request: PullRequest = { ...fields, sections: [], bitmap: { base, bits }, done: false };
    const packet = encodePullRequest(request, fakeMac);
    assertEquals(packet[1], 1);
    assertEquals(decodePullRequest(embedded(packet)), request);
  }));
});

Deno.test("pull request: a bitmap's borders", () => {
  const last = limits.chunksMax - 1;
  const table: [number, number[], boolean][] = [
    [0, [], false],
    [0, [0], false],
    [0, [0, 0], false],
    [0, [1], true],
    [0, [0, 0x80, 0], true],
    // Bits name chunks, never leaf pages, whose numbers begin right after the last chunk.
    [last, [0b1], true],
    [last, [0b10], false],
    [last, [0b11], false],
    [last - 7, [0x80], true],
    [last - 6, [0x80], false],
    [last - 6, [0x40, 0], true],
    [PAGE_BIT, [1], false],
    [0xffffffff, [1], false],
    [0xffffffff, [0x80], false],
  ];
  for (const [base, bits, legal] of table) {
    const read = decodePullRequest(encodeBitmap(base, Uint8Array.from(bits)));
    assertEquals(read?.bitmap, legal ? { base, bits: Uint8Array.from(bits) } : undefined, `${base} ${bits}`);
  }
});

Deno.test("pull request: the largest bitmap that fits, and a byte more; a length that lies", () => {
  const largest = encodeBitmap(0, new Uint8Array(1058).fill(255));
  assertEquals(largest.length, limits.controlPacketBytesMax);
  assertEquals(decodePullRequest(largest)?.bitmap?.bits.length, 1058);
  assertThrows(() => encodeBitmap(0, new Uint8Array(1059).fill(255)), RangeError, "too long");
  for (const claimed of [0, 1057, 1059, 65535]) {
    new DataView(largest.buffer).setUint16(COUNTS_AT + 4, claimed);
    assertEquals(decodePullRequest(largest), undefined, `${claimed}`);
  }
});

Deno.test("pull request: what was read is a copy", () => {
  const packet = encodeBitmap(5, ramp(9, 1));
  const read = decodePullRequest(packet);
  packet.fill(0);
  assertEquals(read, { ...head, sections: [], bitmap: { base: 5, bits: ramp(9, 1) }, done: false });
});
