/*
 * Doors to shared memory, as Linux shows them: for tests of what is there, and of strangers that knock. Only those of one process: others
 * on the machine may be at work with theirs.
 */

/** What a process has open, as the links in `/proc` say. */
export async function linksOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`;
  const fds = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return await Promise.all(fds.map((fd) => Deno.readLink(`${folder}/${fd}`).catch(() => "")));
}

/** The doors of a process: 16 bytes each, in base64url. */
export async function doorsOf(pid: number): Promise<string[]> {
  const inodes = (await linksOf(pid)).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]);
  return (await doors()).filter(({ inode }) => inodes.includes(inode)).map(({ name }) => name);
}

/** Which of these names anyone has now. */
export async function stillThere(names: readonly string[]): Promise<string[]> {
  const now = (await doors()).map(({ name }) => name);
  return names.filter((name) => now.includes(name));
}

/** Doors of all processes in this network namespace. */
async function doors(): Promise<{ inode: string; name: string }[]> {
  const text = await Deno.readTextFile("/proc/net/unix");
  return [...text.matchAll(/ (\d+) @rgtp\/([\w-]{22})/g)].map(([, inode, name]) => ({ inode, name }));
}
