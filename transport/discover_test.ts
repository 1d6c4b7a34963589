import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertRejects } from "../tests/_assert.ts";
import { neighbourlyAddresses } from "./addresses.ts";
import { discover } from "./discover.ts";

Deno.test("discover: over Ethernet it takes an interface that is there", async () => {
  for (const name of [undefined, "nowhere9"]) {
    const options = { link: "ethernet", ...(name !== undefined && { interface: name }), waitMs: 1 } as const;
    const error = await assertRejects(() => discover(options), RgtpError);
    // Without foreign functions, or the right to use raw frames, that is what is said.
    assertEquals(["INVALID_ARG", "NOT_SUPPORTED", "SOCKET"].includes(error.condition), true, error.message);
    if (name === undefined) assertEquals(error.condition, "INVALID_ARG");
  }
});

Deno.test("neighbourlyAddresses: loopback is nobody's neighbour, and one address is itself alone", () => {
  for (const host of ["127.0.0.1", "::1"]) assertEquals(neighbourlyAddresses(host), []);
  for (const { host } of neighbourlyAddresses("::")) {
    assertEquals(new Set(neighbourlyAddresses(host).map((one) => one.host)), new Set([host]));
  }
});
