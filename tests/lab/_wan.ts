/*
 * Two machines and a wide-area link: two network namespaces with an emulator between them (`emulator.ts`), which delays, queues and loses.
 * Where that is not allowed, tests are skipped and say why.
 */
import { countsSince, quantile } from "./_histogram.ts";
import type { Counts } from "./_histogram.ts";
import { namespaceNames, reason, removeNamespace, run, type Side, sides } from "./_namespaces.ts";
import { type PathOptions, since, sumOf, type Tally } from "./_path.ts";
import type { DirectionReport, EmulatorOptions, EmulatorReport, FlowReport } from "./emulator.ts";

/** The addresses of both: private ones (RFC 1918), which nobody else sees. */
export const wanAddresses: Readonly<Record<Side, string>> = { exposer: "10.78.0.1", puller: "10.78.0.2" };

const NETWORK = "10.78.0.0/24";

/** How a link is: the same both ways, but for what is said of one. */
export interface WanOptions extends Partial<PathOptions> {
  /** From the exposer to the puller. */
  readonly there?: Partial<PathOptions>;
  /** From the puller to the exposer. */
  readonly back?: Partial<PathOptions>;
  /** For chance. */
  readonly seed?: number;
}

const READY_MS = 30_000;
const REPORT_MS = 10_000;

/** A running link; gone with its namespaces, and all that still runs in them, when it is disposed of. */
export class Wan implements AsyncDisposable {
  readonly #names = namespaceNames();
  readonly #child: Deno.ChildProcess;
  readonly #asks: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;

  private constructor({ there, back, seed = 1, ...both }: WanOptions) {
    const options: EmulatorOptions = {
      names: this.#names,
      addresses: wanAddresses,
      there: { ...both, ...there },
      back: { ...both, ...back },
      seed,
    };
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--config", fileOf("../../deno.json")],
        ...[fileOf("emulator.ts"), JSON.stringify(options, withoutInfinity)],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#asks = this.#child.stdin.getWriter();
    this.#lines = lines(this.#child.stdout);
  }

  /** Makes it. @throws {Error} where that is not allowed */
  static async make(options: WanOptions): Promise<Wan> {
    const wan = new Wan(options);
    try {
      const event = await wan.#next(READY_MS);
      if (event.event !== "ready") throw new Error(event.message ?? "the emulator does not start");
      return wan;
    } catch (error) {
      await wan[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What goes before a command that is to run at one side. */
  via(side: Side): string[] {
    return ["ip", "netns", "exec", this.#names[side]];
  }

  /**
   * TCP connections to this port of one side keep to this congestion control of the kernel, such as `bbr`. By a route of their own: to set
   * it for a whole namespace it would have to be allowed for the whole machine, and others on this link may want another one.
   */
  async setCongestionControl(side: Side, port: number, name: string): Promise<void> {
    const ip = (...args: string[]) => run(...this.via(side), "ip", ...args);
    const route = [NETWORK, "dev", "wan", "src", wanAddresses[side], "congctl", name];
    await ip("route", "replace", ...route, "table", `${port}`);
    await ip("rule", "add", "ipproto", "tcp", "sport", `${port}`, "lookup", `${port}`);
  }

  /** What has happened up to now. */
  async report(): Promise<EmulatorReport> {
    await this.#asks.write(new Uint8Array(1));
    return await this.#next(REPORT_MS) as unknown as EmulatorReport;
  }

  /** Packets that the kernels dropped before the emulator could read them. Other than 0, no figure counts. */
  async deviceDrops(): Promise<number> {
    let drops = 0;
    for (const side of sides) {
      const json = await run(...this.via(side), "ip", "-json", "-stats", "link", "show", "wan");
      drops += (JSON.parse(json) as [{ stats64: { tx: { dropped: number } } }])[0].stats64.tx.dropped;
    }
    return drops;
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asks.close().catch(() => {});
    await this.#lines.return(undefined);
    const { success } = await this.#child.status;
    // It has cleared away by itself, unless somebody has killed it.
    if (!success) await Promise.allSettled(sides.map((side) => removeNamespace(this.#names[side])));
  }

  async #next(ms: number): Promise<{ event: string; message?: string }> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`the emulator says nothing for ${ms} ms`)), ms);
    try {
      const { value, done } = await Promise.race([this.#lines.next(), promise]);
      if (done) throw new Error("the emulator has ended");
      return JSON.parse(value);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What one direction has met between two reports, of the flows that were asked for. */
export interface Crossing extends Tally {
  /** How long packets of all flows waited in the queue, ms. */
  readonly queueing: Counts;
}

/** What has happened in one direction between two reports, to some flows (all, unless said). */
export function crossing(
  before: DirectionReport,
  now: DirectionReport,
  isMeant: (flow: FlowReport) => boolean = () => true,
): Crossing {
  const tally = since(sumOf(before.flows.filter(isMeant)), sumOf(now.flows.filter(isMeant)));
  return { ...tally, queueing: countsSince(before.queueing, now.queueing) };
}

/** How late the emulator was for 99 of 100 packets between two reports, ms. */
export function lateness(before: EmulatorReport, now: EmulatorReport): number {
  return quantile(countsSince(before.lateness, now.lateness), 0.99);
}

/** Why there can be no {@linkcode Wan} here; empty when there can. */
export async function whyNoWan(): Promise<string> {
  try {
    await using _wan = await Wan.make({});
    return "";
  } catch (error) {
    return reason(error);
  }
}

/** JSON has no infinity; where it is meant it is what holds without being said. */
function withoutInfinity(_name: string, value: unknown): unknown {
  return value === Infinity ? undefined : value;
}

function fileOf(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
