import { lines } from "../_processes.ts";
import type { Absent, Contestant, Shape } from "./contestant.ts";

/** The system's Python, before one that somebody has installed beside it: Debian's packages are for that one. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/** zfec (Debian: python3-zfec), which takes its time in its own process. */
export async function zfec(shape: Shape): Promise<Contestant | Absent> {
  const python = await PYTHONS.reduce(
    async (found: Promise<string | undefined>, command) =>
      await found ?? (await hasZfec(command) ? command : undefined),
    Promise.resolve(undefined),
  );
  if (python === undefined) {
    return { name: "zfec", why: "it is not here (Debian: apt-get install python3-zfec)" };
  }
  const child = new Deno.Command(python, {
    args: [new URL("time_zfec.py", import.meta.url).pathname],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  const answers = lines(child.stdout);
  const ask = async (what: unknown): Promise<unknown> => {
    await input.write(new TextEncoder().encode(`${JSON.stringify(what)}\n`));
    const { value, done } = await answers.next();
    if (done) throw new Error("time_zfec.py ended early");
    return JSON.parse(value);
  };
  const version = await ask(shape);
  return {
    name: `zfec ${version}`,
    encode: async (times) => Number(await ask(["encode", times])),
    decode: async (times) => Number(await ask(["decode", times])),
    close: async () => {
      await input.close();
      await child.status;
    },
  };
}

async function hasZfec(python: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(python, { args: ["-c", "import zfec"], stderr: "null" })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
