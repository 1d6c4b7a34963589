import { assertEquals } from "../tests/_assert.ts";
import { formatBytes, formatPercent, formatRate, formatSeconds, visible } from "./_text.ts";

Deno.test("formatBytes() writes three digits that matter, also at the borders of units", () => {
  const table: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [9994, "9.99 kB"],
    [9995, "10.0 kB"],
    [99_949, "99.9 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.00 MB"],
    [1e9, "1.00 GB"],
    [12.34e12, "12.3 TB"],
    [5e18, "5000 PB"],
  ];
  for (const [bytes, text] of table) assertEquals(formatBytes(bytes), text);
  assertEquals(formatRate(-3), "0 B/s");
  assertEquals(formatRate(1.5e6), "1.50 MB/s");
});

Deno.test("formatSeconds() goes from hundredths to days", () => {
  const table: [number, string][] = [
    [0, "0.00 s"],
    [9.994, "9.99 s"],
    [9.996, "10 s"],
    [59.6, "1:00 min"],
    [125, "2:05 min"],
    [3599.9, "1:00 h"],
    [3725, "1:02 h"],
    [90_000, "1 d 1 h"],
    [Infinity, "?"],
  ];
  for (const [seconds, text] of table) assertEquals(formatSeconds(seconds), text);
});

Deno.test("formatPercent() says 100 only at the end", () => {
  assertEquals(formatPercent(0, 10), "0.0 %");
  assertEquals(formatPercent(99_999, 100_000), "99.9 %");
  assertEquals(formatPercent(10, 10), "100 %");
  assertEquals(formatPercent(0, 0), "100 %");
});

Deno.test("visible() writes out what would act on a terminal, and leaves the rest", () => {
  assertEquals(visible("naïve 文件 👍.txt"), "naïve 文件 👍.txt");
  assertEquals(
    visible("a\x1b[2J\n\u202egpj.exe\u2028\x9b"),
    "a\\u{1b}[2J\\u{a}\\u{202e}gpj.exe\\u{2028}\\u{9b}",
  );
  assertEquals(visible("\ud800"), "\\u{d800}");
});
