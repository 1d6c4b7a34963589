import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { utf8 } from "../core/bytes.ts";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Engine } from "../crypto/engine.ts";
import { preferLibisal } from "../fec/native/libisal_sums.ts";
import { reachableHosts } from "./addresses.ts";
import { bindExposer } from "./bind.ts";
import type { ExposeOptions, Exposure } from "./expose.ts";
import { ExposerShell } from "./exposer_shell.ts";
import type { ExposerEvent } from "./exposer_shell.ts";
import { accessPolicy } from "./exposure/access.ts";
import type { AccessPolicy } from "./exposure/access.ts";
import { openSource, sourceName } from "./exposure/open_source.ts";
import type { ExposeSource } from "./exposure/open_source.ts";
import { DEFAULT_PROFILE, profiles } from "./exposure/profiles.ts";
import type { SealedExposure } from "./exposure/seal.ts";
import type { ByteSource } from "./exposure/source.ts";
import type { SpoolOptions } from "./exposure/spooled_source.ts";
import { openState } from "./exposure/state.ts";
import type { ExposerState } from "./exposure/state.ts";
import { TicketBook } from "./exposure/ticket_book.ts";
import { watchTickets } from "./exposure/ticket_watch.ts";
import { addWork, noWork } from "./exposure_stats.ts";
import type { ExposureStats, ServingStats, Work } from "./exposure_stats.ts";
import { castLink, exposedCast } from "./group_cast.ts";
import type { Link } from "./link/link.ts";
import { MappedFile } from "./link/mapped_file.ts";
import type { Exposed } from "./protocol/exposed.ts";
import { MEMORY_BYTES, sealList, serveExposure } from "./serve_exposure.ts";
import { trace } from "./telemetry.ts";
import type { Facts } from "./telemetry.ts";

/** What holds for everything that is exposed on one port: see {@linkcode ExposeOptions}. */
export type ExposerOptions = Pick<
  ExposeOptions,
  | "host"
  | "port"
  | "link"
  | "interface"
  | "advertise"
  | "stateDir"
  | "limitRate"
  | "pullRateMax"
  | "postQuantum"
  | "onWarning"
>;

/** What holds for one exposure among several on a port: see {@linkcode ExposeOptions}. */
export type HostedOptions = Omit<ExposeOptions, keyof ExposerOptions>;

/** One port that answers for any number of exposures, which come and go. */
export interface Exposer extends AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  /** Ends when it is closed; rejects when its socket dies. */
  readonly closed: Promise<void>;
  /**
   * Seals something and serves it beside the others, until it or the exposer is closed. In its `stats()` the drops and what is said of
   * memory and link are those of the whole port.
   *
   * @throws {RgtpError} INVALID_ARG for what is exposed here already, and what `expose` throws
   * @throws {RangeError} when an option is out of its range
   */
  expose(source: ExposeSource, options?: HostedOptions): Promise<Exposure>;
  /**
   * Lets no newcomer in any more and waits, at most so long, until nobody pulls. Whoever comes meanwhile asks again, and finds what is
   * started here next. Answers with how many were still pulling.
   */
  drain(ms: number): Promise<number>;
  /** What the whole port has done so far, with what was exposed here and is no more. */
  stats(): ServingStats & Pick<ExposureStats, "store" | "storeBytes" | "shared">;
  /** Tells those who are pulling, and closes everything that is exposed here. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Opens a port for several exposures.
 *
 * @throws {RgtpError} ADDRESS_IN_USE, SOCKET, INVALID_ARG; IO, NO_SPACE, NOT_SUPPORTED for the state folder
 *
 * @example
 * ```ts
 * import { openExposer, pull } from "@red-giant/rgtp";
 *
 * await using exposer = await openExposer({ host: "127.0.0.1", port: 0 });
 * const one = await exposer.expose(new TextEncoder().encode("one"), { name: "one" });
 * const two = await exposer.expose(new TextEncoder().encode("two"), { name: "two" });
 * await one.close();
 * const bytes = await pull(two.ticket).bytes();
 * if (new TextDecoder().decode(bytes) !== "two") throw new Error("unexpected");
 * ```
 */
export async function openExposer(options: ExposerOptions = {}): Promise<Exposer> {
  // A taken port shall not show only after a large file was sealed.
  const link = await bindExposer(options, true);
  try {
    preferLibisal();
    const engine = defaultEngine();
    const state = openState(engine, systemRandom, options.stateDir);
    for (const warning of state.warnings) options.onWarning?.(warning);
    return new RunningExposer(link, state, engine, options);
  } catch (error) {
    link.close();
    throw error;
  }
}

/** What an exposure is to be, checked before anything is touched. */
export interface Plan {
  readonly policy: AccessPolicy;
  readonly name: string;
  readonly chunkSize: number;
}

/** @throws {RgtpError} INVALID_ARG @throws {RangeError} when an option is out of its range */
export function checkedPlan(source: ExposeSource, options: HostedOptions): Plan {
  checkStoreOptions(options);
  return {
    policy: accessPolicy(options),
    name: checkedName(options.name ?? sourceName(source)),
    chunkSize: options.chunkSize ?? profiles[options.profile ?? DEFAULT_PROFILE],
  };
}

const DRAIN_LOOK_MS = 100;

class RunningExposer implements Exposer {
  readonly closed: Promise<void>;
  readonly #end = Promise.withResolvers<void>();
  readonly #engine: Engine;
  readonly #state: ExposerState;
  readonly #options: ExposerOptions;
  readonly #shell: ExposerShell;
  readonly #events = new Map<Exposed, (event: ExposerEvent) => void>();
  readonly #books = new Set<TicketBook>();
  readonly #exposures = new Map<string, Exposure>();
  readonly #pulls = { completed: 0, left: 0 };
  /** What was done for exposures that are gone. */
  #past: Work = noWork;
  readonly #stopWatching: () => void;
  #isRunning = false;
  #closing: Promise<void> | undefined;

  constructor(link: Link, state: ExposerState, engine: Engine, options: ExposerOptions) {
    const { limitRate, pullRateMax, postQuantum } = options;
    this.#engine = engine;
    this.#state = state;
    this.#options = options;
    this.#shell = new ExposerShell(link, {
      engine,
      staticPrivate: state.identity.staticPrivate,
      random: systemRandom,
      ...(limitRate !== undefined && { limitRate }),
      ...(pullRateMax !== undefined && { pullRateMax }),
      ...(postQuantum && { postQuantum }),
    }, (event) => this.#tell(event));
    this.#stopWatching = watchTickets(state, this.#books, {
      ended: (id) => this.#shell.revoke(id),
      blind: (error) =>
        options.onWarning?.(
          `revocations by others are not noticed: ${error instanceof Error ? error.message : error}`,
        ),
    });
    this.closed = this.#end.promise;
    // Whoever does not look at `closed` shall not be ended by it, and a dead socket keeps no process alive.
    this.closed.catch(() => {}).finally(this.#stopWatching);
  }

  get address(): Address {
    return this.#shell.link.local;
  }

  async expose(source: ExposeSource, given: HostedOptions = {}): Promise<Exposure> {
    const plan = checkedPlan(source, given);
    const options: ExposeOptions = { ...given, ...this.#options };
    let bytes: ByteSource | undefined;
    let groupLink: Link | undefined;
    let sealed: SealedExposure | undefined;
    const sealing = await trace("expose");
    try {
      const cast = options.multicast && exposedCast(options.multicast, systemRandom);
      groupLink = options.multicast && await castLink(options.multicast, options.link);
      const hash = this.#engine.sha256;
      bytes = await openSource(source, { ...intakeOf(options), chunkSize: plan.chunkSize, hash });
      const started = performance.now();
      sealed = await this.#seal(bytes, plan, options);
      const sealSeconds = (performance.now() - started) / 1000;
      // What only tickets open is on no list.
      const listing = plan.policy.kind === "tickets"
        ? undefined
        : await sealList(this.#engine, this.#state, sealed, plan.name);
      const exposure = this.#serve(bytes, sealed, plan, options, {
        sealSeconds,
        listing,
        ...(cast && groupLink && { cast: { exposed: cast, link: groupLink } }),
      });
      sealing.set(factsOf(exposure));
      sealing.end();
      return exposure;
    } catch (error) {
      sealing.end(error);
      sealed?.store.close();
      bytes?.close();
      groupLink?.close();
      throw error;
    }
  }

  stats(): ReturnType<Exposer["stats"]> {
    const all = Array.from(this.#exposures.values(), (exposure) => exposure.stats());
    return {
      ...this.#shell.stats(),
      ...this.#pulls,
      ...all.reduce(addWork, this.#past),
      pullers: all.flatMap(({ pullers }) => pullers),
      storeBytes: all.reduce((sum, { storeBytes }) => sum + storeBytes, 0),
    };
  }

  async drain(ms: number): Promise<number> {
    const end = performance.now() + ms;
    const left = () => this.#shell.machine.pullers(this.#shell.now()).length;
    this.#shell.drain();
    while (left() > 0 && !this.#closing && performance.now() < end) {
      const wait = Math.min(DRAIN_LOOK_MS, end - performance.now());
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
    }
    return left();
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopWatching();
    await Promise.all(Array.from(this.#exposures.values(), (exposure) => exposure.close()));
    await this.#shell.close();
    this.#state.close();
    this.#end.resolve();
  }

  #seal(bytes: ByteSource, { policy, chunkSize }: Plan, options: ExposeOptions): Promise<SealedExposure> {
    return this.#state.seal(bytes, {
      aead: options.aead ?? "chacha20-poly1305",
      chunkSize,
      memoryBytesMax: options.memoryBytesMax ?? MEMORY_BYTES,
      ...(options.spill !== undefined && { spillFolder: options.spill }),
      mapFile: (path, size) => MappedFile.open(path, size),
      rekey: options.rekey ?? false,
      reproducible: options.reproducible ?? false,
      audience: policy.name,
      onProgress: (done) => options.onSeal?.(done, bytes.size),
      onLost: (reason) => options.onWarning?.(reason.message),
      ...(options.signal && { signal: options.signal }),
    });
  }

  #serve(
    source: ByteSource,
    sealed: SealedExposure,
    { policy, name }: Plan,
    options: ExposeOptions,
    parts: Pick<Parameters<typeof serveExposure>[0], "sealSeconds" | "listing" | "cast">,
  ): Exposure {
    const id = sealed.id.toHex();
    if (this.#closing) throw new RgtpError("CANCELLED", "the exposer was closed: nothing was exposed");
    if (this.#exposures.has(id)) {
      throw new RgtpError(
        "INVALID_ARG",
        `what '${name}' is to be is exposed on this port already: name it once`,
      );
    }
    const shell = this.#shell;
    const hosts = options.advertise ?? reachableHosts(this.address.host);
    const addresses = hosts.map((host) => ({ host, port: this.address.port }));
    this.#state.noteServed(sealed.id, {
      name,
      addresses: addresses.map(formatAddress),
      sinceMs: Date.now(),
    });
    const book = new TicketBook(this.#engine, systemRandom, Date.now, this.#state.shelf(sealed.id));
    this.#books.add(book);
    const exposure = serveExposure({
      ...{ ...parts, options, source, policy, name, sealed, book, shell, addresses },
      engine: this.#engine,
      identity: this.#state.identity,
      portClosed: this.closed,
      listen: (exposed, handle) => this.#events.set(exposed, handle),
      forget: (exposed) => {
        const { store, shared } = exposure.stats();
        this.#past = addWork(this.#past, { store, ...(shared && { shared: { ...shared, memoryBytes: 0 } }) });
        this.#events.delete(exposed);
        this.#books.delete(book);
        this.#exposures.delete(id);
      },
    });
    this.#exposures.set(id, exposure);
    if (!this.#isRunning) this.#run();
    return exposure;
  }

  #tell(event: ExposerEvent): void {
    const handle = this.#events.get(event.exposed);
    if (handle && event.kind === "left") this.#pulls[event.done ? "completed" : "left"]++;
    handle?.(event);
  }

  /** Who asks before there is anything to have asks again. */
  #run(): void {
    this.#isRunning = true;
    this.#shell.run().then(this.#end.resolve, this.#end.reject);
  }
}

function factsOf({ id, bytes, chunks, access, sealSeconds }: Exposure): Facts {
  return {
    "rgtp.exposure.id": id,
    "rgtp.exposure.bytes": bytes,
    "rgtp.chunks": chunks,
    "rgtp.access": access,
    "rgtp.seal_seconds": sealSeconds,
  };
}

/** How a source is read. */
function intakeOf({ spool, spill, stateDir, onRead, signal }: ExposeOptions): SpoolOptions {
  const folder = spool ?? spill ?? stateDir;
  return { ...(folder !== undefined && { folder }), ...(onRead && { onRead }), ...(signal && { signal }) };
}

function checkStoreOptions({ memoryBytesMax = MEMORY_BYTES, rekey, reproducible }: HostedOptions): void {
  if (!(memoryBytesMax >= limits.memoryBytesMin)) {
    throw new RangeError(`memoryBytesMax is ${memoryBytesMax}, at least ${limits.memoryBytesMin} are needed`);
  }
  if (rekey && reproducible) {
    throw new RangeError("a key cannot be new and follow from the content: drop one");
  }
}

function checkedName(name: string): string {
  const bytes = utf8(name).length;
  if (bytes <= limits.nameBytesMax) return name;
  throw new RangeError(`the name has ${bytes} bytes, at most ${limits.nameBytesMax} fit: give a shorter one`);
}
