import { pause } from "./_pause.ts";
import { readNodeFolder } from "./authority_folder.ts";
import type { ClusterNode } from "./node.ts";

/** How often a node looks into its folder. */
const LOOK_MS = 60_000;

/**
 * Looks into a node's folder from time to time, and has the node take over a new certificate that it finds there; until the signal.
 * What cannot be read is looked at again later: the links that there are do not depend on it.
 */
export async function followNodeFolder(
  node: ClusterNode,
  folder: string,
  signal: AbortSignal,
  everyMs: number = LOOK_MS,
): Promise<void> {
  let known = node.certificate;
  while (!signal.aborted) {
    try {
      const { credentials } = await readNodeFolder(folder);
      if (credentials.cert !== known) {
        node.renew(credentials);
        known = credentials.cert;
      }
    } catch (error) {
      node.note(`its folder: ${(error as Error).message}`);
    }
    await pause(everyMs, signal);
  }
}
