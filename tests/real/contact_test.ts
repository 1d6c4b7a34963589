// Tickets from strangers in a program that must not be led into its own network: whom it sends to is its own choice.
import {
  edge,
  expose,
  formatTicket,
  isPublicAddress,
  parseTicket,
  pull,
  RgtpError,
  unlock,
} from "../../mod.ts";
import type { Address, PullEvent } from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../_assert.ts";
import { TestFolder } from "./_files.ts";
import { rgtp } from "./_rgtp.ts";

const content = new Uint8Array(100_000).fill(7);
const here = { host: "127.0.0.1", port: 0, shared: "off" } as const;
const mayContact = isPublicAddress;

/** A ticket that a stranger has changed: it leads elsewhere. */
function leadingTo(ticket: string, addresses: readonly Address[]): string {
  return formatTicket({ ...parseTicket(ticket), addresses });
}

/** Somebody in the network who must not hear anything. */
class Bystander implements Disposable {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly address: Address;

  constructor() {
    const { hostname: host, port } = this.#socket.addr as Deno.NetAddr;
    this.address = { host, port };
  }

  /** Fails if a packet stands before the one that is sent now. */
  async heardNothing(): Promise<void> {
    await this.#socket.send(new Uint8Array([1]), this.#socket.addr);
    const [first] = await this.#socket.receive();
    assertEquals(first, new Uint8Array([1]));
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

Deno.test("contact: a ticket that leads into private networks, by address or by name, is refused before a packet is sent", async () => {
  await using exposure = await expose(content, { ...here, passphrase: "four quiet words here" });
  const { port } = exposure.address;
  for (const host of ["127.0.0.1", "0.0.0.0", "localhost", "169.254.169.254", "::1"]) {
    const ticket = leadingTo(exposure.ticket, [{ host, port }]);
    for (
      const attempt of [
        () => pull(ticket, { mayContact }).bytes(),
        () => pull(ticket, { mayContact }).list(),
        () => unlock(ticket, "four quiet words here", { mayContact }),
        () => edge(ticket, { host: "127.0.0.1", port: 0, mayContact }),
      ]
    ) {
      const error = await assertRejects(attempt, RgtpError, `${host}`);
      assertEquals(error.condition, "INVALID_ARG");
      // What a name stands for inside is nobody's business outside.
      if (host === "localhost") assert(!/127\.0|::1/.test(error.message), error.message);
    }
  }
  assertEquals(exposure.stats().link.packetsReceived, 0);
});

Deno.test("contact: only what is permitted is sent to, of the ticket's addresses, of sources and of edges", async () => {
  await using exposure = await expose(content, here);
  using bystander = new Bystander();
  const asked: Address[] = [];
  const events: PullEvent[] = [];
  const only = (address: Address) => {
    asked.push(address);
    return address.port === exposure.address.port;
  };
  const ticket = leadingTo(exposure.ticket, [bystander.address, { ...exposure.address, host: "localhost" }]);
  const task = pull(ticket, {
    mayContact: only,
    from: [`127.0.0.1:${bystander.address.port}`],
    edges: [leadingTo(exposure.ticket, [bystander.address])],
    onEvent: (event) => events.push(event),
  });
  assertEquals(await task.bytes(), content);
  await bystander.heardNothing();
  // Names come as what they stand for.
  assert(asked.every(({ host }) => host === "127.0.0.1" || host === "::1"), JSON.stringify(asked));
  const dropped = events.filter((event) => event.kind === "dropped").map(({ error }) => error.condition);
  assertEquals(dropped, ["INVALID_ARG", "INVALID_ARG"]);
});

Deno.test("contact: with a choice of addresses no memory is taken from a door that a grant names", async () => {
  await using exposure = await expose(content, { host: "127.0.0.1", port: 0 });
  const task = pull(exposure.ticket, { mayContact: () => true });
  assertEquals(await task.bytes(), content);
  assertEquals(task.progress.shared, 0);
});

Deno.test("contact: --public-only on a command line", async () => {
  await using folder = await TestFolder.make();
  await using exposure = await expose(content, here);
  const file = folder.file("source");
  Deno.writeFileSync(file, content);
  const edgeWords = ["edge", "--port", "0", "--state-dir", folder.path];
  for (const [command, ...more] of [["pull", "--list"], ["verify", file], edgeWords]) {
    const { code, err } = await rgtp([command, exposure.ticket, ...more, "--public-only"], ["-A"]);
    assertEquals(code, 2, err);
    assertStringIncludes(err, "--public-only");
  }
  assertEquals(exposure.stats().link.packetsReceived, 0);
});
