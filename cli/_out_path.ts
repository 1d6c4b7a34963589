import { RgtpError } from "../core/errors.ts";
import { utf8 } from "../core/bytes.ts";
import { visible } from "./_text.ts";

/** Room in a file name of 255 bytes for what a pull appends while it works. */
const NAME_BYTES_MAX = 240;

/** Names of devices on Windows, with any extension. */
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:\..*)?$/i;

/**
 * What another machine calls a file, as the name of a file here: it names a place in its folder and nowhere else, on any system, is not
 * hidden, and does not look like a flag.
 */
export function safeName(name: string, id: string): string {
  const plain = name.normalize("NFC")
    .replace(/[/\\:*?"<>|\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "_")
    .replace(/^\s+|[\s.]+$/gu, "")
    .replace(/^[.-]/, "_");
  if (/^[_\s.]*$/.test(plain)) return `pulled-${id.slice(0, 8)}`;
  return shorten(RESERVED.test(plain) ? `_${plain}` : plain);
}

/**
 * Where a pull is to write: `out`, the name inside it when it is a folder, or the name in the current folder when it is not given.
 *
 * @throws {RgtpError} NOT_FOUND when a folder is named that does not exist
 */
export function outputPath(out: string | undefined, name: string, id: string): string {
  const file = safeName(name, id);
  if (out === undefined) return file;
  if (isFolder(out)) return /[/\\]$/.test(out) ? `${out}${file}` : `${out}/${file}`;
  if (out.endsWith("/") || (Deno.build.os === "windows" && out.endsWith("\\"))) {
    throw new RgtpError("NOT_FOUND", `there is no folder '${visible(out)}': make it, or name another one`);
  }
  return out;
}

/**
 * Which folder is to hold the contents of a collection: `out`, or one of its name in the current folder when it is not given.
 */
export function outputFolder(out: string | undefined, name: string, id: string): string {
  return out ?? safeName(name, id);
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    // Whatever is wrong with it shows, with a better message, when it is opened.
    return false;
  }
}

/** Cuts before the extension, between characters. */
function shorten(name: string): string {
  if (utf8(name).length <= NAME_BYTES_MAX) return name;
  const [, extension] = /(\.[^.]{1,16})$/.exec(name) ?? ["", ""];
  const chars = [...name.slice(0, name.length - extension.length)];
  while (utf8(chars.join("") + extension).length > NAME_BYTES_MAX) chars.pop();
  return chars.join("").trimEnd() + extension;
}
