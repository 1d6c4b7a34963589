import { equalBytes } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { assert, assertEquals, assertRejects } from "../tests/_assert.ts";
import { openExposer } from "./exposer.ts";
import { pull } from "./pull.ts";

const HERE = { host: "127.0.0.1", port: 0 };

function bytesOf(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) % 256);
}

Deno.test("the same content twice on one port is refused, and once it has gone it may come again", async () => {
  await using exposer = await openExposer(HERE);
  const same = { name: "one", reproducible: true };
  const first = await exposer.expose(bytesOf(1, 5000), same);
  const error = await assertRejects(() => exposer.expose(bytesOf(1, 5000), same), RgtpError);
  assertEquals((error as RgtpError).condition, "INVALID_ARG");
  await first.close();
  await using again = await exposer.expose(bytesOf(1, 5000), same);
  assert(equalBytes(await pull(again.ticket).bytes(), bytesOf(1, 5000)));
});

Deno.test("one that is closed ends its pulls as withdrawn, and those of its neighbour go on", async () => {
  await using exposer = await openExposer({ ...HERE, limitRate: 4_000_000 });
  const [going, staying] = [bytesOf(2, 3_000_000), bytesOf(3, 3_000_000)];
  const removed = await exposer.expose(going, { name: "going" });
  const kept = await exposer.expose(staying, { name: "staying" });
  assertEquals(removed.address, kept.address);
  const lost = assertRejects(() => pull(removed.ticket).bytes(), RgtpError);
  const whole = pull(kept.ticket).bytes();
  for (let i = 0; i < 500 && removed.stats().bytesSent + kept.stats().bytesSent < 500_000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await removed.close();
  assertEquals((await lost as RgtpError).condition, "WITHDRAWN");
  assert(equalBytes(await whole, staying));
  assert(kept.stats().bytesSent >= staying.length);
  assert(removed.stats().bytesSent < going.length);
  await removed.close();
  const late = await assertRejects(() => pull(removed.ticket, { timeoutMs: 500 }).bytes(), RgtpError);
  assert((late as RgtpError).condition !== "WITHDRAWN");
});

Deno.test("what a port has done is what its exposures have, also those that are gone", async () => {
  await using exposer = await openExposer(HERE);
  const [one, other] = [bytesOf(6, 300_000), bytesOf(7, 200_000)];
  const first = await exposer.expose(one, { name: "one", shared: "off" });
  const second = await exposer.expose(other, { name: "other", shared: "off" });
  for (const { ticket } of [first, second]) await pull(ticket).bytes();
  for (let i = 0; i < 250 && exposer.stats().completed < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const before = exposer.stats();
  assertEquals(before.bytesSent, first.stats().bytesSent + second.stats().bytesSent);
  assertEquals(before.store.seals, first.stats().store.seals + second.stats().store.seals);
  await first.close();
  const { completed, bytesSent, store, storeBytes } = exposer.stats();
  assertEquals([completed, bytesSent, store], [2, before.bytesSent, before.store]);
  assertEquals(storeBytes, second.stats().storeBytes);
});

Deno.test("a drain lets who pulls finish, and nobody in", async () => {
  await using exposer = await openExposer({ ...HERE, limitRate: 4_000_000 });
  const bytes = bytesOf(4, 2_000_000);
  const exposure = await exposer.expose(bytes, { name: "drained" });
  const whole = pull(exposure.ticket).bytes();
  for (let i = 0; i < 500 && exposure.stats().bytesSent < 100_000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const drained = exposer.drain(30_000);
  const late = await assertRejects(() => pull(exposure.ticket, { timeoutMs: 300 }).bytes(), RgtpError);
  assertEquals((late as RgtpError).condition, "TIMEOUT");
  assert(equalBytes(await whole, bytes));
  assertEquals(await drained, 0);
  assert(exposure.stats().drops["draining"] > 0);
});

Deno.test("a drain ends when its time is over, and says how many still pull", async () => {
  await using exposer = await openExposer({ ...HERE, limitRate: 200_000 });
  const exposure = await exposer.expose(bytesOf(5, 2_000_000), { name: "slow" });
  const cut = assertRejects(() => pull(exposure.ticket).bytes(), RgtpError);
  for (let i = 0; i < 500 && exposure.stats().bytesSent < 20_000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals(await exposer.drain(50), 1);
  await exposer.close();
  assertEquals((await cut as RgtpError).condition, "WITHDRAWN");
});
