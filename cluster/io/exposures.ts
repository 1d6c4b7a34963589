import { expose, pull } from "../../mod.ts";

/** A file that others can pull. */
export interface Offer extends AsyncDisposable {
  /** Whoever has it can pull the file. */
  readonly ticket: string;
}

/** Exposes a file under an address of this machine; all of them when none is said. @throws {RgtpError} */
export async function offerFile(path: string, host: string | undefined): Promise<Offer> {
  return await expose(path, { port: 0, name: "file", profile: "lan", ...(host !== undefined && { host }) });
}

/** Pulls a file. @throws {RgtpError} */
export async function takeFile(ticket: string, path: string): Promise<{ bytes: number; sha256: string }> {
  const { bytes, sha256 } = await pull(ticket).saveTo(path, { sha256: true });
  // It was asked for.
  return { bytes, sha256: sha256! };
}
