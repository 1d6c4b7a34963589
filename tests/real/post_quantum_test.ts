// Handshakes of programs as they are: which kind it was, and what the flags of both sides make of it.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../_assert.ts";
import { RgtpError } from "../../core/errors.ts";
import { expose } from "../../transport/expose.ts";
import type { ExposeOptions, ExposureEvent } from "../../transport/expose.ts";
import { find, unlock } from "../../transport/find.ts";
import { pull } from "../../transport/pull.ts";
import type { PullOptions } from "../../transport/pull.ts";

const content = new Uint8Array(100_000).fill(5);
const here = { host: "127.0.0.1", port: 0, shared: "off" } as const;

/** What one pull says of its handshake, and what the exposer says of it. */
async function shaken(exposing: ExposeOptions, pulling: PullOptions): Promise<string[]> {
  const events: ExposureEvent[] = [];
  const options = { ...here, ...exposing, onEvent: (event: ExposureEvent) => events.push(event) };
  await using exposure = await expose(content, options);
  const task = pull(exposure.ticket, { ...pulling, shared: false });
  assertEquals(await task.bytes(), content);
  const [source] = task.stats().sources;
  return [source.handshake, events.find(({ kind }) => kind === "granted")?.handshake ?? "none"];
}

const HYBRID = ["x25519-mlkem768", "x25519-mlkem768"];
const PLAIN = ["x25519", "x25519"];

Deno.test("post-quantum: hybrid by default without a ticket's secret; with one where either side requires it", async () => {
  assertEquals(await shaken({ open: true }, {}), HYBRID);
  assertEquals(await shaken({}, {}), PLAIN);
  assertEquals(await shaken({}, { postQuantum: "require" }), HYBRID);
  assertEquals(await shaken({ postQuantum: "require" }, {}), HYBRID);
  assertEquals(await shaken({ open: true, postQuantum: "off" }, {}), PLAIN);
  assertEquals(await shaken({ open: true }, { postQuantum: "off" }), PLAIN);
});

Deno.test("post-quantum: who requires it gets nothing less, and is told why", async () => {
  await using exposure = await expose(content, { ...here, open: true, postQuantum: "off" });
  const options = { postQuantum: "require", timeoutMs: 800 } as const;
  const error = await assertRejects(() => pull(exposure.ticket, options).bytes(), RgtpError);
  assertEquals(error.condition, "VERSION");
  assertStringIncludes(error.message, "--post-quantum");
});

Deno.test("post-quantum: names and passphrases are asked for so, too", async () => {
  const exposing = { ...here, postQuantum: "require", name: "quiet" } as const;
  await using open = await expose(content, { ...exposing, open: true });
  const ticket = await find(`127.0.0.1:${open.address.port}`, "quiet", { onNewExposer: () => true });
  assertEquals(await pull(ticket).bytes(), content);
  const passphrase = "four quiet words here";
  await using secured = await expose(content, { ...exposing, passphrase });
  const unlocked = await unlock(secured.ticket, passphrase);
  assert(unlocked.secret);
  assertEquals(await pull(unlocked).bytes(), content);
  const { handshakes } = secured.stats();
  assertEquals([handshakes.granted, handshakes.denied], [1, 0]);
});
