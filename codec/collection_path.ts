import { utf8 } from "../core/bytes.ts";
import { limits } from "../core/limits.ts";

// deno-lint wants no control characters in expressions; Cc holds those of ASCII and those of Latin-1.
const CONTROL = /\p{Cc}/u;

/** Not seen, and taken away by many a decoder. */
const BYTE_ORDER_MARK = "\ufeff";

/**
 * What makes a text no path of a collection, or `undefined`. A path is relative, its parts are divided by `/`, and it names a place inside
 * the collection by its letters alone: no part is empty, `.` or `..`. It is whole Unicode, without control characters, and without
 * `\`, which divides parts on one system and not on another.
 */
export function collectionPathFault(path: string): string | undefined {
  if (path === "") return "is empty";
  if (!path.isWellFormed()) return "is not Unicode text";
  if (CONTROL.test(path)) return "holds a control character";
  if (path.includes("\\")) return "holds a backslash";
  if (path.startsWith("/")) return "is absolute";
  if (!fits(path, limits.collectionPathBytesMax)) {
    return `is longer than ${limits.collectionPathBytesMax} bytes`;
  }
  for (const part of path.split("/")) {
    if (part === "") return "has an empty part";
    if (part === "." || part === "..") return `has a part '${part}'`;
    if (part.startsWith(BYTE_ORDER_MARK)) return "has a part that begins with a byte order mark";
    if (!fits(part, limits.pathPartBytesMax)) {
      return `has a part of more than ${limits.pathPartBytesMax} bytes`;
    }
  }
  return undefined;
}

/** What makes a text no target of a symbolic link, or `undefined`. Where it leads is for another to find out. */
export function linkTargetFault(target: string): string | undefined {
  if (target === "") return "is empty";
  if (target.startsWith(BYTE_ORDER_MARK)) return "begins with a byte order mark";
  if (!target.isWellFormed()) return "is not Unicode text";
  if (CONTROL.test(target)) return "holds a control character";
  if (target.includes("\\")) return "holds a backslash";
  if (target.startsWith("/") || /^[a-z]:/i.test(target)) return "is absolute";
  if (!fits(target, limits.collectionPathBytesMax)) {
    return `is longer than ${limits.collectionPathBytesMax} bytes`;
  }
  return undefined;
}

/** The path of the folder that a path lies in; empty at the top. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** The order of the paths' UTF-8 bytes: negative, 0 or positive. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (one === other) continue;
    // Halves of characters beyond U+FFFF stand below U+E000 to U+FFFF in UTF-16, and above them in UTF-8.
    return isSurrogate(one) === isSurrogate(other) ? one - other : isSurrogate(one) ? 1 : -1;
  }
  return a.length - b.length;
}

/** Whether a text has at most so many bytes in UTF-8. */
function fits(text: string, bytesMax: number): boolean {
  // A unit of UTF-16 has at most three bytes: most texts need no count.
  return 3 * text.length <= bytesMax || utf8(text).length <= bytesMax;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xe000;
}
