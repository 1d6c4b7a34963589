import { assert, assertEquals } from "../tests/_assert.ts";
import { SEGMENT_BYTES, shareAnswer, shareAsk, ShareStatus } from "./share.ts";
import { limits } from "../core/limits.ts";
import { TOKEN_BYTES } from "./token.ts";

const mac = (bytes: Uint8Array) => Uint8Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length] ^ i);
const token = Uint8Array.from({ length: TOKEN_BYTES }, (_, i) => i);

Deno.test("share: what is written is read, with its MAC at the end", () => {
  const ask = shareAsk.encode({ token, segment: 0x01020304 }, mac);
  assertEquals(ask.length, TOKEN_BYTES + 4 + 8);
  assertEquals(shareAsk.decode(ask), { token, segment: 0x01020304 });
  const answer = shareAnswer.encode({ segment: 7, status: ShareStatus.OTHER_USER }, mac);
  assertEquals(answer.length, 13);
  assertEquals(shareAnswer.decode(answer), { segment: 7, status: 1 });
  for (const [form, bytes] of [[shareAsk, ask], [shareAnswer, answer]] as const) {
    const [covered, its] = form.authenticated(bytes);
    assertEquals(its, mac(covered).subarray(0, 8));
  }
});

Deno.test("share: an ask's MAC is of no answer, whatever the bytes", () => {
  const bytes = new Uint8Array(13);
  const [ofAnswer] = shareAnswer.authenticated(bytes);
  const [ofAsk] = shareAsk.authenticated(bytes);
  assert(new TextDecoder().decode(ofAsk).startsWith("rgtp2 share ask"));
  assert(new TextDecoder().decode(ofAnswer).startsWith("rgtp2 share answer"));
});

Deno.test("share: bytes of any other length are neither", () => {
  for (let length = 0; length < 140; length++) {
    const bytes = new Uint8Array(length);
    assertEquals(shareAsk.decode(bytes) !== undefined, length === TOKEN_BYTES + 12, `${length}`);
    assertEquals(shareAnswer.decode(bytes) !== undefined, length === 13, `${length}`);
  }
});

Deno.test("share: a segment holds whole chunks of any size", () => {
  for (let size: number = limits.chunkBytesMin; size <= limits.chunkBytesMax; size *= 2) {
    assertEquals(SEGMENT_BYTES % size, 0);
  }
});
