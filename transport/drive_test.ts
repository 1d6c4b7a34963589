import { assertEquals } from "../tests/_assert.ts";
import { Drive } from "./drive.ts";
import type { DatagramMachine } from "./drive.ts";
import type { Datagrams, Link } from "./link/link.ts";

const answer: Datagrams = { peer: { host: "192.0.2.1", port: 1 }, bytes: Uint8Array.of(1), segmentSize: 1 };

/** Asks until it is answered. */
class Asker implements DatagramMachine<string> {
  deadline = 0;
  readonly #outputs: string[] = [];

  poll(): string | undefined {
    return this.#outputs.shift();
  }

  handleDatagram(): void {
    this.#outputs.push("answered");
    this.deadline = Infinity;
  }

  handleTimeout(now: number): void {
    if (now < this.deadline) return;
    this.#outputs.push("asked");
    this.deadline = now + 1;
  }
}

/** What an asker does on a link of which nothing comes but at once. */
async function story(receiveNow: Link["receiveNow"]): Promise<string[]> {
  const said: string[] = [];
  const second = Promise.withResolvers<void>();
  const { promise: nothing, resolve: close } = Promise.withResolvers<readonly Datagrams[]>();
  const link = { receive: () => nothing, ...(receiveNow && { receiveNow }) } as unknown as Link;
  const drive = new Drive(link, new Asker(), (what) => {
    if (said.push(what) === 2) second.resolve();
  });
  const over = drive.run();
  await second.promise;
  drive.close();
  close([]);
  await over;
  return said;
}

Deno.test("drive: what has arrived by the time that a timer is up is heard before, so nothing is repeated that was answered", async () => {
  let looks = 0;
  assertEquals(await story(() => looks++ === 0 ? [] : [answer]), ["asked", "answered"]);
  // Links that cannot tell are not asked.
  assertEquals(await story(undefined), ["asked", "asked"]);
});
