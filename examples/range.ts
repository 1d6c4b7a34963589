/*
 * Reads parts of something large without pulling the rest: its last bytes, then a stretch from the middle, slice by slice.
 *
 *   deno run --allow-net=127.0.0.1,0.0.0.0 examples/range.ts
 */
import { expose, pull } from "@red-giant/rgtp";

// A million lines of 16 bytes each: line n says "line n".
const LINE_BYTES = 16;
const LINES = 1_000_000;
const lineOf = (n: number) => `line ${n}`.padEnd(LINE_BYTES - 1) + "\n";
const text = new Uint8Array(LINES * LINE_BYTES);
for (let n = 0; n < LINES; n++) new TextEncoder().encodeInto(lineOf(n), text.subarray(n * LINE_BYTES));

await using exposure = await expose(text, { host: "127.0.0.1", port: 0, name: "lines.txt" });
const { bytes: size, ticket } = exposure;

// A pull does one thing once, so each range has its own. Places are bytes; the second one is not part of the range.
const end = pull(ticket);
const last = await end.range(size - LINE_BYTES, size).bytes();
console.log(`the last line: ${new TextDecoder().decode(last).trim()}`);
console.log(`${end.stats().wireBytes < size / 50 ? "less" : "more"} than 2 % of ${size} bytes moved for it`);

const first = 400_000;
const count = 50_000;
let bytes = 0;
let slices = 0;
// Slices come in order, cut as chunks are, the first and the last one at the borders of the range.
for await (const slice of pull(ticket).range(first * LINE_BYTES, (first + count) * LINE_BYTES)) {
  if (slice.some((byte, i) => byte !== text[first * LINE_BYTES + bytes + i])) {
    throw new Error("a slice differs");
  }
  bytes += slice.length;
  slices++;
}
console.log(`lines ${first} to ${first + count - 1}: ${bytes / LINE_BYTES} lines in ${slices} slices`);

// Nothing is a range, too; what leads outside is a mistake.
console.log(`an empty range: ${(await pull(ticket).range(size, size).bytes()).length} bytes`);
try {
  await pull(ticket).range(0, size + 1).bytes();
} catch (error) {
  console.log(`one byte too many: ${error instanceof Error ? error.name : error}`);
}
