import { dirname, join } from "node:path/posix";
import { assertEquals } from "../_assert.ts";
import { projectFiles, projectText } from "../../tools/project_files.ts";
import { moduleFacts } from "./_modules.ts";

/*
 * The rooms and who may know whom, as docs/architecture.md draws them. Each failure names file and line.
 */

/** What most of the project stands on. */
const base = ["core/", "codec/", "crypto/", "fec/"];
const transport = [
  "transport/",
  "transport/protocol/",
  "transport/link/",
  "transport/link/quick_files.ts",
  "transport/exposure/",
  "transport/exposure/pieces.ts",
  "transport/crew/",
];

const cluster = ["cluster/", "cluster/protocol/", "cluster/protocol/membership/", "cluster/io/"];

/** Parts of the tree, the most special first, and the parts that each may import besides itself. */
const rooms: readonly { readonly path: string; readonly knows: readonly string[] }[] = [
  { path: "core/", knows: [] },
  { path: "codec/", knows: ["core/"] },
  { path: "crypto/", knows: ["core/", "codec/"] },
  { path: "fec/", knows: ["core/", "codec/"] },
  // How an exposure is cut into pieces: machines and pipeline reckon with the same functions.
  { path: "transport/exposure/pieces.ts", knows: base },
  { path: "transport/protocol/", knows: [...base, "transport/exposure/pieces.ts"] },
  // Threads write files by it.
  { path: "transport/link/quick_files.ts", knows: ["core/", "transport/link/"] },
  { path: "transport/link/", knows: ["core/", "codec/"] },
  { path: "transport/crew/", knows: [...base, "transport/link/quick_files.ts"] },
  { path: "transport/exposure/", knows: [...base, "transport/exposure/pieces.ts", "transport/crew/"] },
  { path: "transport/", knows: [...base, ...transport] },
  { path: "cluster/protocol/membership/", knows: [...base, "cluster/protocol/"] },
  { path: "cluster/protocol/", knows: [...base, "cluster/protocol/membership/"] },
  // Large files of a cluster travel as exposures.
  { path: "cluster/io/exposures.ts", knows: [...base, "mod.ts"] },
  { path: "cluster/", knows: [...base, ...cluster, "cluster/io/exposures.ts"] },
  { path: "mod.ts", knows: [...base, "transport/"] },
  {
    path: "cli/",
    knows: [...base, ...transport, ...cluster, "mod.ts", "deno.json", "schemas/serve.schema.json"],
  },
  { path: "bench/", knows: [...base, ...transport, ...cluster, "mod.ts", "tools/"] },
  { path: "examples/", knows: [] },
  { path: "tools/", knows: [] },
];

/** What a room of machines and pure functions does without; but for its part that calls a faster library. */
const SANS_IO = [
  "core/",
  "codec/",
  "fec/",
  "transport/protocol/",
  "transport/exposure/pieces.ts",
  "cluster/protocol/",
];
const NO_USE_SANS_IO =
  /^(Deno|Date|performance|Math\.random|setTimeout|setInterval|queueMicrotask|globalThis|async)(\.|$)/;

/** Packages, and where alone they may be imported. */
const packages: readonly { readonly name: RegExp; readonly where: RegExp }[] = [
  { name: /^@logtape\//, where: /^cli\/_log\.ts$/ },
  { name: /^@msgpack\/msgpack$/, where: /^codec\/msgpack_map\.ts$/ },
  { name: /^@nats-io\//, where: /^cluster\/io\/nats_store\.ts$/ },
  { name: /^@noble\//, where: /^crypto\// },
  { name: /^@opentelemetry\//, where: /^transport\/telemetry\.ts$/ },
  { name: /^(ajv|jsonc-parser)(\/|$)/, where: /^cli\/_service_config\.ts$/ },
  { name: /^assemblyscript\//, where: /^tools\/build_kernel\.ts$/ },
  {
    name: /^(@peculiar\/x509|reflect-metadata)$/,
    where: /^(cluster\/io\/authority|tests\/real\/_cluster)\.ts$/,
  },
  { name: /^@std\/assert\//, where: /^tests\/_assert\.ts$/ },
  { name: /^@std\/cli\//, where: /^cli\/_args\.ts$/ },
  { name: /^@std\/msgpack\//, where: /^codec\/msgpack\.ts$/ },
  { name: /^fast-check$/, where: /(^tests\/|_test\.ts$|^codec\/_samples\.ts$)/ },
  { name: /^prom-client$/, where: /^cli\/_metrics\.ts$/ },
  { name: /^qr$/, where: /^cli\/_qr\.ts$/ },
  { name: /^jsqr$/, where: /_test\.ts$/ },
  { name: /^(lz4js|msgpack-test-suite)$/, where: /^codec\/.*_test\.ts$/ },
  { name: /^@red-giant\/rgtp(\/|$)/, where: /^examples\// },
];

/** Where foreign functions may be called. */
const FFI = /^(transport\/link|crypto\/native|fec\/native|tests\/lab|bench\/_peers)\//;

/** Files of more than 500 lines, and why each is one file all the same. */
const longFiles: Readonly<Record<string, string>> = {
  "docs/protocol.md": "the protocol byte by byte is looked up, not read through",
  "transport/protocol/puller.ts": "one machine: its phases share all of its state",
};
const LINES_MAX = 500;

const files = projectFiles();
const sources = files.filter((file) => /\.ts$/.test(file));
const facts = new Map(
  sources.filter((file) => !file.endsWith(".d.ts")).map((
    file,
  ) => [file, moduleFacts(projectText(file), file)]),
);

const importers = Map.groupBy(relativeImports(), ({ target }) => target);

/** A test, or a file of a room's own that tests alone import. */
function isTest(file: string, importedBy: readonly string[] = []): boolean {
  if (file.startsWith("tests/") || file.endsWith("_test.ts")) return true;
  if (!/(^|\/)_[^/]+$/.test(file)) return false;
  const others = (importers.get(file) ?? []).filter((one) => !importedBy.includes(one.file));
  return others.length > 0 && others.every((one) => isTest(one.file, [...importedBy, file]));
}

const roomOf = (file: string) => rooms.find((room) => file.startsWith(room.path));

Deno.test("every module lies in a room", () => {
  assertEquals(sources.filter((file) => !isTest(file) && !roomOf(file)), []);
});

Deno.test("a room imports only the rooms that it may know", () => {
  const wrong = relativeImports().filter(({ file, target }) => {
    if (isTest(file)) return false;
    const from = roomOf(file)!;
    // The most special room counts: who may know `transport/` does not know `transport/link/` by that.
    const to = roomOf(target)?.path ?? target;
    return to !== from.path && !from.knows.includes(to);
  });
  assertEquals(wrong.map(show), []);
});

Deno.test("tests are imported by tests alone, and commands by commands and tests", () => {
  const wrong = relativeImports().filter(({ file, target }) =>
    !isTest(file) && (isTest(target) || (target.startsWith("cli/") && !file.startsWith("cli/")))
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("an import is relative, a bare name of deno.json, or a part of the runtime", () => {
  const { imports } = JSON.parse(projectText("deno.json")) as { imports: Record<string, string> };
  const known = [...Object.keys(imports), "@red-giant/rgtp"];
  const isKnown = (what: string) =>
    known.some((name) => what === name || what.startsWith(name.endsWith("/") ? name : `${name}/`));
  const wrong = allImports().filter(({ what }) => !/^(\.\.?\/|node:)/.test(what) && !isKnown(what));
  assertEquals(wrong.map(show), []);
});

Deno.test("packages stay behind their doors", () => {
  const wrong = allImports().filter(({ file, what }) =>
    packages.some(({ name, where }) => name.test(what) && !where.test(file))
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("core, codec and the machines import nothing of the runtime, and crypto does in its native engine alone", () => {
  const wrong = allImports().filter(({ file, what }) =>
    what.startsWith("node:") && !isTest(file) &&
    (SANS_IO.some((room) => file.startsWith(room)) ||
      (file.startsWith("crypto/") && file !== "crypto/native_engine.ts"))
  );
  assertEquals(wrong.map(show), []);
});

Deno.test("core, codec and the machines use no clock, timer, randomness or runtime of their own, and never wait", () => {
  const wrong = [...facts].flatMap(([file, { uses }]) =>
    SANS_IO.some((room) => file.startsWith(room)) && !FFI.test(file) && !isTest(file)
      ? uses.filter(({ what }) => NO_USE_SANS_IO.test(what)).map((use) => show({ file, ...use }))
      : []
  );
  assertEquals(wrong, []);
});

Deno.test("foreign functions are called in links, where crypto and fec have faster libraries, in labs and peers of benchmarks alone", () => {
  const wrong = [...facts].flatMap(([file, { uses }]) =>
    FFI.test(file)
      ? []
      : uses.filter(({ what }) => what === "Deno.dlopen").map((use) => show({ file, ...use }))
  );
  assertEquals(wrong, []);
});

Deno.test("no text holds a path of one machine", () => {
  const folders = ["work", "root", "farm"].join("|");
  const path = new RegExp(`(?<![\\w.*}/-])/(?:${folders})/`);
  const wrong = files.filter((file) => file !== "deno.lock").flatMap((file) =>
    projectText(file).split("\n").flatMap((text, i) =>
      path.test(text) ? [`${file}:${i + 1}: ${text.trim()}`] : []
    )
  );
  assertEquals(wrong, []);
});

Deno.test(`a file has at most ${LINES_MAX} lines, or a reason`, () => {
  const long = files.filter((file) => /\.(ts|md)$/.test(file) && lineCount(file) > LINES_MAX);
  assertEquals(long.filter((file) => !(file in longFiles)), [], "too long without a reason");
  const short = Object.keys(longFiles).filter((file) => files.includes(file) && !long.includes(file));
  assertEquals(short, [], "short enough by now: the reason can go");
});

Deno.test("the reader of modules sees every way to import and to use a global", () => {
  const source = [
    'import type { A } from "./a.ts";',
    'export * from "./b.ts"; export { c } from "./c.ts";',
    'const d = await import("./d.ts");',
    'type E = import("./e.ts").E;',
    "async function f() { return Date.now() + Math.random() + Math.max(1, 2); }",
    "class G { async h() {} Date = 1; }",
    "const i = { performance, x: Deno.dlopen }; // Date",
    'for await (const j of setTimeout("Date")) { new Date(); }',
  ].join("\n");
  const { imports, uses } = moduleFacts(source);
  assertEquals(imports.map(({ line, what }) => `${line} ${what}`), [
    "1 ./a.ts",
    "2 ./b.ts",
    "2 ./c.ts",
    "3 ./d.ts",
    "4 ./e.ts",
  ]);
  assertEquals(uses.map(({ line, what }) => `${line} ${what}`).sort(), [
    "5 Date.now",
    "5 Math.max",
    "5 Math.random",
    "5 async",
    "6 async",
    "7 Deno.dlopen",
    "7 performance",
    "8 Date",
    "8 async",
    "8 setTimeout",
  ]);
});

interface Found {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

function allImports(): Found[] {
  return [...facts].flatMap(([file, { imports }]) => imports.map((mention) => ({ file, ...mention })));
}

/** Imports of files of the project, with the path of each. */
function relativeImports(): (Found & { readonly target: string })[] {
  return allImports().filter(({ what }) => what.startsWith("."))
    .map((found) => ({ ...found, target: join(dirname(found.file), found.what) }));
}

function lineCount(file: string): number {
  return projectText(file).split("\n").length - 1;
}

function show({ file, line, what }: Found): string {
  return `${file}:${line}: ${what}`;
}
