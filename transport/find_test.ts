import { formatAddress } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { createIdentity, fingerprint } from "../crypto/identity.ts";
import { nativeEngine as engine } from "../crypto/native_engine.ts";
import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "../tests/_assert.ts";
import { expose } from "./expose.ts";
import { formatStaticKey } from "./exposure/access.ts";
import { loadIdentitySeed } from "./exposure/identity_file.ts";
import { find, listExposures } from "./find.ts";
import type { NewExposer } from "./find.ts";
import { pull } from "./pull.ts";

const LOCAL = { host: "127.0.0.1", port: 0, name: "Grüße" } as const;
const CONTENT = new Uint8Array(50_000).map((_, i) => i * 3);

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refused(condition: RgtpError["condition"], work: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(work, RgtpError);
  assertEquals(error.condition, condition, error.message);
  return error.message;
}

const believe = { onNewExposer: () => true, timeoutMs: 5000 };

Deno.test("find: an exposer that nobody knows is not believed unasked, and one that is turned down is not kept", () =>
  inFolder(async (folder) => {
    await using exposure = await expose(CONTENT, { ...LOCAL, open: true });
    const where = formatAddress(exposure.address);
    const message = await refused("AUTH_FAIL", () => find(where, "Grüße", { knownDir: folder }));
    assertStringIncludes(message, "--key");
    await refused("AUTH_FAIL", () => find(where, "Grüße", { knownDir: folder, onNewExposer: () => false }));
    await assertRejects(() => Deno.stat(`${folder}/known_exposers`), Deno.errors.NotFound);
    const other = formatStaticKey(createIdentity(engine, systemRandom(32)).staticKey);
    await refused("AUTH_FAIL", () => find(where, "Grüße", { key: other, timeoutMs: 5000 }));
    await refused("INVALID_ARG", () => find(where, "Grüße", { key: "A".repeat(43) }));
    await refused("INVALID_ARG", () => find("nowhere", "Grüße", believe));
    await refused("INVALID_ARG", () => find(where, "", believe));
    assertEquals(exposure.stats().bytesSent, 0);
  }));

Deno.test("find: the first contact is told and kept; a changed key is refused after that, and says what to do", () =>
  inFolder(async (folder) => {
    const known = { knownDir: folder, timeoutMs: 5000 };
    const met: NewExposer[] = [];
    let key: string;
    {
      await using exposure = await expose(CONTENT, { ...LOCAL, open: true, stateDir: `${folder}/a` });
      const where = formatAddress(exposure.address);
      const meet = (exposer: NewExposer) => met.push(exposer) > 0;
      const ticket = await find(where, "Grüße", { ...known, onNewExposer: meet });
      assertEquals(await pull(ticket).bytes(), CONTENT);
      const { exposerKey, exposureId } = parseTicket(exposure.ticket);
      assertEquals([ticket.exposerKey, ticket.exposureId, ticket.name], [exposerKey, exposureId, "Grüße"]);
      key = formatStaticKey(exposerKey);
      assertEquals(met, [{ address: where, key, fingerprint: fingerprint(exposerKey) }]);
      assertEquals(((await Deno.stat(`${folder}/known_exposers`)).mode ?? 0o600) & 0o777, 0o600);
      // The second time nobody is asked.
      await find(where, "Grüße", known);
    }
    // Another one answers where that one was known.
    await using other = await expose(CONTENT, { ...LOCAL, open: true, stateDir: `${folder}/b` });
    const where = formatAddress(other.address);
    await Deno.writeTextFile(`${folder}/known_exposers`, `${where} ${key}\n`);
    const message = await refused(
      "AUTH_FAIL",
      () => find(where, "Grüße", { ...known, onNewExposer: () => true }),
    );
    assertStringIncludes(message, "HAS CHANGED");
    assertStringIncludes(message, "known_exposers");
    assertEquals(await Deno.readTextFile(`${folder}/known_exposers`), `${where} ${key}\n`);
  }));

Deno.test("find: a key that is given and proved is known from then on; what is known otherwise stays as it is", () =>
  inFolder(async (folder) => {
    await using exposure = await expose(CONTENT, { ...LOCAL, open: true });
    const where = formatAddress(exposure.address);
    const key = formatStaticKey(parseTicket(exposure.ticket).exposerKey);
    const other = formatStaticKey(createIdentity(engine, systemRandom(32)).staticKey);
    const known = { knownDir: folder, timeoutMs: 5000 };
    await refused("AUTH_FAIL", () => find(where, "Grüße", { ...known, key: other }));
    await assertRejects(() => Deno.stat(`${folder}/known_exposers`), Deno.errors.NotFound);
    for (let times = 0; times < 2; times++) await find(where, "Grüße", { ...known, key });
    assertEquals(await Deno.readTextFile(`${folder}/known_exposers`), `${where} ${key}\n`);
    await find(where, "Grüße", known);
    for (const text of [`${where} ${other}\n`, "damaged\n"]) {
      await Deno.writeTextFile(`${folder}/known_exposers`, text);
      await find(where, "Grüße", { ...known, key });
      assertEquals(await Deno.readTextFile(`${folder}/known_exposers`), text);
    }
  }));

Deno.test("find: what needs a ticket, what is for others and what is not there is the same; a node that is allowed finds it", () =>
  inFolder(async (folder) => {
    const bob = `${folder}/bob`;
    const { staticKey } = createIdentity(engine, loadIdentitySeed(bob, systemRandom).seed);
    await using byTicket = await expose(CONTENT, LOCAL);
    await using forBob = await expose(CONTENT, { ...LOCAL, allow: [formatStaticKey(staticKey)] });
    const stranger = (exposure: typeof byTicket, name: string) => () =>
      find(formatAddress(exposure.address), name, believe);
    const said: string[] = [];
    for (const exposure of [byTicket, forBob]) {
      for (const name of ["Grüße", "absent"]) {
        const message = await refused("ACCESS_DENIED", stranger(exposure, name));
        said.push(message.replace(formatAddress(exposure.address), "").replace(name, ""));
      }
    }
    assertEquals(new Set(said).size, 1);
    const where = formatAddress(forBob.address);
    const ticket = await find(where, "Grüße", { ...believe, stateDir: bob });
    assertEquals(await pull(ticket, { stateDir: bob }).bytes(), CONTENT);
    // Asking is no pull.
    assertLess(forBob.stats().completed, 2);
  }));

Deno.test("find: by label in either spelling, and by a name in another normal form", async () => {
  await using exposure = await expose(CONTENT, { ...LOCAL, open: true });
  const { exposureId, exposerKey } = parseTicket(exposure.ticket);
  const label = exposureId.subarray(0, 16);
  const texts = [
    "Grüße".normalize("NFD"),
    label.toHex(),
    label.toHex().toUpperCase(),
    label.toBase64({ alphabet: "base64url", omitPadding: true }),
  ];
  for (const text of texts) {
    const key = formatStaticKey(exposerKey);
    const found = await find(formatAddress(exposure.address), text, { key, timeoutMs: 5000 });
    assertEquals(found.exposureId, exposureId);
  }
});

Deno.test("find: a damaged line of known_exposers makes nobody a stranger", () =>
  inFolder(async (folder) => {
    await using exposure = await expose(CONTENT, { ...LOCAL, open: true });
    const where = formatAddress(exposure.address);
    await Deno.writeTextFile(`${folder}/known_exposers`, `# mine\n\n${where} AAAA\n`);
    const message = await refused("IO", () => find(where, "Grüße", { ...believe, knownDir: folder }));
    assertStringIncludes(message, "line 3");
  }));

Deno.test("find: silence and a signal end it", async () => {
  await refused("TIMEOUT", () => find("127.0.0.1:9", "x", { ...believe, timeoutMs: 300 }));
  const signal = AbortSignal.timeout(200);
  await refused("CANCELLED", () => find("127.0.0.1:9", "x", { ...believe, signal }));
});

Deno.test("list: nothing for strangers, where tickets are needed or others are meant; its own for whom it is meant", () =>
  inFolder(async (folder) => {
    const bob = `${folder}/bob`;
    const { staticKey } = createIdentity(engine, loadIdentitySeed(bob, systemRandom).seed);
    await using byTicket = await expose(CONTENT, LOCAL);
    const events: string[] = [];
    await using forBob = await expose(CONTENT, {
      ...LOCAL,
      name: "for Bob/\u001b[2J",
      allow: [formatStaticKey(staticKey)],
      onEvent: ({ kind }) => events.push(kind),
    });
    for (const { address } of [byTicket, forBob]) {
      await refused("ACCESS_DENIED", () => listExposures(formatAddress(address), believe));
    }
    const listed = await listExposures(formatAddress(forBob.address), { ...believe, stateDir: bob });
    const { id } = forBob;
    assertEquals(listed, [{ name: "for Bob/\u001b[2J", id, bytes: CONTENT.length, isCollection: false }]);
    // Who looks at the list has not pulled, and the list itself is found by no name.
    assertEquals([events, forBob.stats().completed, forBob.stats().pullers], [[], 0, []]);
    const options = { ...believe, stateDir: bob };
    const found = await find(formatAddress(forBob.address), listed[0].name, options);
    assertEquals(found.exposureId.toBase64({ alphabet: "base64url", omitPadding: true }), id);
  }));
