import { formatTicket } from "../codec/ticket.ts";
import type { Address } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { neighbourlyAddresses } from "./addresses.ts";
import { formatStaticKey } from "./exposure/access.ts";
import { openEthernet } from "./link/ethernet.ts";
import { listenToGroup, localGroup } from "./link/local_group.ts";
import type { LinkChoice } from "./link/open_link.ts";
import { Announcements } from "./protocol/announcements.ts";
import type { Announced, AnnouncedTo } from "./protocol/announcements.ts";

/** How long, and where, is listened. */
export interface DiscoverOptions extends LinkChoice {
  /** For so long; 3 s, in which every exposer that is announced speaks three times. */
  readonly waitMs?: number;
  /** Ends it before that: what was heard so far is the answer. */
  readonly signal?: AbortSignal;
}

/** Something that is announced on the local network. All of it is what somebody says, and shows only in the handshake of a pull. */
export interface FoundExposure {
  /** What the exposer calls it; what in it would act on a terminal is left in it. Not to be trusted as a path. */
  readonly name: string;
  /** What the machine calls itself, or nothing. To be trusted as little. */
  readonly host: string;
  /** Where it is. */
  readonly addresses: readonly Address[];
  /** Plaintext bytes. */
  readonly bytes: number;
  /** Whether it is files and folders. */
  readonly isCollection: boolean;
  /** Whom it lets pull: holders of tickets, all, those who know a passphrase, or nodes that it knows. */
  readonly access: AnnouncedTo;
  /** The exposure's ID, base64url of 32 bytes. */
  readonly id: string;
  /** The exposer's key, base64url, as its owner's `rgtp id` shows it. */
  readonly key: string;
  /** A ticket without a secret, which is enough for all but those that let pull with a secret alone. */
  readonly ticket?: string;
}

const WAIT_MS = 3000;

/**
 * What is announced on the networks of this machine: it listens for a while, and sends nothing but what joins a group. Over `ethernet` it
 * hears what is announced on that interface, without IP.
 *
 * @throws {RgtpError} SOCKET when it can listen nowhere; INVALID_ARG for `ethernet` without an interface; as links do
 */
export async function discover(options: DiscoverOptions = {}): Promise<FoundExposure[]> {
  const { waitMs = WAIT_MS, signal } = options;
  const announcements = new Announcements(defaultEngine());
  using _listening = await listen(options, (packet) => announcements.hear(packet));
  await over(waitMs, signal);
  return announcements.all.map(found);
}

async function listen(
  { link, interface: name, vlan }: DiscoverOptions,
  hear: (packet: Uint8Array) => void,
): Promise<Disposable> {
  if (link === "ethernet") {
    if (name === undefined) {
      throw new RgtpError("INVALID_ARG", "the link kind ethernet needs an interface: say on which to listen");
    }
    const { host, port } = localGroup.ethernet;
    const ear = await openEthernet({ interface: name, port, vlan, groups: [host] });
    const hearAll = async () => {
      for (let batch = await ear.receive(); batch.length > 0; batch = await ear.receive()) {
        for (const { bytes } of batch) hear(bytes);
      }
    };
    // An interface that goes says nothing more; what it has said stands.
    hearAll().catch(() => {});
    return ear;
  }
  const addresses = neighbourlyAddresses("::");
  if (addresses.length > 0) return await listenToGroup(addresses, hear);
  throw new RgtpError(
    "SOCKET",
    "this machine has no network to listen on, or Deno does not show it: run with --allow-sys=networkInterfaces",
  );
}

/** After a time, or when the signal ends it. */
function over(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal?.aborted) return Promise.resolve();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}

function found({ exposureId, exposerKey, ...said }: Announced): FoundExposure {
  const { addresses, name, access } = said;
  return {
    ...said,
    id: exposureId.toBase64({ alphabet: "base64url", omitPadding: true }),
    key: formatStaticKey(exposerKey),
    ...(access !== "tickets" && { ticket: formatTicket({ addresses, exposureId, exposerKey, name }) }),
  };
}
