/*
 * Whether one commit is slower than another: both serve the same file over loopback, and it is pulled from each in turn, by real processes,
 * from memory to memory. What is slow for a while is slow for both, so what counts is the ratio of each round.
 *
 *   deno task bench:alternate BEFORE [AFTER] [--runs 15] [--size 500MB] [--at-least 0.95] [--folder /dev/shm] [--json]
 *
 * BEFORE and AFTER are revisions of this repository, or folders with a checkout; AFTER is this one unless it is named. Prints the rate of
 * each (bytes, by the time from the first request to the last verified byte), and the median of AFTER ÷ BEFORE with the interval that holds
 * the true one in at least 95 of 100 cases. Ends with status 1 when that begins below `--at-least`.
 */
import { parseArgs } from "node:util";
import { run } from "./_compare/contest.ts";
import { digestOf } from "./_compare/load.ts";
import { bytesOf, spreadText } from "./_compare/text.ts";
import { sureMedian } from "./_median.ts";
import { BenchProcess, denoWords, tempDir, writeRandomFile } from "./_processes.ts";

const HERE = new URL("..", import.meta.url).pathname;

const { values: flags, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "15" },
    size: { type: "string", default: "500MB" },
    "at-least": { type: "string", default: "0.95" },
    folder: { type: "string", default: "/dev/shm" },
    json: { type: "boolean", default: false },
  },
});
const [before, after = HERE] = positionals;
if (before === undefined) throw new TypeError("say with which commit to compare: bench:alternate BEFORE");
const bytes = bytesOf(flags.size);
const atLeast = Number(flags["at-least"]);

/** What a pull was like; MB/s, 10^6 bytes. */
interface Figures {
  /** Of moving the bytes, as the program itself says. */
  readonly moved: number;
  /** Of all that its process took, with its start. */
  readonly whole: number;
}

/** A commit that serves, and what it takes to pull from it. */
class Side implements AsyncDisposable {
  readonly figures: Figures[] = [];
  readonly #root: string;
  readonly #exposer: BenchProcess;
  readonly #ticket: string;

  private constructor(root: string, exposer: BenchProcess, ticket: string) {
    this.#root = root;
    this.#exposer = exposer;
    this.#ticket = ticket;
  }

  static async start(root: string, source: string, stateDir: string): Promise<Side> {
    const where = ["--host", "127.0.0.1", "--port", "0", "--state-dir", stateDir];
    const words = ["expose", source, ...where, "--memory", "8GiB", "--no-shared", "--json"];
    const exposer = new BenchProcess("cli/main.ts", words, { root });
    const { ticket } = await exposer.event("ready");
    return new Side(root, exposer, String(ticket));
  }

  /** Pulls once; what came is compared with what was sent, outside of the time. @throws {Error} when it is something else */
  async pull(out: string, digest: string): Promise<Figures> {
    const [command, ...args] = denoWords(
      "cli/main.ts",
      ["pull", this.#ticket, out, "--json"],
      [],
      this.#root,
    );
    const started = performance.now();
    const printed = await run(command, ...args);
    const whole = (performance.now() - started) / 1000;
    const { seconds } = JSON.parse(printed.trimEnd().split("\n").at(-1)!) as { seconds: number };
    if (await digestOf(out) !== digest) throw new Error(`what ${this.#root} has pulled is something else`);
    await Deno.remove(out);
    return { moved: bytes / 1e6 / seconds, whole: bytes / 1e6 / whole };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#exposer[Symbol.asyncDispose]();
  }
}

const folder = await tempDir(flags.folder);
try {
  const source = `${folder}/source`;
  await writeRandomFile(source, bytes);
  const digest = await digestOf(source);
  await using one = await Side.start(await checkout(before, `${folder}/before`), source, `${folder}/state-1`);
  await using other = await Side.start(await checkout(after, `${folder}/after`), source, `${folder}/state-2`);
  // Deno keeps what it has compiled: the first pull of each is not counted.
  for (const side of [one, other]) await side.pull(`${folder}/out`, digest);
  for (let round = 0; round < Number(flags.runs); round++) {
    // Who is first in a round is last in the next.
    for (const side of round % 2 === 0 ? [one, other] : [other, one]) {
      side.figures.push(await side.pull(`${folder}/out`, digest));
    }
    const [a, b] = [one, other].map(({ figures }) => figures[round].moved);
    tell(`${a.toFixed(0).padStart(6)} ${b.toFixed(0).padStart(6)} MB/s  ${(b / a).toFixed(3)}`, { a, b });
  }
  for (const [name, { figures }] of [[before, one], [after === HERE ? "this one" : after, other]] as const) {
    const [moved, whole] = (["moved", "whole"] as const).map((what) =>
      spreadText(figures.map((figure) => figure[what]), 0)
    );
    tell(`${name}: ${moved} MB/s; with the program's start ${whole}`, { name, moved, whole });
  }
  const [moved, whole] = (["moved", "whole"] as const).map((what) =>
    sureMedian(one.figures.map((figure, i) => other.figures[i][what] / figure[what]))
  );
  const text = ({ median, from, to }: typeof moved) =>
    `${median.toFixed(3)} (95 %: ${from.toFixed(3)} to ${to.toFixed(3)})`;
  const isMet = moved.from >= atLeast;
  tell(`after ÷ before: ${text(moved)}; with the program's start ${text(whole)}`, { moved, whole });
  tell(`${isMet ? "met  " : "short"} the interval begins at ${atLeast} or above`, { atLeast, isMet });
  if (!isMet) Deno.exitCode = 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** A folder with what is meant: itself, or a revision's files, put there. */
async function checkout(what: string, place: string): Promise<string> {
  const isFolder = await Deno.stat(`${what}/deno.json`).then(() => true, () => false);
  if (isFolder) return await Deno.realPath(what);
  await Deno.mkdir(place);
  await run("git", "-C", HERE, "archive", "--output", `${place}.tar`, `${what}^{commit}`);
  await run("tar", "-x", "-f", `${place}.tar`, "-C", place);
  return place;
}

function tell(text: string, fields: object): void {
  console.log(flags.json ? JSON.stringify(fields) : text);
}
