/**
 * Vectors for tests: our own beside this file, and the published sets that stay outside of the repository.
 *
 * @module
 */

/** A published set, or why it is not here. */
export interface Published<Content> {
  /** The file's content; `undefined` when the folder is absent. */
  readonly content: Content | undefined;
  /** Why a test of it must be left out; empty when it need not be. */
  readonly skipped: string;
}

/**
 * Reads one of the published sets in `../shared/vectors`, which a checkout of the project alone does not
 * have.
 */
export function published<Content>(file: string): Published<Content> {
  try {
    const text = Deno.readTextFileSync(new URL(`../../../shared/vectors/${file}`, import.meta.url));
    return { content: JSON.parse(text) as Content, skipped: "" };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { content: undefined, skipped: `../shared/vectors/${file} is not here` };
  }
}

/**
 * Registers a test over a published set; without the set, the test is listed as ignored with the reason in
 * its name.
 */
export function testPublished<Content>(file: string, name: string, check: (content: Content) => void): void {
  const { content, skipped } = published<Content>(file);
  Deno.test({
    name: skipped === "" ? name : `${name} [skipped: ${skipped}]`,
    ignore: content === undefined,
    fn: () => {
      if (content !== undefined) check(content);
    },
  });
}

/** Reads a file of vectors beside this one. */
export function own<Content>(file: string): Content {
  return JSON.parse(Deno.readTextFileSync(new URL(file, import.meta.url))) as Content;
}

/** A file of C2SP/wycheproof, testvectors_v1. */
export interface Wycheproof<Group> {
  /** Cases that share their parameters. */
  readonly testGroups: readonly Group[];
}

/** What every case of Wycheproof has. */
export interface WycheproofCase {
  /** Number of the case in its file. */
  readonly tcId: number;
  /** What it tries. */
  readonly comment: string;
  /** Kinds of trouble that it stands for. */
  readonly flags: readonly string[];
  /** What to do with it. */
  readonly result: "valid" | "invalid" | "acceptable";
}
