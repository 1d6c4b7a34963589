/*
 * Stores on NATS JetStream keep what every store promises. Skipped where there is no nats-server.
 */
import { testStore } from "../../cluster/io/_store_contract.ts";
import { openNatsStore } from "../../cluster/io/nats_store.ts";
import { RgtpError } from "../../core/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "../_assert.ts";
import { hasNats, NatsServer } from "./_nats.ts";

const server = hasNats ? await NatsServer.start() : undefined;
globalThis.addEventListener("unload", () => server?.[Symbol.dispose]());

testStore(
  hasNats ? "NATS" : "NATS (skipped: there is no nats-server)",
  async (name) => await openNatsStore({ servers: [server!.url], bucket: `contract-${name}` }),
  !hasNats,
);

Deno.test("store on NATS: an address that is none, and a server that is not there, are refused by name", async () => {
  const wrong = await assertRejects(() => openNatsStore({ servers: ["http://user:secret@host"] }), RgtpError);
  assertEquals(wrong.condition, "INVALID_ARG");
  assertEquals(wrong.message.includes("secret"), false);
  const absent = await assertRejects(() => openNatsStore({ servers: ["nats://127.0.0.1:1"] }), RgtpError);
  assertEquals(absent.data.rnp, 5001);
  assertStringIncludes(absent.message, "127.0.0.1:1");
});
