/*
 * Exposures that a passphrase opens, from both ends of the API: who is refused first.
 */
import { formatAddress } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { ticketPsk } from "../crypto/key_schedule.ts";
import { nativeEngine as engine } from "../crypto/native_engine.ts";
import { stretchPassphrase } from "../crypto/passphrase.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "../tests/_assert.ts";
import { expose } from "./expose.ts";
import type { ExposeOptions } from "./expose.ts";
import { formatStaticKey } from "./exposure/access.ts";
import { find, listExposures, unlock } from "./find.ts";
import type { NewExposer } from "./find.ts";
import { pull } from "./pull.ts";

const RIGHT = "four quiet words here";
const WRONG = "four other words here";
const LOCAL = { host: "127.0.0.1", port: 0, name: "photos" } as const;
const SECURED: ExposeOptions = { ...LOCAL, passphrase: RIGHT };
const CONTENT = new Uint8Array(50_000).map((_, i) => i * 3);
const soon = { timeoutMs: 5000 };

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

Deno.test("passphrase: refused with a wrong one, none, a made-up secret, and beside another policy; served with the right one", async () => {
  await assertRejects(() => expose(CONTENT, { ...SECURED, open: true }), RangeError, "four policies");
  await refused("INVALID_ARG", () => expose(CONTENT, { ...LOCAL, passphrase: "1234" }));
  await refused("INVALID_ARG", () => expose(CONTENT, { ...LOCAL, passphrase: "" }));
  await using exposure = await expose(CONTENT, SECURED);
  const { ticket, address, access } = exposure;
  const where = formatAddress(address);
  assertEquals([access, parseTicket(ticket).secret], ["passphrase", undefined]);
  const message = await refused("ACCESS_DENIED", () => pull(ticket, soon).bytes());
  assertStringIncludes(message, "--password-file");
  await refused("ACCESS_DENIED", () => unlock(ticket, WRONG, soon));
  await refused(
    "ACCESS_DENIED",
    () => pull({ ...parseTicket(ticket), secret: systemRandom(16) }, soon).bytes(),
  );
  await refused("ACCESS_DENIED", () => find(where, "photos", { ...soon, onNewExposer: () => true }));
  await refused("ACCESS_DENIED", () => find(where, "photos", { ...soon, passphrase: WRONG }));
  await refused(
    "ACCESS_DENIED",
    () => unlock({ ...parseTicket(ticket), exposureId: systemRandom(32) }, RIGHT, soon),
  );
  await refused("INVALID_ARG", () => unlock(ticket, "short", soon));
  const stats = exposure.stats();
  assertEquals([stats.bytesSent, stats.drops["no proof of a passphrase"]], [0, 3]);
  const opened = await unlock(ticket, RIGHT);
  assertEquals(await pull(opened).bytes(), CONTENT);
  const found = await find(where, "photos", { passphrase: RIGHT });
  assertEquals([found.secret, found.exposureId], [opened.secret, opened.exposureId]);
  // What is listed by passphrase is pulled with a secret of its own.
  await refused("ACCESS_DENIED", () => listExposures(where, { ...soon, onNewExposer: () => true }));
  const listed = await listExposures(where, { passphrase: RIGHT });
  assertEquals(listed.map(({ name, id }) => [name, id]), [["photos", exposure.id]]);
});

Deno.test("passphrase: at a first contact nobody is believed who does not know it; who does is kept, and no other key after that", () =>
  inFolder(async (folder) => {
    const known = { ...soon, knownDir: `${folder}/me`, passphrase: RIGHT };
    const file = `${folder}/me/known_exposers`;
    // Somebody else answers, with a guess.
    await using rogue = await expose(CONTENT, { ...LOCAL, passphrase: WRONG });
    const met: NewExposer[] = [];
    const meet = { onNewExposer: (one: NewExposer) => met.push(one) > 0 };
    await refused("ACCESS_DENIED", () => find(formatAddress(rogue.address), "photos", { ...known, ...meet }));
    await assertRejects(() => Deno.stat(file), Deno.errors.NotFound);
    assertEquals(met, []);
    await using exposure = await expose(CONTENT, SECURED);
    const where = formatAddress(exposure.address);
    const { exposerKey } = parseTicket(exposure.ticket);
    assertEquals((await find(where, "photos", known)).exposerKey, exposerKey);
    assertEquals(await Deno.readTextFile(file), `${where} ${formatStaticKey(exposerKey)}\n`);
    // Who turns it down is asked, and heard.
    await refused(
      "AUTH_FAIL",
      () => find(where, "photos", { ...soon, passphrase: RIGHT, onNewExposer: () => false }),
    );
    // One that knows the passphrase too, but is not the one who is known there.
    await using twin = await expose(CONTENT, SECURED);
    const there = formatAddress(twin.address);
    await Deno.writeTextFile(file, `${there} ${formatStaticKey(exposerKey)}\n`);
    assertStringIncludes(await refused("AUTH_FAIL", () => find(there, "photos", known)), "HAS CHANGED");
    const elsewhere = { ...parseTicket(exposure.ticket), addresses: [twin.address] };
    await refused("AUTH_FAIL", () => unlock(elsewhere, RIGHT, soon));
    assertEquals([rogue, twin].map((one) => one.stats().bytesSent), [0, 0]);
  }));

Deno.test("passphrase: an exposer keeps nothing of it, nor of the ticket that it leads to: both end with the process", () =>
  inFolder(async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeFile(path, CONTENT);
    const options: ExposeOptions = { ...SECURED, stateDir: `${folder}/state` };
    await using first = await expose(path, options);
    const opened = await unlock(first.ticket, RIGHT);
    assertEquals(await pull(opened).bytes(), CONTENT);
    await first.close();
    const { exposerKey, secret } = opened;
    const traces = [
      new TextEncoder().encode(RIGHT),
      stretchPassphrase(RIGHT, exposerKey),
      secret!,
      ticketPsk(engine, secret!),
    ];
    const files = [...Deno.readDirSync(`${folder}/state`)].map(({ name }) =>
      Deno.readFileSync(`${folder}/state/${name}`)
    );
    assert(files.length >= 2);
    for (const bytes of files) {
      for (const trace of traces) assert(!bytes.toHex().includes(trace.toHex()));
    }
    await using again = await expose(path, options);
    assertEquals(again.id, first.id);
    await refused("ACCESS_DENIED", () => pull({ ...opened, addresses: [again.address] }, soon).bytes());
    assertNotEquals((await unlock(again.ticket, RIGHT)).secret, secret);
    await again.close();
    await using other = await expose(path, { ...options, passphrase: WRONG });
    // One audience: the passphrase is not kept, so nothing tells it from the one before.
    assertEquals(other.id, first.id);
    await using rekeyed = await expose(path, { ...options, passphrase: WRONG, rekey: true });
    assertNotEquals(rekeyed.id, first.id);
  }));
