import { RgtpError } from "../core/errors.ts";
import { assertEquals, assertRejects } from "../tests/_assert.ts";
import { hiddenLine } from "./_hidden_line.ts";

/** A terminal on which this is typed, so many bytes at a time. */
function typing(text: string, step: number) {
  let rest = new TextEncoder().encode(text);
  return {
    read(into: Uint8Array): Promise<number | null> {
      if (rest.length === 0) return Promise.resolve(null);
      const part = rest.subarray(0, step);
      rest = rest.subarray(part.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

const lines: readonly (readonly [typed: string, line: string])[] = [
  ["four quiet words\r", "four quiet words"],
  ["two\nlines\n", "two"],
  ["wrnong\x7f\x7f\x7f\x7fong\r", "wrong"],
  ["Grüße\b\b\b\bün\r", "Gün"],
  ["\x7f\x7fstill\r", "still"],
  ["all wrong\x15right\r", "right"],
  ["arrow\x1b[D\x07\tkeys\r", "arrow[Dkeys"],
  ["no enter", "no enter"],
  ["end of input\x04more", "end of input"],
  ["\r", ""],
];

Deno.test("hidden line: what is typed and taken back, however it arrives", async () => {
  for (const [typed, line] of lines) {
    for (const step of [1, 2, 3, 100]) assertEquals(await hiddenLine(typing(typed, step)), line);
  }
});

Deno.test("hidden line: Ctrl-C gives nothing, and a line has an end", async () => {
  const error = await assertRejects(() => hiddenLine(typing("some\x03thing\r", 2)), RgtpError);
  assertEquals(error.condition, "CANCELLED");
  const endless = { read: (into: Uint8Array) => (into.fill(97), Promise.resolve(into.length)) };
  assertEquals((await hiddenLine(endless)).length, 4096);
});
