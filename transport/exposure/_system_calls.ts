/*
 * What another program does to a folder, from its system calls (strace): the same steps that `_disk_log.ts` records of this one.
 */
import type { Step } from "./_disk_log.ts";

/** Why system calls cannot be watched here; empty when they can. */
export async function whyNoStrace(): Promise<string> {
  try {
    const { success } = await new Deno.Command("strace", { args: ["true"], stderr: "null" }).output();
    return success ? "" : "strace may not watch processes";
  } catch {
    return "no strace";
  }
}

const CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,linkat,unlink,unlinkat,rename,mkdir";
/** Of what is written nothing may be left out. */
const BYTES_MAX = 1_000_000;

/** Runs a program, and answers with what it has done below a folder. @throws {Error} when it fails */
export async function watchDisk(folder: string, words: readonly string[]): Promise<Step[]> {
  const log = await Deno.makeTempFile({ prefix: "rgtp-strace-" });
  try {
    const { success, stderr } = await new Deno.Command("strace", {
      args: ["-f", "-y", "-xx", "-s", `${BYTES_MAX}`, "-e", `trace=${CALLS}`, "-o", log, ...words],
      stdin: "null",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return stepsOf(await Deno.readTextFile(log), folder);
  } finally {
    await Deno.remove(log);
  }
}

/** A call's name, and its arguments as far as they were there when it began. */
const CALL = /^\d+ +(\w+)\((.*)$/;
const TEXT = /"((?:\\x[0-9a-f]{2})*)"/g;
const DESCRIPTOR = /^\d+<([^>]*)>/;

function stepsOf(log: string, folder: string): Step[] {
  const steps: Step[] = [];
  const files = new Map<string, number>();
  const ends = new Map<number, number>();
  let made = 0;
  const within = (path: string) => path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
  const name = (path: string, file: number) => {
    files.set(path, file);
    steps.push({ kind: "name", path, what: file });
  };
  const write = (file: number, at: number, bytes: Uint8Array) => {
    ends.set(file, at + bytes.length);
    steps.push({ kind: "write", file, at, bytes });
  };

  for (const line of log.split("\n")) {
    const [, call, rest] = CALL.exec(line) ?? [];
    if (call === undefined) continue;
    const texts = Array.from(rest.matchAll(TEXT), ([, hex]) => Uint8Array.fromHex(hex.replaceAll("\\x", "")));
    const paths = texts.map((bytes) => within(new TextDecoder().decode(bytes)));
    const opened = unescaped(DESCRIPTOR.exec(rest)?.[1] ?? "");
    const file = files.get(within(opened) ?? "");
    const last = Number(/, (\d+)\)/.exec(rest)?.[1]);
    if (call === "openat") {
      const path = paths[0];
      if (path !== undefined && /O_CREAT/.test(rest) && !files.has(path)) name(path, made++);
      if (path !== undefined && /O_TRUNC/.test(rest)) write(files.get(path)!, 0, new Uint8Array(0));
    } else if (call === "mkdir") {
      if (paths[0] !== undefined) steps.push({ kind: "name", path: paths[0], what: "folder" });
    } else if (call === "linkat") {
      const [from, to] = paths;
      if (from !== undefined && to !== undefined) name(to, files.get(from)!);
    } else if (call === "rename") {
      const [from, to] = paths;
      if (from === undefined || to === undefined) continue;
      steps.push({ kind: "rename", from, to });
      files.set(to, files.get(from)!);
      files.delete(from);
    } else if (call.startsWith("unlink")) {
      if (paths[0] === undefined || !files.delete(paths[0])) continue;
      steps.push({ kind: "remove", path: paths[0] });
    } else if (call.endsWith("sync")) {
      if (file !== undefined) steps.push({ kind: "sync", file });
      // A folder's names; those of another folder last by themselves.
      else if (opened.startsWith(folder)) steps.push({ kind: "sync names" });
    } else if (file !== undefined) {
      if (call === "ftruncate") steps.push({ kind: "truncate", file, size: last });
      else write(file, call === "pwrite64" ? last : ends.get(file) ?? 0, texts[0]);
    }
  }
  return steps;
}

/** With -xx, strace shows paths as it shows bytes, or as they are: both mean the same. */
function unescaped(path: string): string {
  return path.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}
