import { equalBytes } from "../../core/bytes.ts";
import { RgtpError } from "../../core/errors.ts";
import { formatStaticKey, parseStaticKey } from "./access.ts";
import { ioError } from "./_io_errors.ts";
import { makeStateDir } from "./identity_file.ts";

/**
 * The keys of exposers that this user has met, each under the address that was typed: lines of `HOST:PORT KEY` in `known_exposers`. Blank
 * lines and those that begin with `#` say nothing.
 */
export class KnownExposers {
  /** Where they are kept. */
  readonly path: string;
  readonly #stateDir: string;

  /** Nothing is read or made before it is needed. */
  constructor(stateDir: string) {
    this.#stateDir = stateDir;
    this.path = `${stateDir}/known_exposers`;
  }

  /**
   * The key of the exposer at an address, if it is known: the first line counts.
   *
   * @throws {RgtpError} IO when the file cannot be read, or a line is damaged: whoever had that key is not taken for a stranger
   */
  find(address: string): Uint8Array | undefined {
    return this.#lines().find((line) => line.address === address)?.key;
  }

  /**
   * Keeps the key of an exposer that was not known. The file is made with mode 0600.
   *
   * @throws {RgtpError} AUTH_FAIL when another process has just met another one there; IO, NO_SPACE
   */
  add(address: string, key: Uint8Array): void {
    makeStateDir(this.#stateDir);
    try {
      using file = Deno.openSync(this.path, { append: true, create: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(`${address} ${formatStaticKey(key)}\n`);
      // In one write, so that what two processes add does not mix.
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } catch (cause) {
      throw ioError(cause, "write", this.path, "write");
    }
    const kept = this.find(address);
    if (kept && equalBytes(kept, key)) return;
    throw new RgtpError(
      "AUTH_FAIL",
      `two exposers with different keys answered at ${address} at the same time: compare their fingerprints with the owner's, and ` +
        `take the wrong line out of '${this.path}'`,
    );
  }

  #lines(): { address: string; key: Uint8Array }[] {
    let text: string;
    try {
      text = Deno.readTextFileSync(this.path);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return [];
      throw ioError(cause, "read", this.path, "read");
    }
    return text.split("\n").flatMap((line, i) => {
      const [address, key, ...more] = line.trim().split(/[ \t]+/);
      if (address === "" || address.startsWith("#")) return [];
      try {
        if (more.length === 0) return [{ address, key: parseStaticKey(key ?? "") }];
      } catch {
        // Said below, with the line.
      }
      throw new RgtpError(
        "IO",
        `line ${
          i + 1
        } of '${this.path}' is not HOST:PORT and a key: put it right, or take it out and compare the fingerprint anew`,
        { data: { path: this.path, line: i + 1 } },
      );
    });
  }
}
