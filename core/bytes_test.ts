import { assertEquals } from "../tests/_assert.ts";
import { equalBytes } from "./bytes.ts";

const secret = Uint8Array.from({ length: 16 }, (_, i) => 7 * i);

/** Bytes that count how often one of them is looked at. */
function counted(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly looks: () => number } {
  let looks = 0;
  const get = (target: Uint8Array, name: string | symbol) => {
    if (typeof name === "string" && /^\d+$/.test(name)) looks++;
    return Reflect.get(target, name, target);
  };
  return { bytes: new Proxy(bytes, { get }), looks: () => looks };
}

Deno.test("bytes: what is compared with a secret is looked at to its end, wherever it differs", () => {
  assertEquals(equalBytes(secret, secret.slice()), true);
  for (let at = 0; at < secret.length; at++) {
    const wrong = secret.slice();
    wrong[at] ^= 1;
    const { bytes, looks } = counted(wrong);
    assertEquals([equalBytes(secret, bytes), looks()], [false, secret.length]);
  }
});

Deno.test("bytes: of another length they are others", () => {
  assertEquals(equalBytes(secret, secret.subarray(1)), false);
  assertEquals(equalBytes(new Uint8Array(0), new Uint8Array(0)), true);
});
