import { RgtpError } from "../core/errors.ts";
import type { Link } from "./link/link.ts";
import { chosen, openLink } from "./link/open_link.ts";
import type { LinkChoice } from "./link/open_link.ts";

/** Where an exposer listens. */
export interface BindOptions extends LinkChoice {
  /** The address to listen on; all of this machine's when absent. */
  readonly host?: string;
  /** The port: exactly this one, 0 for any. Absent: 9000, or the next free one above. */
  readonly port?: number;
}

/** The port that is tried first when none is asked for, and how many from there on. */
const PORT = 9000;
const PORTS_TRIED = 100;

/** The asked-for port, or the first free one; `naps` is for a thread that does nothing else: see `LinkOptions`. */
export async function bindExposer(options: BindOptions, naps = false): Promise<Link> {
  const { port } = options;
  const last = port ?? PORT + PORTS_TRIED - 1;
  for (let next = port ?? PORT;; next++) {
    try {
      return await openHost(options, next, naps);
    } catch (error) {
      const taken = error instanceof RgtpError && error.condition === "ADDRESS_IN_USE";
      if (!taken || next >= last) throw error;
    }
  }
}

/** All addresses by default: of both families where the machine has them. */
async function openHost({ host, ...choice }: BindOptions, port: number, naps: boolean): Promise<Link> {
  const open = (one: string) => openLink({ host: one, port, naps, strangersApart: true, ...chosen(choice) });
  if (host !== undefined) return open(host);
  try {
    return await open("::");
  } catch (error) {
    if (error instanceof RgtpError && error.condition === "ADDRESS_IN_USE") throw error;
    return open("0.0.0.0");
  }
}
