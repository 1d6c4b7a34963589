import { parseAddress } from "../codec/address.ts";
import { openLink } from "../transport/link/open_link.ts";
import { expose } from "../transport/expose.ts";
import { parseTicket } from "../codec/ticket.ts";
import { silence } from "../transport/protocol/pull_failures.ts";
import { assert, assertEquals, assertLess, assertMatch } from "../tests/_assert.ts";
import { judgeAnswer, targetChecks } from "./_doctor_target.ts";

const address = parseAddress("192.0.2.7:9000")!;
const facts = {
  isGranted: false,
  hasAnswered: false,
  isOtherVersion: false,
  isWrongExposer: false,
  addresses: "192.0.2.7:9000",
  heard: "",
  strangers: "",
  network: "",
  source: "",
};
const silent = (network = "") => ({
  kind: "failed" as const,
  why: "silence" as const,
  silence: silence({ ...facts, network }),
});

Deno.test("target: each reason for silence has words of its own, and says what to do", () => {
  const cases = [
    [silent("no packet is taken: EPERM"), { host: "silent" }, /EPERM/],
    [silent(), { host: "answers", port: "closed" }, /nobody listens on this UDP port/],
    [silent(), { host: "unreachable" }, /no way to that machine/],
    [silent(), { host: "answers", port: "silent" }, /it answers TCP.*a firewall drops UDP/],
    [silent(), { host: "silent", port: "silent" }, /neither over UDP nor over TCP/],
    [silent(), undefined, /neither over UDP/],
  ] as const;
  for (const [ended, others, says] of cases) {
    const { state, condition, what, todo } = judgeAnswer(address, ended, 4000, others);
    assertEquals([state, condition], ["fail", "TIMEOUT"]);
    assertMatch(what, says);
    assert(todo);
  }
  const other = judgeAnswer(address, { ...silent(), why: "wrong key" }, 5, undefined);
  assertEquals([other.state, other.condition], ["fail", "AUTH_FAIL"]);
  assertEquals(judgeAnswer(address, { ...silent(), why: "version" }, 5, undefined).condition, "VERSION");
});

Deno.test("target: an exposer that answers, by ticket and by address; a ticket of another one; and an address beside it that is dead", async () => {
  await using exposure = await expose(new Uint8Array(10), { host: "127.0.0.1", port: 0 });
  await using open = await expose(new Uint8Array(10), { host: "127.0.0.1", port: 0, open: true });
  const ticket = parseTicket(exposure.ticket);
  const states = async (target: Parameters<typeof targetChecks>[0]) =>
    (await targetChecks(target)).filter(({ name }) => !name.startsWith("MTU"))
      .map(({ state, condition }) => condition ?? state);
  assertEquals(await states(ticket), ["ok"]);
  assertEquals(await states({ addresses: [exposure.address] }), ["ok"]);
  assertMatch((await targetChecks({ addresses: [open.address] }))[0].what, /fingerprint is [a-z2-7]{4}-/);
  assertEquals(await states({ ...ticket, addresses: [open.address] }), ["AUTH_FAIL"]);
  using deaf = await openLink({ host: "127.0.0.1", port: 0 });
  assertEquals(await states({ addresses: [deaf.local, exposure.address] }), ["warn", "ok"]);
});

Deno.test("target: silence is told within five seconds, and a name that there is not at once", async () => {
  using deaf = await openLink({ host: "127.0.0.1", port: 0 });
  const started = performance.now();
  const [check] = await targetChecks({ addresses: [deaf.local] });
  assertEquals([check.state, check.condition], ["fail", "TIMEOUT"]);
  assertMatch(check.what, /it answers TCP/);
  // Its own timers end after four.
  assertLess(performance.now() - started, 10_000);
  const [name] = await targetChecks({ addresses: [{ host: "no-such-name.invalid", port: 9 }] });
  assertEquals([name.name, name.condition], ["name", "NOT_FOUND"]);
});
