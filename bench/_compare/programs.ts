/** Whether the programs of contestants are here, and how they come here. */
import { loadIpsecMb } from "../../crypto/native/_ipsec_mb.ts";
import { type Contestant, run } from "./contest.ts";

/** Which programs of a contestant are not here; empty when it can take part. */
export async function missing(one: Contestant): Promise<string> {
  const lacking = await lackingIn(one);
  return lacking.length === 0 ? "" : `there is no ${lacking.join(" and no ")} here (--install gets it)`;
}

/** What RGTP does without, and is faster with: hashes of chunks side by side. */
const LIBRARY = "libipsec-mb1";

/** Installs what contestants lack, and a library, from Debian's packages, as root. No server is started. */
export async function install(all: readonly Contestant[]): Promise<void> {
  const packages = new Set<string>(loadIpsecMb() ? [] : [LIBRARY]);
  for (const one of all) for (const program of await lackingIn(one)) packages.add(one.programs[program]);
  if (packages.size === 0) return;
  await run("apt-get", "update", "-q");
  for (const name of packages) {
    // One by one: one that there is not keeps no other away.
    await run("apt-get", "install", "-y", "-q", "--no-install-recommends", name)
      .catch((error: Error) => console.error(`${name} is not installed: ${error.message}`));
  }
}

async function lackingIn({ programs }: Contestant): Promise<string[]> {
  const lacking: string[] = [];
  for (const program of Object.keys(programs)) {
    const { success } = await new Deno.Command("which", { args: [program], stdout: "null" }).output();
    if (!success) lacking.push(program);
  }
  return lacking;
}
