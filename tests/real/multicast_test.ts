// A group over real sockets: that it carries, that it carries once, and what a puller does where it does not.
import { join } from "node:path";
import { expose, pull, RgtpError } from "../../mod.ts";
import type { PullEvent, PullOptions } from "../../mod.ts";
import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "../_assert.ts";
import { rgtp } from "./_rgtp.ts";

const interfaces = Deno.networkInterfaces();
const loopback = interfaces.find(({ address }) => address === "127.0.0.1")?.name;
/** An interface that packets of the loopback do not reach. */
const elsewhere = interfaces.find((one) => one.family === "IPv4" && one.name !== loopback)?.name;

function freeGroup(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `239.255.${1 + Deno.pid % 250}.7:${listener.addr.port}`;
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** Pulls, and what it was told. */
async function pulled(ticket: string, options: PullOptions = {}) {
  const events: PullEvent[] = [];
  const task = pull(ticket, {
    // Else there would be nothing to send.
    shared: false,
    ...(loopback !== undefined && { interface: loopback }),
    ...options,
    onEvent: (event) => events.push(event),
  });
  const bytes = await task.bytes();
  const unicast = events.find((event) => event.kind === "unicast");
  return { bytes, kinds: events.map(({ kind }) => kind), reason: unicast?.reason, stats: task.stats() };
}

const multicast = () => ({ group: freeGroup(), interface: loopback! });

for (const link of ["linux_udp", "datagram_conn"] as const) {
  Deno.test({
    name: `${link}: three receivers get the same bytes from one sending of them`,
    ignore: loopback === undefined,
    fn: async () => {
      const bytes = randomBytes(4_000_000);
      const cast = { ...multicast(), receivers: 3, rate: { name: "fixed", rate: 6_000_000 } } as const;
      await using exposure = await expose(bytes, { host: "127.0.0.1", port: 0, link, multicast: cast });
      const all = await Promise.all([1, 2, 3].map(() => pulled(exposure.ticket, { link })));
      for (const one of all) {
        assertEquals(one.bytes, bytes);
        assert(one.kinds.includes("group"));
      }
      // By unicast it would be three times the bytes. Receivers that share a busy processor lose some.
      assertLess(exposure.stats().bytesSent, 2 * bytes.length);
      assertEquals(exposure.stats().drops, {});
    },
  });
}

Deno.test({
  name:
    "a puller that wants no group, one that may not contact it, and one that comes alone, pull by themselves",
  ignore: loopback === undefined,
  fn: async () => {
    const bytes = randomBytes(3_000_000);
    await using exposure = await expose(bytes, { host: "127.0.0.1", port: 0, multicast: multicast() });
    const refusing = await pulled(exposure.ticket, { multicast: false });
    assertEquals(refusing.bytes, bytes);
    assertEquals(refusing.kinds, ["granted", "done"]);
    const forbidding = await pulled(exposure.ticket, { mayContact: ({ host }) => host === "127.0.0.1" });
    assertEquals(forbidding.bytes, bytes);
    assertStringIncludes(forbidding.reason ?? "", "may not be joined");
    const alone = await pulled(exposure.ticket);
    assertEquals(alone.bytes, bytes);
  },
});

Deno.test({
  name:
    "an interface that there is none, or that the group does not reach: the pull says so, and goes on without",
  ignore: loopback === undefined || elsewhere === undefined,
  fn: async () => {
    const bytes = randomBytes(2_000_000);
    const cast = { ...multicast(), receivers: 3 };
    await using exposure = await expose(bytes, { host: "127.0.0.1", port: 0, multicast: cast });
    const [wrong, deaf] = await Promise.all([
      pulled(exposure.ticket, { interface: "nowhere9" }),
      pulled(exposure.ticket, { interface: elsewhere! }),
    ]);
    assertEquals(wrong.bytes, bytes);
    assertStringIncludes(wrong.reason ?? "", "nowhere9");
    assertEquals(deaf.bytes, bytes);
    assertEquals(deaf.reason, "nothing of the group arrives here");
  },
});

Deno.test("a group that may not be used, or not from here, is refused before anything is sealed", async () => {
  const bytes = randomBytes(1000);
  const attempt = (group: string, more = {}) => async () => {
    const options = { host: "127.0.0.1", port: 0, multicast: { group, ...more } };
    await using _ = await expose(bytes, options);
  };
  for (const group of ["224.0.0.1:9000", "10.0.0.1:9000", "239.1.1.1", "[ff0e::1]:9000", "x"]) {
    await assertRejects(attempt(group), RgtpError, "239.x.y.z:PORT");
  }
  await assertRejects(attempt("239.1.1.1:9000", { interface: "nowhere9" }), RgtpError, "nowhere9");
  await assertRejects(attempt("239.1.1.1:9000", { hops: 300 }), RangeError, "hops");
  await assertRejects(attempt("239.1.1.1:9000", { receivers: 0 }), RangeError, "receivers");
});

Deno.test({
  name: "rgtp pull without the permission for the group pulls without it, and says which is missing",
  ignore: loopback === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const bytes = randomBytes(500_000);
      await using exposure = await expose(bytes, { host: "127.0.0.1", port: 0, multicast: multicast() });
      const out = join(folder, "out");
      const { port } = exposure.address;
      const permissions = [
        `--allow-net=127.0.0.1:${port},0.0.0.0:0`,
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
      ];
      const end = await rgtp([
        "pull",
        exposure.ticket,
        out,
        "--interface",
        loopback!,
        "--no-shared",
        "--json",
      ], permissions);
      assertEquals(end.code, 0, end.err);
      assertEquals(await Deno.readFile(out), bytes);
      const event = end.events().find((one) => one.event === "unicast");
      assertStringIncludes(String(event?.reason), "--allow-net=239.255.");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "rgtp expose --multicast without the permission for the whole network says which is missing, and serves nobody",
  ignore: loopback === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(join(folder, "source"), randomBytes(1000));
      const end = await rgtp([
        ...["expose", join(folder, "source"), "--host", "127.0.0.1", "--state-dir", join(folder, "state")],
        ...["--multicast", freeGroup(), "--interface", loopback!, "--json"],
      ], ["--allow-net=127.0.0.1", `--allow-read=${folder}`, `--allow-write=${folder}`]);
      assertEquals(end.events().at(-1)?.event, "error", end.err);
      assertStringIncludes(String(end.events().at(-1)?.message), "--allow-net");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("rgtp expose: flags of a group without one, and numbers that are none, are refused", async () => {
  const expected: readonly (readonly [readonly string[], string])[] = [
    [["--receivers", "3"], "--receivers belongs to --multicast"],
    [["--multicast", "239.1.1.1:9", "--receivers", "many"], "a whole number from 1 to 4096"],
    [["--multicast", "239.1.1.1:9", "--cast-rate", "fast"], "'slowest'"],
  ];
  for (const [flags, text] of expected) {
    const end = await rgtp(["expose", "x", ...flags], ["-A"]);
    assertEquals(end.code, 2);
    assertStringIncludes(end.err, text);
  }
});
