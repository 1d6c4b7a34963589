/*
 * Who gets what, under each policy; and that who does not get it cannot tell whether it is there.
 */
import { decodeManifest } from "../codec/manifest.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { nativeEngine as engine } from "../crypto/native_engine.ts";
import { TokenMint } from "../crypto/tokens.ts";
import { assert, assertEquals, assertLess, assertRejects, assertThrows } from "../tests/_assert.ts";
import { expose } from "./expose.ts";
import type { ExposeOptions } from "./expose.ts";
import { unlock } from "./find.ts";
import { accessPolicy, formatStaticKey } from "./exposure/access.ts";
import type { AccessOptions } from "./exposure/access.ts";
import { loadIdentitySeed } from "./exposure/identity_file.ts";
import { sealSource } from "./exposure/seal.ts";
import { bytesSource } from "./exposure/source.ts";
import { TicketBook } from "./exposure/ticket_book.ts";
import { Initiator } from "./protocol/initiator.ts";
import { Responder } from "./protocol/responder.ts";
import { pull } from "./pull.ts";

const LOCAL = { host: "127.0.0.1", port: 0 } as const;
const PASSPHRASE = "four quiet words here";
const CONTENT = new Uint8Array(100_000).map((_, i) => i * 7);

/** Bob and Eve, each with a node of their own. */
async function withNodes(
  use: (nodes: { folder: string; bob: string; eve: string; bobKey: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const [bob, eve] = [`${folder}/bob`, `${folder}/eve`];
    const { staticKey } = createIdentity(engine, loadIdentitySeed(bob, systemRandom).seed);
    await use({ folder, bob, eve, bobKey: formatStaticKey(staticKey) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function denied(ticket: Ticket, stateDir?: string): Promise<void> {
  const error = await assertRejects(
    () => pull(ticket, { timeoutMs: 5000, ...(stateDir !== undefined && { stateDir }) }).bytes(),
    RgtpError,
  );
  assertEquals(error.condition, "ACCESS_DENIED");
}

Deno.test("each policy refuses those whom it does not mean, and serves those whom it does", () =>
  withNodes(async ({ bob, eve, bobKey }) => {
    const foreign = systemRandom(16);
    const rows: readonly {
      options: ExposeOptions;
      /** Who is refused, and who gets it: with what in place of the ticket's secret, and as which node. */
      refused: readonly [secret: Uint8Array | undefined, node: string | undefined][];
      served: readonly [secret: "own" | "passphrase" | undefined, node: string | undefined][];
    }[] = [
      {
        options: {},
        refused: [[undefined, undefined], [undefined, bob], [foreign, bob]],
        served: [["own", undefined], ["own", eve]],
      },
      { options: { open: true }, refused: [], served: [[undefined, undefined], [undefined, eve]] },
      {
        options: { allow: [bobKey] },
        refused: [[undefined, undefined], [undefined, eve], [foreign, bob]],
        served: [[undefined, bob]],
      },
      {
        options: { access: ({ key }) => key === bobKey },
        refused: [[undefined, undefined], [undefined, eve]],
        served: [[undefined, bob]],
      },
      {
        options: { passphrase: PASSPHRASE },
        refused: [[undefined, undefined], [undefined, bob], [foreign, bob]],
        served: [["passphrase", undefined], ["passphrase", eve]],
      },
    ];
    for (const { options, refused, served } of rows) {
      await using exposure = await expose(CONTENT, { ...LOCAL, ...options });
      const ticket = parseTicket(exposure.ticket);
      const { secret: _secret, ...bare } = ticket;
      for (const [secret, node] of refused) await denied(secret ? { ...bare, secret } : bare, node);
      assertEquals(exposure.stats().bytesSent, 0);
      for (const [secret, node] of served) {
        const known = secret === "passphrase" ? await unlock(ticket, PASSPHRASE) : secret ? ticket : bare;
        const task = pull(known, { ...(node !== undefined && { stateDir: node }) });
        assertEquals(await task.bytes(), CONTENT);
      }
      if (!options.open) await denied({ ...bare, exposureId: systemRandom(32) }, bob);
    }
  }));

Deno.test("a ticket holds a secret only where one is needed, and there alone labels and expiries are taken", async () => {
  await using open = await expose(CONTENT, { ...LOCAL, open: true });
  assertEquals(parseTicket(open.ticket).secret, undefined);
  assertEquals(open.newTicket(), open.ticket);
  assertEquals(open.revokeTicket(open.ticket), false);
  assertThrows(() => open.newTicket({ label: "Bob" }), RangeError, "no label");
  await using byTicket = await expose(CONTENT, LOCAL);
  assertEquals(parseTicket(byTicket.ticket).secret?.length, 16);
});

Deno.test("one file for several audiences: each has an ID and a key of its own, and the same ones again", () =>
  withNodes(async ({ folder, bobKey }) => {
    const path = `${folder}/file`;
    await Deno.writeFile(path, CONTENT);
    const policies: readonly AccessOptions[] = [{}, { open: true }, { allow: [bobKey] }, {
      access: () => true,
    }, { passphrase: PASSPHRASE }];
    const ids = async (more: ExposeOptions) => {
      const found: string[] = [];
      for (const policy of policies) {
        await using exposure = await expose(path, { ...LOCAL, ...policy, ...more });
        found.push(exposure.id);
      }
      return found;
    };
    const stateDir = `${folder}/alice`;
    const first = await ids({ stateDir });
    assertEquals(new Set(first).size, policies.length);
    assertEquals(await ids({ stateDir }), first);
    // Without a catalog, and with a salt of the content: still one for each.
    const second = await ids({ stateDir, reproducible: true });
    assertEquals(new Set([...first, ...second]).size, 2 * policies.length);
    assertEquals(await ids({ stateDir, reproducible: true }), second);
    // A ticket to what is for Bob is none to what is open.
    await using open = await expose(path, { ...LOCAL, stateDir, open: true });
    const { secret: _secret, ...bare } = parseTicket(open.ticket);
    await denied({ ...bare, exposureId: Uint8Array.fromBase64(first[2], { alphabet: "base64url" }) });
  }));

Deno.test("a function that changes its mind: a running pull ends, another one goes on", () =>
  withNodes(async ({ bob, eve, bobKey }) => {
    const content = new Uint8Array(3_000_000).map((_, i) => i >> 4);
    let isBobAlone = false;
    await using exposure = await expose(content, {
      ...LOCAL,
      access: ({ key }) => !isBobAlone || key === bobKey,
    });
    const pulls = [bob, eve].map((stateDir) => pull(exposure.ticket, { stateDir, limitRate: 1_000_000 }));
    const results = pulls.map((one) => one.bytes());
    const ended = assertRejects(() => results[1], RgtpError);
    while (pulls.some(({ progress }) => progress.done < 200_000)) await pause(20);
    // Nobody is asked about before it is time.
    isBobAlone = true;
    const before = pulls[1].progress.done;
    while (pulls[1].progress.done === before) await pause(20);
    exposure.recheck();
    const at = performance.now();
    assertEquals((await ended).condition, "ACCESS_DENIED");
    assertLess(performance.now() - at, 10_000);
    assertLess(pulls[1].progress.done, content.length);
    assertEquals(await results[0], content);
  }));

Deno.test("denied and absent: answers of one length that say the same, in about the same time", async () => {
  const identity = createIdentity(engine, systemRandom(32));
  const sealed = await sealSource(bytesSource(CONTENT), {
    engine,
    chunkSize: 65_536,
    secret: systemRandom(32),
    salt: systemRandom(32),
  });
  const book = new TicketBook(engine, systemRandom, Date.now);
  const friends = Array.from(
    { length: 20 },
    () => formatStaticKey(createIdentity(engine, systemRandom(32)).staticKey),
  );
  for (const options of [{}, { allow: friends }, { access: () => false }]) {
    const policy = accessPolicy(options);
    const exposed = {
      id: sealed.id,
      manifestBytes: sealed.manifest,
      manifest: decodeManifest(sealed.manifest),
      exposureKey: sealed.exposureKey,
      leaves: sealed.leaves,
      name: "secret",
      access: (ticketId: Uint8Array, key: Uint8Array | undefined) => policy.decide(book, ticketId, key),
      stillGood: (ticketId: Uint8Array) => policy.stillGood(book, ticketId),
    };
    const responder = new Responder({
      engine,
      staticPrivate: identity.staticPrivate,
      random: systemRandom,
      mint: new TokenMint(engine, systemRandom, 0),
      pullRateMax: Infinity,
      find: (id) => id.every((byte, i) => byte === sealed.id[i]) ? exposed : undefined,
    });
    const times: Record<string, number[]> = { denied: [], absent: [] };
    const seen = new Set<string>();
    for (let i = 0; i < 200; i++) {
      for (const [what, exposureId] of [["denied", sealed.id], ["absent", systemRandom(32)]] as const) {
        const puller = new Initiator({
          engine,
          random: systemRandom,
          staticPrivate: systemRandom(32),
          exposerKey: identity.staticKey,
          ask: { kind: 0, exposureId, ticketId: new Uint8Array(8) },
        });
        const { packet } = puller;
        const started = performance.now();
        // A second apart each, so that no cookie is asked for.
        const { bytes } = responder.answer(i * 1000, { host: "192.0.2.7", port: 4000 }, packet);
        times[what].push(performance.now() - started);
        const result = puller.handle(bytes!);
        assert(result !== undefined && result !== "next");
        seen.add(`${bytes!.length} ${JSON.stringify(result.answer)}`);
      }
    }
    assertEquals(seen.size, 1);
    const [a, b] = [median(times.denied), median(times.absent)];
    // A Diffie-Hellman takes most of it; an answer without one would take a tenth.
    assertLess(Math.max(a, b) / Math.min(a, b), 1.6, `denied ${a} ms, absent ${b} ms`);
  }
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
