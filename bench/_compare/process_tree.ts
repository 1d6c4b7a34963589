/*
 * What processes cost that are not ours: servers that start one process for each who asks, and clients made of several programs. Linux
 * alone tells.
 */

/** Ticks of proc(5) a second, on every Linux that there is. */
const TICKS = 100;
/** The parent, and what each process has used itself and its ended children have, among the fields behind the name: proc(5). */
const PARENT = 1;
const TIMES = [11, 12, 13, 14];

/** Processor time of a process, of all that it has started, and of all that those have waited for, in seconds. */
export function treeCpuSeconds(root: number): number {
  return treeOf(root).reduce((sum, pid) => sum + secondsIn(statOf(pid), TIMES), 0);
}

/** Processor time of all processes that this one has started and that have ended, with all that they had started, in seconds. */
export function endedCpuSeconds(): number {
  return secondsIn(statOf(Deno.pid), TIMES.slice(2));
}

/** Ends a process and all that it has started. */
export function endTree(root: number): void {
  endAll(treeOf(root));
}

/** Ends all that this process has started. */
export function endChildren(): void {
  endAll(treeOf(Deno.pid).slice(1));
}

function endAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Whether somebody on this machine listens for TCP at that port: asked without a connection, which some servers take one of. */
export async function isListening(port: number): Promise<boolean> {
  const at = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const LISTEN = "0A";
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => Deno.readTextFile(`/proc/net/${name}`)));
  return tables.join("\n").split("\n").some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && `${local} `.endsWith(at);
  });
}

/** A process and all below it, the upper ones first. */
function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = Number(statOf(pid)?.[PARENT]);
    children.set(parent, [...children.get(parent) ?? [], pid]);
  }
  const tree = [root];
  for (let i = 0; i < tree.length; i++) tree.push(...children.get(tree[i]) ?? []);
  return tree;
}

/** The fields behind the name, which may hold anything; `undefined` when the process has ended. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function secondsIn(stat: readonly string[] | undefined, fields: readonly number[]): number {
  return fields.reduce((sum, field) => sum + Number(stat?.[field] ?? 0), 0) / TICKS;
}
