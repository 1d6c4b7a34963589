import { assert, assertEquals, assertRejects, assertThrows } from "../tests/_assert.ts";
import { parseTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { projectText } from "../tools/project_files.ts";
import { edge } from "../transport/edge.ts";
import { expose } from "../transport/expose.ts";
import type { ServingStats } from "../transport/expose.ts";
import { pull } from "../transport/pull.ts";
import { metricTable } from "./_metric_table.ts";
import { metricsAddress, openMetrics } from "./_metrics.ts";

const HERE = { host: "127.0.0.1", port: 0 };

/** Figures by name and label, as they stand in the text. */
function figures(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const at = line.lastIndexOf(" ");
    return [line.slice(0, at), Number(line.slice(at + 1))];
  }));
}

Deno.test("the figures are those of stats(), and nothing in them says what, whose or to whom", async () => {
  const name = "a-name-that-is-nobody's-business";
  await using exposure = await expose(new Uint8Array(300_000), { ...HERE, name, shared: "off" });
  await using cache = await edge(exposure.ticket, HERE);
  const read = () => [exposure.stats(), cache.stats()] as const;
  let [one, other] = read();
  using door = await openMetrics(HERE, () => [one, other] = read());
  await pull(exposure.ticket, { edges: [cache.ticket] }).bytes();
  const { exposerKey } = parseTicket(exposure.ticket);
  const stranger = exposure.ticket.replace(/\.[^./]*\/[^/]*\/$/, `.${"A".repeat(22)}/x/`);
  await assertRejects(() => pull(stranger).bytes(), RgtpError);
  const garbage = Deno.listenDatagram({ transport: "udp", hostname: HERE.host, port: 0 });
  await garbage.send(new Uint8Array(3), {
    transport: "udp",
    hostname: HERE.host,
    port: exposure.address.port,
  });
  garbage.close();
  for (let i = 0; i < 100 && !exposure.stats().drops.malformed; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }

  const text = await (await fetch(door.url)).text();
  const told = figures(text);
  const sum = (read: (stats: ServingStats) => number) => read(one) + read(other);
  assertEquals(told.get("rgtp_sent_bytes_total"), sum((stats) => stats.bytesSent));
  assertEquals(told.get("rgtp_upstream_bytes_total"), other.bytesPulled);
  assert(other.bytesPulled > 300_000);
  assertEquals(told.get('rgtp_pulls_total{outcome="completed"}'), sum((stats) => stats.completed));
  assertEquals(
    told.get('rgtp_handshakes_total{outcome="granted"}'),
    sum((stats) => stats.handshakes.granted),
  );
  assert(one.handshakes.granted >= 2);
  assertEquals(told.get('rgtp_handshakes_total{outcome="denied"}'), one.handshakes.denied);
  assert(one.handshakes.denied >= 1);
  assertEquals(told.get('rgtp_dropped_packets_total{reason="malformed"}'), one.drops.malformed);
  assertEquals(told.get('rgtp_chunks_total{work="sealed"}'), one.store.seals);
  assert(told.get("process_resident_memory_bytes")! > 10_000_000);
  const key = exposerKey.toBase64({ alphabet: "base64url", omitPadding: true });
  const secrets = [exposure.ticket, cache.ticket].map((ticket) => ticket.split("/")[3].split(".")).flat();
  for (const word of [name, key, exposure.id, HERE.host, ...secrets]) assert(!text.includes(word), word);
});

Deno.test("only the figures are there, and only to be read", async () => {
  using door = await openMetrics(HERE, () => []);
  const ask = async (url: string, method = "GET") => {
    const response = await fetch(url, { method });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await ask(door.url), 200);
  assertEquals(await ask(door.url, "HEAD"), 200);
  assertEquals(await ask(door.url, "POST"), 405);
  assertEquals(await ask(new URL("/", door.url).href), 404);
});

Deno.test("whoever connects and says nothing holds up neither others nor the end", async () => {
  const door = await openMetrics(HERE, () => []);
  const { hostname, port } = new URL(door.url);
  using silent = await Deno.connect({ hostname, port: Number(port) });
  await silent.write(new TextEncoder().encode("GET /metr"));
  assertEquals((await (await fetch(door.url)).text()).includes("process_start_time_seconds"), true);
  door[Symbol.dispose]();
  await assertRejects(() => fetch(door.url));
});

Deno.test("a port that is taken is told as such", async () => {
  using taken = Deno.listen({ hostname: HERE.host, port: 0 });
  const { port } = taken.addr;
  const error = await assertRejects(() => openMetrics({ ...HERE, port }, () => []), RgtpError);
  assertEquals(error.condition, "ADDRESS_IN_USE");
});

Deno.test("a port alone is one of this machine's own", () => {
  assertEquals(metricsAddress("9100"), { host: "127.0.0.1", port: 9100 });
  assertEquals(metricsAddress("0.0.0.0:9100"), { host: "0.0.0.0", port: 9100 });
  assertEquals(metricsAddress("[::]:9100"), { host: "::", port: 9100 });
  for (const text of ["", "host", "127.0.0.1:", "70000", "1.2.3.4:70000", "http://x:1"]) {
    assertThrows(() => metricsAddress(text), RgtpError, "--metrics");
  }
});

Deno.test("docs/watching.md has every metric with its label, in their order", () => {
  const rows = projectText("docs/watching.md").matchAll(
    /^\| `((?:rgtp|process)_\w+)` +\| (?:`(\w+)`)? *\|/gm,
  );
  const known = metricTable.map(({ name, label }) => [name, label]);
  assertEquals(Array.from(rows, ([, name, label]) => [name, label]).slice(0, known.length), known);
});
