/*
 * Folders for the tests of collections: made of a table, and described so that two can be compared.
 */

/** What stands at each path: the content of a file, `"folder"`, or a link's target behind `->`. */
export type Tree = Readonly<Record<string, Uint8Array | string>>;

/** Makes a tree in a folder, which is made too. Paths that end in `*` are programs, without the `*`. */
export function makeTree(root: string, tree: Tree): void {
  Deno.mkdirSync(root, { recursive: true });
  for (const [name, what] of Object.entries(tree)) {
    const path = `${root}/${name.replace(/\*$/, "")}`;
    Deno.mkdirSync(path.replace(/\/[^/]*$/, ""), { recursive: true });
    if (what === "folder") Deno.mkdirSync(path);
    else if (typeof what === "string" && what.startsWith("->")) Deno.symlinkSync(what.slice(2), path);
    else {
      const bytes = typeof what === "string" ? new TextEncoder().encode(what) : what;
      Deno.writeFileSync(path, bytes);
      if (name.endsWith("*")) Deno.chmodSync(path, 0o755);
    }
  }
}

/** A line for each thing in a folder: what it is, and its content, executable bit and time. */
export function describeTree(root: string, below = ""): string[] {
  const lines: string[] = [];
  for (const { name } of Deno.readDirSync(below === "" ? root : `${root}/${below}`)) {
    const path = below === "" ? name : `${below}/${name}`;
    const info = Deno.lstatSync(`${root}/${path}`);
    const time = info.mtime?.getTime();
    if (info.isSymlink) lines.push(`${path} -> ${Deno.readLinkSync(`${root}/${path}`)}`);
    else if (info.isDirectory) lines.push(`${path}/ ${time}`, ...describeTree(root, path));
    else {
      const executable = ((info.mode ?? 0) & 0o100) !== 0 ? " executable" : "";
      lines.push(`${path} ${Deno.readFileSync(`${root}/${path}`).toHex()}${executable} ${time}`);
    }
  }
  return lines.sort();
}

/** Bytes that differ everywhere. */
export function noise(bytes: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed * 2_654_435_761 >>> 0;
  return Uint8Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
