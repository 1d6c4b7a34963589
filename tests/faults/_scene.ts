/*
 * One run: something is exposed, something pulls it, and a fault strikes at some moment. The seed decides on everything that is not the
 * fault's own.
 */
import { join } from "node:path";
import { formatTicket, parseTicket } from "../../codec/ticket.ts";
import type { Address } from "../../codec/address.ts";
import { TestFolder } from "../real/_files.ts";
import { portOf, RgtpProcess } from "../real/_processes.ts";
import { seededRandom } from "../sim/random.ts";
import type { SeededRandom } from "../sim/random.ts";
import { bytesAt, isWithin, listingOf, makeFolderOf, makeOneFile } from "./_content.ts";
import type { Listing } from "./_content.ts";
import type { BrokenDisk } from "./_broken_disk.ts";
import type { MovedClock } from "./_moved_clock.ts";
import { endOf, HANG_MS, Trouble } from "./_judge.ts";
import type { Explanations } from "./_judge.ts";

/** Both ends of a transfer. */
export type Side = "exposer" | "puller";

/** How one side is started. */
export interface Setting {
  /** Where it runs: what goes before all else, also when the fault is gone. */
  place: readonly string[];
  /** What brings the fault: it goes before the program. */
  via: readonly string[];
  /** What brings the fault: modules that are run before the program. */
  disk?: BrokenDisk;
  clock?: MovedClock;
  /** More flags. */
  flags: string[];
}

const POLL_MS = 5;
/** Longer than any silence that a fault leaves to be survived, and than a machine takes that is busy with other things. */
const PATIENT = "60s";
/** A pull lasts for about so long, so that there is a middle to strike in. */
const SECONDS = 0.5;
const CHUNK_SIZES = ["4KiB", "16KiB", "64KiB", "256KiB"];
/** No name: the first kind that is possible. */
const LINKS = ["", "", "datagram_conn", "node_dgram"];
const HERE = import.meta.dirname ?? ".";

/** What a run is about. Dispose of it to end all that it has started. */
export class Scene implements AsyncDisposable {
  /** The run's chance. */
  readonly random: SeededRandom;
  /** Where everything of this run is. */
  readonly folder: TestFolder;
  /** What is exposed. */
  readonly source: string;
  /** Whether it is a folder. */
  readonly isFolder: boolean;
  /** Its bytes; a fault that needs more sets them before it is made. */
  bytes: number;
  /** The exposer's state. */
  stateDir: string;
  /** Where it is pulled to. */
  out: string;
  /** How both sides are started. */
  readonly settings: Readonly<Record<Side, Setting>>;
  /** What is to be undone when all is over, last first. */
  readonly cleanup = new AsyncDisposableStack();
  /** Where the exposer answers. */
  host = "127.0.0.1";
  /** Where pullers find it, if that is somewhere else. */
  detour: Address | undefined;
  /** What the pull that the fault meets may give up after. */
  timeout = PATIENT;
  /** What the ticket opens: each whole state of the source that may have been sealed. */
  readonly versions: Listing[] = [];
  /** Hashes of what others have put into the output. */
  readonly strange = new Set<string>();
  /** Whether the last pull may replace what the one before has brought: when something else is exposed by then. */
  replaces = false;
  /** Processes that were told to end, and by which signal. */
  readonly #sent = new Map<RgtpProcess, Deno.Signal>();
  readonly #chunkSize: string;
  readonly #moment: { readonly share: number } | { readonly ms: number };
  #exposer: RgtpProcess | undefined;
  #puller: RgtpProcess | undefined;
  #port = 0;
  #ticket = "";

  private constructor(seed: number, folder: TestFolder) {
    const random = this.random = seededRandom(seed, "scene");
    this.folder = folder;
    this.cleanup.use(folder);
    this.source = folder.file("source");
    this.stateDir = folder.file("state");
    this.out = folder.file("out");
    this.isFolder = random.chance(0.4);
    this.bytes = 100_000 + random.integer(2_000_000);
    this.#chunkSize = CHUNK_SIZES[random.integer(CHUNK_SIZES.length)];
    this.#moment = random.chance(0.3) ? { ms: random.integer(900) } : { share: random.float() };
    const link = () => LINKS[random.integer(LINKS.length)];
    const setting = (kind: string): Setting => ({
      place: [],
      via: [],
      flags: kind === "" ? [] : ["--link", kind],
    });
    this.settings = { exposer: setting(link()), puller: setting(link()) };
  }

  /** Of a seed. */
  static async make(seed: number): Promise<Scene> {
    return new Scene(seed, await TestFolder.make());
  }

  /** One side or the other. */
  anySide(): Side {
    return this.random.chance(0.5) ? "exposer" : "puller";
  }

  /** The process of a side, which has been started. */
  process(side: Side): RgtpProcess {
    const process = side === "exposer" ? this.#exposer : this.#puller;
    if (!process) throw new Error(`no ${side} yet`);
    return process;
  }

  /** Puts the source there, unless the fault has done so. */
  async makeSource(): Promise<void> {
    const make = this.isFolder ? makeFolderOf : makeOneFile;
    make(this.source, this.bytes, this.random);
    await this.noteVersion();
  }

  /** What the source is now, if it is there, may be what is exposed. */
  async noteVersion(): Promise<void> {
    const version = await listingOf(this.source);
    if (version.size > 0) this.versions.push(version);
  }

  /** Starts the exposer, on its port when it had one; whether it serves. If not, its end is to be judged. */
  async startExposer(): Promise<boolean> {
    const { source, stateDir, host } = this;
    const where = ["--host", host, "--port", `${this.#port}`, "--state-dir", stateDir];
    const exposer = this.#exposer = this.#start("exposer", [
      ...["expose", source, ...where, "--chunk-size", this.#chunkSize, "--no-shared", "--json"],
    ]);
    const ready = await exposer.next("ready", HANG_MS).catch((error) => {
      if (exposer.isOver) return undefined;
      throw new Trouble("hang", String(error));
    });
    if (!ready) return false;
    this.#ticket = ready.ticket;
    this.#port = portOf(ready.ticket);
    return true;
  }

  /** Starts the pull: slowly, while there is a fault to come. */
  startPuller(how: "slowly" | "at once" = "slowly"): void {
    const rate = Math.ceil(this.bytes / SECONDS);
    const slowly = how === "slowly" ? ["--limit-rate", `${rate}B/s`] : this.replaces ? ["--force"] : [];
    this.#puller = this.#start("puller", [
      ...["pull", this.#ticketFor(how), this.out, "--json"],
      ...["--timeout", how === "slowly" ? this.timeout : PATIENT, ...slowly],
    ]);
  }

  /** Waits for the moment at which the fault strikes: some time after the puller's start, or when it has so much of it. */
  async moment(): Promise<void> {
    const puller = this.process("puller");
    const started = performance.now();
    const isNow = "ms" in this.#moment
      ? ((ms: number) => () => performance.now() - started >= ms)(this.#moment.ms)
      : ((bytes: number) => () => bytesAt([this.out, `${this.out}.part`]) >= bytes)(
        this.#moment.share * this.bytes,
      );
    while (!isNow() && !puller.isOver) await pause(POLL_MS);
  }

  /** Has one side end by a signal; whether it has by then is another matter, unless it is killed. */
  async tell(side: Side, signal: "SIGKILL" | "SIGINT" | "SIGTERM"): Promise<void> {
    const process = this.process(side);
    if (process.isOver) return;
    this.#sent.set(process, signal);
    process.send(signal);
    if (signal === "SIGKILL") await process.ended();
  }

  /** How a side ended, waited for. @throws {Trouble} */
  end(side: Side, explanations: Explanations): Promise<string> {
    const process = this.process(side);
    return endOf(process, explanations, this.#sent.get(process));
  }

  /**
   * What stands at OUT is right: nothing that was never exposed; and, of a pull that is complete, all of one whole state of the source,
   * or of its `last` one. @throws {Trouble}
   */
  async checkOut(isComplete: boolean, last = false): Promise<void> {
    const there = await listingOf(this.out);
    const wrong = [...there].filter(([path, what]) =>
      !this.strange.has(what) && this.versions.every((version) => version.get(path) !== what)
    );
    const text = wrong.map(([path, what]) => `'${path}' (${what})`).join(", ");
    if (wrong.length > 0) throw new Trouble("corrupt", `what nobody exposed stands at ${text}`);
    const wanted = last ? this.versions.slice(-1) : this.versions;
    if (!isComplete || wanted.some((version) => isWithin(version, there))) return;
    throw new Trouble(
      "corrupt",
      `of ${wanted[0].size} entries not all are there and right, of ${there.size}`,
    );
  }

  /** Whether OUT is complete and right by now. */
  hasAll(): Promise<boolean> {
    return this.checkOut(true).then(() => true, () => false);
  }

  /** The fault is gone: an exposer serves, and the same pull completes. @throws {Trouble} */
  async complete(): Promise<void> {
    for (const side of ["exposer", "puller"] as const) {
      this.settings[side].via = [];
      delete this.settings[side].disk;
      delete this.settings[side].clock;
    }
    // One that was told to stop takes a moment for it.
    if (this.#sent.has(this.process("exposer"))) await this.process("exposer").ended();
    if (this.process("exposer").isOver && !await this.startExposer()) {
      throw new Trouble(
        "unexplained",
        this.process("exposer").failure("does not serve without the fault").message,
      );
    }
    this.startPuller("at once");
    await this.end("puller", {});
    await this.checkOut(true, true);
    for (const left of [`${this.out}.part`, `${this.out}.part.rgtp`, `${this.out}/.rgtp-part`]) {
      if (bytesAt([left]) > 0) throw new Trouble("unexplained", `'${left}' is left behind`);
    }
    await this.tell("exposer", "SIGINT");
    await this.end("exposer", {});
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of [this.#exposer, this.#puller]) {
      await process?.[Symbol.asyncDispose]().catch(() => {});
    }
    await this.cleanup.disposeAsync();
  }

  #start(side: Side, args: readonly string[]): RgtpProcess {
    const { place, via, disk, clock, flags } = this.settings[side];
    // One that was started before is gone, or about to be replaced.
    const preload = disk || clock ? this.#preload(side, disk, clock) : undefined;
    return new RgtpProcess([...args, ...flags], { via: [...place, ...via], ...(preload && { preload }) });
  }

  #preload(side: Side, disk: BrokenDisk | undefined, clock: MovedClock | undefined): string {
    const line = (module: string, call: string, options: unknown) =>
      options
        ? `import { ${call} } from ${JSON.stringify(join(HERE, module))}; ${call}(${
          JSON.stringify(options)
        });\n`
        : "";
    const path = this.folder.file(`preload ${side}.ts`);
    Deno.writeTextFileSync(
      path,
      line("_broken_disk.ts", "breakDisk", disk) + line("_moved_clock.ts", "moveClock", clock),
    );
    return path;
  }

  #ticketFor(how: "slowly" | "at once"): string {
    if (!this.detour || how === "at once") return this.#ticket;
    return formatTicket({ ...parseTicket(this.#ticket), addresses: [this.detour] });
  }
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
