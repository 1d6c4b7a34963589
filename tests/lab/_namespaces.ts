/** Network namespaces by `ip`, for the labs. */

/** The two ends of a lab's cable or link. */
export type Side = "exposer" | "puller";

/** Both. */
export const sides: readonly Side[] = ["exposer", "puller"];

let made = 0;

/** Names for two namespaces that no other process of this machine uses. */
export function namespaceNames(): Readonly<Record<Side, string>> {
  const stem = `rgtp-${Deno.pid}-${made++}`;
  return { exposer: `${stem}-e`, puller: `${stem}-p` };
}

/** Makes a namespace. @throws {Error} where that is not allowed */
export async function addNamespace(name: string): Promise<void> {
  await run("ip", "netns", "add", name);
}

/** Ends what runs in a namespace, and the namespace with the devices in it. */
export async function removeNamespace(name: string): Promise<void> {
  for (const pid of (await run("ip", "netns", "pids", name)).split("\n").filter(Boolean)) {
    try {
      Deno.kill(Number(pid), "SIGKILL");
    } catch (error) {
      // It has just ended by itself.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  await run("ip", "netns", "delete", name);
}

/** Runs a command to its end and returns what it wrote. @throws {Error} that says what it said when it failed */
export async function run(...words: string[]): Promise<string> {
  const [command, ...args] = words;
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${words.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** Why something cannot be had here, in a line that is the same in every run. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n")[0].replaceAll(/rgtp-\d+-\d+-[ep]/g, "…");
}
