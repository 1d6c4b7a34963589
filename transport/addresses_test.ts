import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../tests/_assert.ts";
import { awaitNames, resolveAddresses } from "./addresses.ts";

const never = new Promise<never>(() => {});

Deno.test("addresses: IP addresses are taken as they are, without doubles", async () => {
  const one = { host: "192.0.2.1", port: 9 };
  assertEquals(await resolveAddresses([one, { host: "::ffff:192.0.2.1", port: 9 }]), [one]);
});

Deno.test("addresses: a name server that says nothing ends in TIMEOUT, with the name", async () => {
  const error = await assertRejects(() => awaitNames("far.example", never, { timeoutMs: 20 }), RgtpError);
  assertEquals(error.condition, "TIMEOUT");
  assertStringIncludes(error.message, "far.example");
});

Deno.test("addresses: a signal ends the look-up, also one that came before it", async () => {
  const reason = new Error("enough");
  for (const delayMs of [0, 20]) {
    const abort = new AbortController();
    if (delayMs === 0) abort.abort(reason);
    else setTimeout(() => abort.abort(reason), delayMs);
    const error = await assertRejects(
      () => awaitNames("far.example", never, { signal: abort.signal }),
      Error,
    );
    assertEquals(error, reason);
  }
});
