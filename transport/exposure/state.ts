import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity, exposerSecret } from "../../crypto/identity.ts";
import type { Identity } from "../../crypto/identity.ts";
import { SALT_BYTES } from "../../crypto/key_schedule.ts";
import { openCatalog } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import { loadIdentitySeed } from "./identity_file.ts";
import { sealSource } from "./seal.ts";
import type { SealedExposure, SealOptions } from "./seal.ts";
import type { ByteSource } from "./source.ts";
import type { TicketShelf } from "./ticket_book.ts";

/** How a source is sealed: what the state does not know itself. */
export type StateSealOptions =
  & Omit<SealOptions, "engine" | "secret" | "salt" | "expectedLeaves">
  & Required<Pick<SealOptions, "aead">>;

/** What an exposer knows of itself and of what it exposed before. */
export interface ExposerState {
  /** Who this node is. */
  readonly identity: Identity;
  /** What its owner should put right. */
  readonly warnings: readonly string[];
  /**
   * Seals a source: as the same exposure as before when it is known and still the same, byte for byte.
   *
   * @throws {RgtpError} what `sealSource` throws
   */
  seal(source: ByteSource, options: StateSealOptions): Promise<SealedExposure>;
  /** Where the tickets of an exposure are kept; nowhere without a state directory. */
  shelf(exposureId: Uint8Array): TicketShelf | undefined;
  /** Lets go of it. Twice is fine. */
  close(): void;
}

/**
 * Opens the state in `stateDir`, made when it is not there; without one, a state that ends with the process.
 *
 * @throws {RgtpError} IO, NO_SPACE, NOT_SUPPORTED: see `loadIdentitySeed` and `openCatalog`
 */
export function openState(engine: Engine, random: Random, stateDir: string | undefined): ExposerState {
  const loaded = stateDir === undefined ? undefined : loadIdentitySeed(stateDir, random);
  const identity = createIdentity(engine, loaded?.seed ?? random(32));
  const catalog = stateDir === undefined ? undefined : openCatalog(stateDir);
  const warnings = loaded?.isReadableByOthers
    ? [`others on this machine may read '${loaded.path}', which is this node's identity: chmod 600 it`]
    : [];
  return {
    identity,
    warnings,
    seal: (source, options) =>
      seal(catalog, source, { ...options, engine, secret: exposerSecret(engine, identity) }, random),
    shelf: (exposureId) => catalog && shelf(catalog, exposureId),
    close: () => catalog?.close(),
  };
}

async function seal(
  catalog: Catalog | undefined,
  source: ByteSource,
  options: Omit<SealOptions, "salt" | "expectedLeaves"> & StateSealOptions,
  random: Random,
): Promise<SealedExposure> {
  const { fingerprint } = source;
  const parameters = { chunkSize: options.chunkSize, aead: options.aead };
  const known = fingerprint && catalog?.find(fingerprint, parameters);
  if (known) {
    // Every leaf is compared, so a file that changed behind its time stamps is found out before anything of it is sent.
    const again = await sealSource(source, { ...options, salt: known.salt, expectedLeaves: known.leaves });
    if (again) return again;
    catalog!.drop(known.id);
  }
  const sealedAt = Date.now();
  const salt = random(SALT_BYTES);
  const sealed = await sealSource(source, { ...options, salt, expectedLeaves: undefined });
  if (fingerprint) {
    catalog?.save(fingerprint, parameters, { salt, id: sealed.id, leaves: sealed.leaves }, sealedAt);
  }
  return sealed;
}

function shelf(catalog: Catalog, exposureId: Uint8Array): TicketShelf {
  return {
    load: () => catalog.tickets(exposureId),
    add: (ticket) => catalog.addTicket(exposureId, ticket),
    revoke: (ticketId) => void catalog.revoke(ticketId),
  };
}
