import { assertEquals } from "../tests/_assert.ts";
import { type ValueKind, valueKinds } from "./_values.ts";

const good: Readonly<Record<ValueKind, Readonly<Record<string, number>>>> = {
  size: {
    "1": 1,
    "64KiB": 65536,
    "1MiB": 1048576,
    "1M": 1048576,
    "1m": 1048576,
    "64 K": 65536,
    "1.5kB": 1500,
    "1MB": 1e6,
    "2GB": 2e9,
  },
  duration: {
    "90": 90_000,
    "30s": 30_000,
    "5m": 300_000,
    "1h": 3_600_000,
    "1d": 86_400_000,
    "250ms": 250,
    "1.5s": 1500,
  },
  rate: {
    "1000": 1000,
    "10MB/s": 1e7,
    "100Mbit/s": 12_500_000,
    "1.5MB": 1_500_000,
    "1MiB/s": 1048576,
    "1Gbit": 125_000_000,
    "8bit/s": 1,
  },
  port: { "0": 0, "1": 1, "65535": 65535 },
};

const bad: Readonly<Record<ValueKind, readonly string[]>> = {
  size: [
    "",
    "0",
    "-1",
    "x",
    "1 x",
    "1Mb",
    "1e3",
    "0x10",
    "1MBs",
    "1.",
    ".5",
    "9999999999999999",
    "999999TiB",
    "1MB/s",
    " 1",
    "1\n",
  ],
  duration: ["0", "0s", "1w", "1h30m", "-5s", "s", "∞"],
  rate: ["0", "1bit/s", "10Mb/s", "1MB/h", "/s", "fast"],
  port: ["-1", "65536", "1.5", "http", "", "100000", "٣"],
};

for (const kind of ["size", "duration", "rate", "port"] as const) {
  Deno.test(`valueKinds: a ${kind} is read with its units`, () => {
    for (const [text, value] of Object.entries(good[kind])) {
      assertEquals(valueKinds[kind].parse(text), value, text);
    }
  });
  Deno.test(`valueKinds: what is no ${kind} is turned away`, () => {
    for (const text of bad[kind]) assertEquals(valueKinds[kind].parse(text), undefined, JSON.stringify(text));
  });
}
