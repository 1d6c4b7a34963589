import { assertEquals } from "../tests/_assert.ts";
import type { Io } from "./_io.ts";
import { firstLine } from "./_io.ts";
import { nearest } from "./_nearest.ts";
import { RateMeter } from "./_rate_meter.ts";
import { fit, StatusLine } from "./_terminal.ts";

function recorder(errIsTerminal: boolean, columns = 80): Io & { said: string[] } {
  const said: string[] = [];
  return {
    said,
    out: (line) => said.push(`out ${line}`),
    err: (text) => said.push(text),
    errIsTerminal,
    columns: () => columns,
    readLine: () => Promise.resolve(""),
  };
}

Deno.test("StatusLine rewrites itself on a terminal, at most ten times a second, and never wraps", () => {
  const io = recorder(true, 11);
  let now = 0;
  const line = new StatusLine(io, () => now);
  line.show("one");
  line.show("too soon");
  now = 100;
  line.show("0123456789abc");
  line.note("stays");
  line.clear();
  line.clear();
  assertEquals(io.said, [
    "\rone\x1b[K",
    "\r012345678…\x1b[K",
    "\r\x1b[K",
    "stays\n",
    "\r012345678…\x1b[K",
    "\r\x1b[K",
  ]);
});

Deno.test("StatusLine draws several lines over each other, fewer than the terminal has, and takes them all away", () => {
  const io = { ...recorder(true), rows: () => 4 };
  let now = 0;
  const line = new StatusLine(io, () => now);
  for (const text of ["a\nb\nc\nd\ne", "f"]) {
    line.show(text);
    now += 100;
  }
  line.show("g\nh");
  line.note("stays");
  line.clear();
  assertEquals(io.said, [
    "\ra\x1b[K\nb\x1b[K\nc\x1b[K",
    "\x1b[2A\rf\x1b[K\x1b[J",
    "\rg\x1b[K\nh\x1b[K",
    "\x1b[1A\r\x1b[J",
    "stays\n",
    "\rg\x1b[K\nh\x1b[K",
    "\x1b[1A\r\x1b[J",
  ]);
});

Deno.test("StatusLine writes a plain line every five seconds where there is no terminal", () => {
  const io = recorder(false);
  let now = 0;
  const line = new StatusLine(io, () => now);
  for (; now <= 10_000; now += 500) line.show(`at ${now}`);
  line.note("stays");
  line.clear();
  assertEquals(io.said, ["at 5000\n", "at 10000\n", "stays\n"]);
});

Deno.test("fit() counts characters, not code units", () => {
  assertEquals(fit("👍👍👍", 3), "👍👍👍");
  assertEquals(fit("👍👍👍", 2), "👍…");
  assertEquals(fit("abc", 0), "…");
});

Deno.test("RateMeter looks back a few seconds, and says nothing too early", () => {
  const meter = new RateMeter(3000);
  assertEquals(meter.update(0, 0, 7), 7);
  assertEquals(meter.update(100, 100, 7), 7);
  assertEquals(meter.update(1000, 1000), 1000);
  for (let at = 2000; at <= 10_000; at += 1000) meter.update(at, 1000);
  assertEquals(meter.update(11_000, 1000), 0);
});

Deno.test("firstLine() takes the first line that is not blank, before the end of the stream", async () => {
  const pieces = ["\r\n  \n rgtp", "://x \r\nmore\n"];
  const read = (into: Uint8Array) => {
    const piece = pieces.shift();
    if (piece === undefined) throw new Error("read on after the line was there");
    return Promise.resolve(new TextEncoder().encodeInto(piece, into).written);
  };
  assertEquals(await firstLine({ read }), "rgtp://x");
  assertEquals(await firstLine({ read: () => Promise.resolve(null) }), "");
});

Deno.test("nearest() guesses slips of the finger, and nothing wild", () => {
  const names = ["port", "profile", "limit-rate", "json"];
  assertEquals(["prot", "JSON", "limitrate", "prof", "zzz", "p", ""].map((word) => nearest(word, names)), [
    "port",
    "json",
    "limit-rate",
    "profile",
    undefined,
    undefined,
    undefined,
  ]);
});
