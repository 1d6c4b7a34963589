import type { Ticket } from "../codec/ticket.ts";
import { workPath } from "../transport/exposure/work_path.ts";
import { outputFolder, outputPath } from "./_out_path.ts";
import type { Need } from "./_permissions.ts";
import { demand, linksFollowed, toRead, toWrite } from "./_permissions.ts";

/** Where a pull is to write; whether it is a file or a folder shows only when the exposer has answered. */
export class OutputPlace {
  readonly #out: string | undefined;
  readonly #name: string;
  readonly #id: string;
  /** Where what is not whole gathers. */
  #gathers: string | undefined;

  /** @throws {RgtpError} IO when Deno does not permit to look at `out` */
  constructor(out: string | undefined, { name, exposureId }: Ticket) {
    if (out !== undefined) demand([toRead(out)]);
    this.#out = out;
    this.#name = name;
    this.#id = exposureId.toBase64({ alphabet: "base64url", omitPadding: true });
  }

  /** Looks whether a file could be written, before anybody is asked for it. @throws {RgtpError} */
  demandFile(): void {
    // A folder that ends in a slash need not exist: what there is may be a collection.
    if (this.#out !== undefined && /[/\\]$/.test(this.#out)) return;
    this.#demandAll(this.#file);
  }

  /** The place, now that it is known what comes. @throws {RgtpError} NOT_FOUND, IO */
  choose(what: "file" | "folder"): string {
    const path = what === "file" ? this.#file : outputFolder(this.#out, this.#name, this.#id);
    if (what === "file") this.#demandAll(path);
    else demand([path, linksFollowed(path)].flatMap(needs));
    this.#gathers = what === "file" ? `${path}.part` : workPath(path);
    return path;
  }

  /** Where something is kept for a later pull; `undefined` when there is nothing. */
  get kept(): string | undefined {
    return this.#gathers !== undefined && isThere(this.#gathers) ? this.#gathers : undefined;
  }

  get #file(): string {
    return outputPath(this.#out, this.#name, this.#id);
  }

  #demandAll(path: string): void {
    demand([path, `${path}.part`].flatMap(needs));
    const real = linksFollowed(path);
    demand([real, `${real}.part`].flatMap(needs));
  }
}

function needs(path: string): Need[] {
  return [toRead(path), toWrite(path)];
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
