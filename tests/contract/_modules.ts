/**
 * What a module says about itself, from the linter's syntax tree: whom it imports, and which names and shapes it uses that some
 * rooms do without.
 *
 * @module
 */

/** Something at a line of a module. */
export interface Mention {
  /** 1 is the first. */
  readonly line: number;
  /** An import's specifier; or a name such as `Date`, `Math.random`, `Deno.dlopen`; or `async`. */
  readonly what: string;
}

/** A module's mentions. */
export interface ModuleFacts {
  /** Specifiers of imports and re-exports, of `import()` and of `import("…")` types. */
  readonly imports: readonly Mention[];
  /** Members of {@linkcode watched} globals, and `async` for each function or loop that waits. */
  readonly uses: readonly Mention[];
}

/** Globals that are looked for. */
const watched = new Set([
  "Deno",
  "Date",
  "performance",
  "Math",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "globalThis",
]);

/** Reads a module. @throws {Error} when an import's specifier is not a plain text */
export function moduleFacts(source: string, name = "module.ts"): ModuleFacts {
  const imports: Mention[] = [];
  const uses: Mention[] = [];
  const at = (node: { range: readonly [number, number] }) =>
    source.slice(0, node.range[0]).split("\n").length;
  const addImport = (node: Deno.lint.Node, specifier: unknown) => {
    if (typeof specifier !== "string") {
      throw new Error(`${name}:${at(node)}: an import whose target is computed`);
    }
    imports.push({ line: at(node), what: specifier });
  };
  const addAsync = (node: Deno.lint.Node & { async: boolean }) => {
    if (node.async) uses.push({ line: at(node), what: "async" });
  };
  const visitor: Deno.lint.LintVisitor = {
    ImportDeclaration: (node) => addImport(node, node.source.value),
    ExportAllDeclaration: (node) => addImport(node, node.source.value),
    ExportNamedDeclaration: (node) => node.source && addImport(node, node.source.value),
    ImportExpression: (node) => addImport(node, node.source.type === "Literal" && node.source.value),
    TSImportType: (node) => {
      const text = /import\(\s*["']([^"']*)["']/.exec(source.slice(...node.range));
      addImport(node, text?.[1]);
    },
    FunctionDeclaration: addAsync,
    FunctionExpression: addAsync,
    ArrowFunctionExpression: addAsync,
    ForOfStatement: (node) => {
      if (node.await) uses.push({ line: at(node), what: "async" });
    },
    Identifier: (node) => {
      if (!watched.has(node.name)) return;
      const { parent } = node;
      // The name of a property is no use of the global. (`{ Date }` holds it twice, as name and as value.)
      if ("key" in parent && parent.key === node && !("computed" in parent && parent.computed)) return;
      if (parent.type !== "MemberExpression") return void uses.push({ line: at(node), what: node.name });
      if (parent.object !== node) return;
      const member = parent.property.type === "Identifier" ? `.${parent.property.name}` : "";
      uses.push({ line: at(node), what: node.name + member });
    },
  };
  const plugin: Deno.lint.Plugin = { name: "facts", rules: { facts: { create: () => visitor } } };
  Deno.lint.runPlugin(plugin, name, source);
  return { imports, uses };
}
