import { equalBytes, utf8 } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import type { Engine, Hasher } from "../../crypto/engine.ts";
import { Turns } from "./_turns.ts";
import type { ByteSource } from "./source.ts";

/** A source whose salt follows from what it holds. */
export interface ReproducibleSource {
  /** 32 bytes: the same for the same content. */
  readonly salt: Uint8Array<ArrayBuffer>;
  /** To be sealed, once, in place of the source. */
  readonly source: ByteSource;
  /** To be called when all of it was sealed. @throws {RgtpError} SOURCE_CHANGED when that was not what the salt follows from */
  check(): void;
}

const SLICE_BYTES = 1_048_576;
const LABEL = utf8("rgtp2 reproducible salt");

/**
 * Reads a source once, and derives a salt from its content: the same bytes then make the same exposure, on any day and without a catalog.
 * So whoever has seen one exposure of them recognises the other, and one key opens both; but never those for another audience.
 *
 * One salt must seal one content only, so what is read for the sealing is hashed again: times of a file prove nothing.
 *
 * @throws {RgtpError} SOURCE_CHANGED, IO, CANCELLED
 */
export async function reproducibleSource(
  engine: Engine,
  source: ByteSource,
  options: { onProgress?: (bytes: number) => void; signal?: AbortSignal },
  audience = "",
): Promise<ReproducibleSource> {
  const first = engine.sha256.create();
  const slice = new Uint8Array(Math.min(SLICE_BYTES, source.size));
  const turns = new Turns();
  const start = firstRead(source);
  for (let done = 0; done < source.size;) {
    if (turns.isOver()) {
      options.onProgress?.(done);
      await turns.yield();
    }
    if (options.signal?.aborted) throw new RgtpError("CANCELLED", "the reading of the source was cancelled");
    const at = (start + done) % source.size;
    const bytes = slice.subarray(0, (at < start ? start : source.size) - at);
    source.read(at, bytes);
    first.update(bytes);
    done += bytes.length;
  }
  const digest = first.digest();
  const again = new HashedInOrder(source, engine.sha256.create());
  return {
    // All but the audience has a fixed size, so no two audiences have one salt for the same content.
    salt: engine.sha256.digest(LABEL, digest, utf8(audience)),
    source: again,
    check() {
      if (equalBytes(again.digest(), digest)) return;
      throw new RgtpError(
        "SOURCE_CHANGED",
        "the source was changed between the two times that it was read; expose it again when nothing writes to it any more",
        { data: { path: source.fingerprint?.path } },
      );
    },
  };
}

/** Where sealing starts to read, to go on to the end and around: a collection's index comes last. */
function firstRead(source: ByteSource): number {
  const late = source.collection?.lateBytes ?? 0;
  return late < source.size ? late : 0;
}

/** Hashes what is read in the order of sealing; what is read later is not hashed. */
class HashedInOrder implements ByteSource {
  readonly #source: ByteSource;
  readonly #hasher: Hasher;
  #at: number;
  #left: number;

  constructor(source: ByteSource, hasher: Hasher) {
    this.#source = source;
    this.#hasher = hasher;
    this.#at = firstRead(source);
    this.#left = source.size;
  }

  get size(): number {
    return this.#source.size;
  }

  get fingerprint(): ByteSource["fingerprint"] {
    return this.#source.fingerprint;
  }

  get collection(): ByteSource["collection"] {
    return this.#source.collection;
  }

  read(offset: number, into: Uint8Array): void {
    this.#source.read(offset, into);
    if (offset !== this.#at || this.#left === 0) return;
    this.#hasher.update(into);
    this.#left -= into.length;
    this.#at = (offset + into.length) % this.size;
  }

  unchanged(): boolean {
    return this.#source.unchanged();
  }

  close(): void {
    this.#source.close();
  }

  digest(): Uint8Array {
    return this.#hasher.digest();
  }
}
