import { RgtpError } from "../core/errors.ts";
import type { ExposeSource } from "../transport/exposure/open_source.ts";
import { linksFollowed, toRead } from "./_permissions.ts";
import type { Need } from "./_permissions.ts";

/** What `rgtp expose` was told to expose. */
export interface Exposed {
  /** For `expose()`. */
  readonly source: ExposeSource;
  /** What it is called unless somebody says so; absent: after its paths. */
  readonly name?: string;
  /** The paths themselves. */
  readonly needs: readonly Need[];
  /** Where links lead; can be asked for when `needs` are granted. */
  linkNeeds(): Need[];
}

/** Paths, or (`-`) standard input. @throws {RgtpError} INVALID_ARG for standard input among paths */
export function exposedBy(paths: readonly string[]): Exposed {
  if (!paths.includes("-")) {
    return {
      source: paths,
      needs: paths.map(toRead),
      linkNeeds: () => paths.map((path) => toRead(linksFollowed(path))),
    };
  }
  if (paths.length > 1) {
    throw new RgtpError(
      "INVALID_ARG",
      "standard input (-) is exposed alone: leave the other paths out, or say ./- for a file of that name",
    );
  }
  return { source: Deno.stdin.readable, name: "stdin", needs: [], linkNeeds: () => [] };
}
