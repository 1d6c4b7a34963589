import type { RgtpError } from "../../core/errors.ts";
import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity, exposerSecret } from "../../crypto/identity.ts";
import type { Identity } from "../../crypto/identity.ts";
import { SALT_BYTES } from "../../crypto/key_schedule.ts";
import { forgetEnded, keepWhileRunning } from "./running.ts";
import { openCatalog } from "./catalog.ts";
import type { Catalog, ServedAs } from "./catalog.ts";
import { loadIdentitySeed } from "./identity_file.ts";
import { reproducibleSource } from "./reproducible.ts";
import { reopenSealed, sealSource } from "./seal.ts";
import type { SealedExposure, SealOptions } from "./seal.ts";
import type { ByteSource } from "./source.ts";
import { shelfOf } from "./ticket_book.ts";
import type { TicketShelf } from "./ticket_book.ts";

/** How a source is sealed: what the state does not know itself. */
export type StateSealOptions =
  & Omit<SealOptions, "engine" | "secret" | "salt" | "expectedLeaves">
  & Required<Pick<SealOptions, "aead">>
  & {
    /** As a new exposure, whatever is known: the one before ends, with its tickets. */
    readonly rekey?: boolean;
    /** With a salt that follows from the content. */
    readonly reproducible?: boolean;
    /** For whom: two audiences never share a key. Absent or empty: for holders of tickets. */
    readonly audience?: string;
  };

/** What an exposer knows of itself and of what it exposed before. */
export interface ExposerState {
  /** Who this node is. */
  readonly identity: Identity;
  /** What its owner should put right. */
  readonly warnings: readonly string[];
  /**
   * Seals a source: as the same exposure as before when it is known and still the same. One that is too large for the memory is not
   * even read when its file shows the same state as when it was sealed, and had been at rest by then.
   *
   * A source that turns out to have changed while it is served is forgotten, so that it is sealed anew the next time. One that no later run
   * can find again is known while this state is open.
   *
   * @throws {RgtpError} what `sealSource` throws
   */
  seal(source: ByteSource, options: StateSealOptions): Promise<SealedExposure>;
  /** Where the tickets of an exposure are kept; nowhere without a state directory. */
  shelf(exposureId: Uint8Array): TicketShelf | undefined;
  /** Notes how an exposure is served, for whoever makes tickets to it later. */
  noteServed(exposureId: Uint8Array, served: ServedAs): void;
  /** Whether another process has changed what is kept here since this was asked last. @throws {RgtpError} IO */
  changedByOthers(): boolean;
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
  const kept = stateDir === undefined ? undefined : { catalog: openCatalog(stateDir), stateDir };
  const catalog = kept?.catalog;
  if (kept) forgetEnded(kept.catalog, kept.stateDir);
  const endings: (() => void)[] = [];
  const warnings = loaded?.isReadableByOthers
    ? [`others on this machine may read '${loaded.path}', which is this node's identity: chmod 600 it`]
    : [];
  return {
    identity,
    warnings,
    seal: async (source, options) => {
      const sealed = await seal(catalog, source, { ...options, engine, identity }, random);
      if (kept && !source.fingerprint) endings.push(keepStream(kept, sealed, source, options, identity));
      return sealed;
    },
    shelf: (exposureId) => catalog && shelfOf(catalog, exposureId),
    noteServed: (exposureId, served) => catalog?.noteServed(exposureId, served),
    changedByOthers: () => catalog?.changedByOthers() ?? false,
    close: () => {
      for (const end of endings.splice(0)) end();
      catalog?.close();
    },
  };
}

/** How an exposure with a salt of its content is told from others of the same file. */
const REPRODUCIBLE = "reproducible";

type SealWith = StateSealOptions & { readonly engine: Engine; readonly identity: Identity };

async function seal(
  catalog: Catalog | undefined,
  source: ByteSource,
  options: SealWith,
  random: Random,
): Promise<SealedExposure> {
  const { fingerprint } = source;
  const { engine, identity, chunkSize, aead, rekey = false, reproducible = false, audience = "" } = options;
  const parameters = { chunkSize, aead, policy: policyOf(options) };
  let exposed: SealedExposure | undefined;
  const onLost = (reason: RgtpError) => {
    // Before that, nothing is in the catalog; and a disk that fails says nothing about the content.
    if (exposed && reason.condition === "SOURCE_CHANGED") catalog?.drop(exposed.id);
    options.onLost?.(reason);
  };
  const how = { ...options, secret: exposerSecret(engine, identity), onLost };
  const known = fingerprint && catalog?.find(fingerprint, parameters);
  const keep = (salt: Uint8Array, sealed: SealedExposure, sealedAt: number) => {
    if (!fingerprint) return;
    const { id, leaves } = sealed;
    const index = indexOf(source);
    const row = { salt, id, leaves, exposerKey: identity.staticKey, ...(index && { index }) };
    catalog?.save(fingerprint, parameters, row, sealedAt);
  };
  const sealedAt = Date.now();
  if (known && !rekey) {
    const { salt, leaves, index } = known;
    const expected = { salt, expectedLeaves: leaves, ...(index && { expectedIndex: index }) };
    exposed = known.isRacy ? undefined : reopenSealed(source, { ...how, ...expected, expectedId: known.id });
    if (exposed) return exposed;
    // Every leaf is compared, so a file that changed behind its time stamps is found out before anything of it is sent.
    exposed = await sealSource(source, { ...how, ...expected });
    if (exposed) {
      // It has had the same state for longer now: perhaps long enough to be believed the next time.
      keep(known.salt, exposed, sealedAt);
      return exposed;
    }
    catalog!.drop(known.id);
  }
  const own = reproducible ? await reproducibleSource(engine, source, options, audience) : undefined;
  const salt = own?.salt ?? random(SALT_BYTES);
  exposed = await sealSource(own?.source ?? source, { ...how, salt, expectedLeaves: undefined });
  try {
    own?.check();
  } catch (cause) {
    exposed.store.close();
    throw cause;
  }
  keep(salt, exposed, sealedAt);
  return exposed;
}

/** Others know it as long as this process serves it. Answers with what ends that. */
function keepStream(
  { catalog, stateDir }: { readonly catalog: Catalog; readonly stateDir: string },
  { id, store }: SealedExposure,
  { size }: ByteSource,
  options: StateSealOptions,
  { staticKey: exposerKey }: Identity,
): () => void {
  const { chunkSize, aead } = options;
  const row = { id, size, sealedAtMs: Date.now(), chunkSize, aead, policy: policyOf(options), exposerKey };
  try {
    return keepWhileRunning(catalog, stateDir, row);
  } catch (cause) {
    store.close();
    throw cause;
  }
}

/** For whom it is, and how its salt was made. */
function policyOf({ audience = "", reproducible = false }: StateSealOptions): string {
  return [audience, reproducible ? REPRODUCIBLE : ""].filter((part) => part !== "").join(" ");
}

/** Of a collection that was read, its index: known by now, so that nothing is read for it. */
function indexOf(source: ByteSource): Uint8Array | undefined {
  if (!source.collection) return undefined;
  const index = new Uint8Array(source.collection.indexSize);
  source.read(0, index);
  return index;
}
