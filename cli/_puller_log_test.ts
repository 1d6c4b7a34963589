import { assertEquals } from "../tests/_assert.ts";
import type { ExposureEvent, ExposureStats } from "../transport/expose.ts";
import type { PullerStatus } from "../transport/protocol/exposer_types.ts";
import { byAddress, PullerLog } from "./_puller_log.ts";
import { StatusLine } from "./_terminal.ts";

function status(host: string, bytesSent: number, rate: number): PullerStatus {
  const [exposureId, ticketId] = [new Uint8Array(32), new Uint8Array(8)];
  return { address: { host, port: 7 }, exposureId, ticketId, bytesSent, rate, forMs: bytesSent };
}

function event(kind: ExposureEvent["kind"], host: string, bytesSent = 0): ExposureEvent {
  return { kind, address: { host, port: 7 }, bytesSent };
}

function stats(
  bytesSent: number,
  pullers: readonly PullerStatus[],
): Pick<ExposureStats, "bytesSent" | "pullers"> {
  return { bytesSent, pullers };
}

function recorded(): { log: PullerLog; said: string[]; at(now: number): void } {
  const said: string[] = [];
  let now = 0;
  const io = {
    out: () => {},
    err: (text: string) => void said.push(text.replace("\x1b[K", "").trim()),
    errIsTerminal: true,
    columns: () => 200,
    readLine: () => Promise.resolve(""),
  };
  const clock = () => now;
  return { log: new PullerLog(new StatusLine(io, clock), clock), said, at: (time) => now = time };
}

Deno.test("byAddress() counts a puller with two tokens once", () => {
  const merged = byAddress([status("a", 1, 10), status("b", 2, 20), status("a", 3, 30)]);
  assertEquals(merged.map(({ address, bytesSent, rate, forMs }) => [address.host, bytesSent, rate, forMs]), [
    ["a", 4, 40, 3],
    ["b", 2, 20, 2],
  ]);
});

Deno.test("PullerLog tells when a puller comes and goes, and not when its token is renewed", () => {
  const { log, said, at } = recorded();
  log.event(event("granted", "192.0.2.1"), []);
  log.event(event("granted", "192.0.2.1"), []);
  at(2000);
  log.event(event("left", "192.0.2.1", 500), [status("192.0.2.1", 500, 1)]);
  log.event(event("completed", "192.0.2.1", 4_000_000), []);
  log.event(event("granted", "192.0.2.2"), []);
  log.event(event("left", "192.0.2.2"), []);
  assertEquals(said, [
    "192.0.2.1:7 pulls",
    "192.0.2.1:7 has everything: 4.00 MB sent in 2.00 s (2.00 MB/s)",
    "192.0.2.2:7 pulls",
    "192.0.2.2:7 fell silent: 0 B sent in 0.00 s; it can go on where it was",
  ]);
});

Deno.test("PullerLog names few pullers with their rates, and sums up many", () => {
  const { log, said, at } = recorded();
  log.show(stats(1e6, [status("192.0.2.1", 0, 5e6), status("192.0.2.2", 0, 1e6)]));
  at(1000);
  log.show(stats(11e6, ["a", "b", "c", "d"].map((host) => status(host, 0, 1))));
  assertEquals(said, [
    "192.0.2.1:7 5.00 MB/s, 192.0.2.2:7 1.00 MB/s; 1.00 MB served",
    "4 pullers, 10.0 MB/s together; 11.0 MB served",
  ]);
});
