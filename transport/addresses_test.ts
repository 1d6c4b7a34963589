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

Deno.test("addresses: those that may not be contacted crowd out none that may", async () => {
  const inside = Array.from({ length: 20 }, (_, i) => ({ host: `10.0.0.${i}`, port: 9 }));
  const outside = { host: "198.41.0.4", port: 9 };
  const mayContact = ({ host }: { host: string }) => !host.startsWith("10.");
  assertEquals(await resolveAddresses([...inside, outside], { mayContact }), [outside]);
  const error = await assertRejects(() => resolveAddresses(inside, { mayContact }), RgtpError, "10.0.0.3:9");
  assertEquals(error.condition, "INVALID_ARG");
});

Deno.test("addresses: a link is given those that it reaches, and says when there are none", async () => {
  const card = { host: "eth:02:00:5e:10:00:01", port: 9 };
  const ip = { host: "192.0.2.1", port: 9 };
  assertEquals(await resolveAddresses([card, ip]), [ip]);
  assertEquals(await resolveAddresses([card, ip], { link: "linux_udp" }), [ip]);
  assertEquals(await resolveAddresses([ip, card], { link: "ethernet" }), [card]);
  for (const [addresses, link] of [[[card], undefined], [[ip], "ethernet"]] as const) {
    const error = await assertRejects(() => resolveAddresses(addresses, { link }), RgtpError, "ethernet");
    assertEquals(error.condition, "INVALID_ARG");
  }
});
