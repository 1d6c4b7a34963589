import * as codec from "../../codec/mod.ts";
import type { Layout } from "../../codec/mod.ts";
import { limits } from "../../core/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../_assert.ts";

/** A table of the page, with what the comment above it says that it shows. */
interface Table {
  readonly kind: "layout" | "numbers";
  readonly name: string;
  /** Where the record starts in what the table shows. */
  readonly at: number;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

interface Part {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const page = Deno.readTextFileSync(new URL("../../docs/protocol.md", import.meta.url));
const tables = tablesOf(page);

function tablesOf(text: string): Table[] {
  const found = text.matchAll(/<!-- (layout|numbers): (\w+)(?: at (\d+))? -->\n\n((?:\|.*\|\n)+)/g);
  return Array.from(found, ([, kind, name, at, lines]) => {
    const [head, , ...rows] = lines.trim().split("\n").map((line) =>
      line.slice(1, -1).split("|").map((cell) => cell.trim().replaceAll("`", ""))
    );
    return { kind: kind === "layout" ? "layout" : "numbers", name, at: Number(at ?? 0), head, rows };
  });
}

/** Every layout that the room exports: by itself, or in a control packet. */
function layoutsOf(exports: Readonly<Record<string, unknown>>): Map<string, Layout<unknown>> {
  const found = new Map<string, Layout<unknown>>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "object" || value === null) continue;
    if ("fields" in value) found.set(name, value as Layout<unknown>);
    if ("layout" in value) found.set(name, value.layout as Layout<unknown>);
  }
  return found;
}

/** Every list of numbers that the room exports. */
function numbersOf(
  exports: Readonly<Record<string, unknown>>,
): Map<string, Readonly<Record<string, number>>> {
  const found = new Map<string, Readonly<Record<string, number>>>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
    if (Object.values(value).every((part) => typeof part === "number")) {
      found.set(name, value as Readonly<Record<string, number>>);
    }
  }
  return found;
}

/** The rows that have a fixed place. Checks that each starts where the one before ends, and that none comes after one of any size. */
function partsOf(table: Table): Part[] {
  const parts: Part[] = [];
  let end: number | undefined = 0;
  for (const [offset, size, name] of table.rows) {
    const where = `${table.name}, ${name}`;
    assertEquals(offset, end === undefined ? "–" : `${end}`, where);
    assert(/^(?:[1-9][0-9]*|n)$/.test(size), where);
    if (end !== undefined && size !== "n") parts.push({ name, offset: end, size: Number(size) });
    end = end === undefined || size === "n" ? undefined : end + Number(size);
  }
  return parts;
}

const layouts = layoutsOf(codec);
const numbers = numbersOf(codec);

Deno.test("protocol page: has a table for every layout and every list of numbers that codec exports, and no other", () => {
  const names = (kind: Table["kind"]) =>
    tables.filter((table) => table.kind === kind).map((table) => table.name).sort();
  assert(layouts.size >= 19 && numbers.size >= 10, `${layouts.size} layouts, ${numbers.size} lists`);
  assertEquals(names("layout"), [...layouts.keys()].sort());
  assertEquals(names("numbers"), [...numbers.keys()].sort());
});

Deno.test("protocol page: no table of offsets escapes the comparison", () => {
  const heads = page.split("\n").filter((line) => /^\| *offset *\|/.test(line));
  assertEquals(heads.length, tables.filter((table) => table.kind === "layout").length);
});

for (const table of tables.filter((table) => table.kind === "layout")) {
  Deno.test(`protocol page: ${table.name}: names, offsets and sizes are those of the code`, () => {
    assertEquals(table.head, ["offset", "size", "field", "what"]);
    const { fields, size } = layouts.get(table.name)!;
    const parts = partsOf(table);
    const shown = parts.filter(({ offset }) => offset >= table.at && offset < table.at + size);
    assertEquals(
      shown.map((part) => ({ ...part, offset: part.offset - table.at })),
      fields.map(({ name, offset, size }) => ({ name, offset, size })),
    );
    if (table.at === codec.WORD_BYTES) {
      assertEquals(parts[0], { name: "word", offset: 0, size: codec.WORD_BYTES });
    }
    const mac = table.rows.find(([, , name]) => name === "mac");
    if (mac) assertEquals([mac[1], mac], [`${codec.MAC_BYTES}`, table.rows.at(-1)!]);
  });
}

for (const table of tables.filter((table) => table.kind === "numbers")) {
  Deno.test(`protocol page: ${table.name}: numbers and names are those of the code`, () => {
    assertEquals(
      table.rows.map(([number, name]) => [name, number]),
      Object.entries(numbers.get(table.name)!).map(([name, number]) => [name, `${number}`]),
    );
  });
}

Deno.test("protocol page: entries of a collection have the fields of the code, in their order", () => {
  const found = page.matchAll(/<!-- entry: (\w+) -->\n\n((?:\|.*\|\n)+)/g);
  const shown = Array.from(found, ([, kind, lines]) => {
    const [head, , ...rows] = lines.trim().split("\n").map((line) =>
      line.split("|").map((cell) => cell.trim())
    );
    assertEquals(head.slice(1, 4), ["field", "type", "what"]);
    return [kind, rows.map(([, field]) => field.replaceAll("`", ""))];
  });
  assertEquals(shown, Object.entries(codec.entryFields).map(([kind, fields]) => [kind, [...fields]]));
});

Deno.test("protocol page: control packets end in a MAC where the table says so", () => {
  for (const [name, value] of Object.entries(codec)) {
    if (typeof value !== "object" || !("encode" in value && "layout" in value)) continue;
    const table = tables.find((table) => table.name === name)!;
    const mac = table.rows.find(([, , field]) => field === "mac");
    assertEquals(mac?.[0], name === "retry" ? undefined : `${value.size}`, name);
  }
});

Deno.test("protocol page: a token and a grant have the sizes that the tables add up to", () => {
  const sizeOf = (name: string) => {
    const last = partsOf(tables.find((table) => table.name === name)!).at(-1)!;
    return last.offset + last.size;
  };
  assertEquals(sizeOf("tokenBodyLayout"), codec.TOKEN_BYTES);
  assertEquals(sizeOf("manifestLayout"), codec.MANIFEST_BYTES);
  assertEquals(sizeOf("chunkHeaderLayout"), codec.CHUNK_HEADER_BYTES);
  assertEquals(sizeOf("handshakeHeadLayout"), codec.HANDSHAKE_HEAD_BYTES);
});

Deno.test("protocol page: figures in its text are those of the code", () => {
  const text = page.replaceAll(/\s+/g, " ");
  const [ipv6, ethernet, jumbo, largest] = codec.symbolSizes;
  assertStringIncludes(text, `${ipv6} (any IPv6 path), ${ethernet} (Ethernet), ${jumbo} or ${largest} bytes`);
  assertStringIncludes(text, `At most ${codec.requestEntriesMax} entries fit`);
  assertStringIncludes(text, `the number of runs, at most ${codec.haveRunsMax}`);
  assertStringIncludes(text, `⌈T / ${limits.blockSymbolsMax}⌉`);
  assertStringIncludes(text, `1 to ${limits.ticketAddressesMax} addresses`);
  assertStringIncludes(text, `at most ${limits.nameBytesMax} bytes before encoding`);
  assertStringIncludes(text, `At most ${limits.ticketCharsMax.toLocaleString("en")} characters`);
  assertStringIncludes(text, `is longer than ${limits.controlPacketBytesMax.toLocaleString("en")} bytes`);
  assertStringIncludes(text, `0 to ${limits.grantLeavesMax}: all leaves`);
  const number = (value: number) => value.toLocaleString("en");
  assertStringIncludes(text, `array of entries, at most ${number(limits.collectionEntriesMax)}`);
  assertStringIncludes(text, `at most ${number(limits.collectionPathBytesMax)} bytes, with parts`);
  assertStringIncludes(text, `parts of 1 to ${limits.pathPartBytesMax} bytes`);
});

Deno.test("protocol page: a drift would be found", () => {
  const wrong =
    "<!-- layout: x at 0 -->\n\n| offset | size | field | what |\n| --- | --- | --- | --- |\n| 0 | 4 | a | |\n| 5 | 1 | b | |\n";
  const [table] = tablesOf(wrong);
  assertThrows(() => partsOf(table), Error, "x, b");
});
