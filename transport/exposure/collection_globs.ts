import { parentPath } from "../../codec/collection_path.ts";

/**
 * Whether a path is chosen: one of the patterns is like it, or like a folder that it lies in. `*` and `?` stand for what is between
 * slashes, `**` also for slashes; everything else, brackets too, for itself.
 */
export function pathChooser(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.map(expressionOf);
  const known = new Map<string, boolean>([["", false]]);
  const chosen = (path: string): boolean => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const isChosen = patterns.some((pattern) => pattern.test(path)) || chosen(parentPath(path));
    known.set(path, isChosen);
    return isChosen;
  };
  return chosen;
}

function expressionOf(glob: string): RegExp {
  const plain = glob.replace(/^\.?\/+/, "").replace(/\/+$/, "");
  const source = plain.replace(/\*\*\/|\*+|\?|[^*?]+/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "*") return "[^/]*";
    if (token.startsWith("*")) return ".*";
    return token === "?" ? "[^/]" : RegExp.escape(token);
  });
  return new RegExp(`^${source}$`, "su");
}
