/*
 * Small disks of a test's own: a tmpfs, mounted inside the test's folder and taken away with it. Where that is not allowed, a test
 * that needs one is skipped and says why.
 */
import { TestFolder } from "./_files.ts";

/** A mounted tmpfs. */
export interface SmallDisk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Mounts it anew with other options, such as `ro` or `size=32m`. */
  remount(options: string): Promise<void>;
  /** Takes it away, while programs may have its files open. */
  detach(): Promise<void>;
}

/** Why a test cannot mount a tmpfs here; empty when it can. */
export async function whyNoMounts(): Promise<string> {
  if (Deno.build.os !== "linux") return `no tmpfs on ${Deno.build.os}`;
  await using folder = await TestFolder.make();
  try {
    await withTmpfs(folder.file("probe"), "64k", () => Promise.resolve());
    return "";
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // A temporary folder has another name each time; a test should not.
    return text.split("\n")[0].replaceAll(folder.path, "…");
  }
}

/** Mounts a tmpfs of a size such as `3m` at `path`, which is made for it. */
export async function mountTmpfs(path: string, size: string): Promise<SmallDisk> {
  await Deno.mkdir(path);
  await run("mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
  let isMounted = true;
  // Lazily: a process that a failed test left behind may still hold a file, and is ended a moment later.
  const detach = async () => {
    if (!isMounted) return;
    isMounted = false;
    await run("umount", "--lazy", path);
  };
  const remount = (options: string) => run("mount", "-o", `remount,${options}`, path);
  return { path, remount, detach, [Symbol.asyncDispose]: detach };
}

/** Runs `use` with a tmpfs. See {@linkcode mountTmpfs}. */
export async function withTmpfs(
  path: string,
  size: string,
  use: (disk: SmallDisk) => Promise<void>,
): Promise<void> {
  await using disk = await mountTmpfs(path, size);
  await use(disk);
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return;
  throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
