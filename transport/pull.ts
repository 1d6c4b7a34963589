import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import type { Group } from "../codec/group.ts";
import type { Manifest } from "../codec/manifest.ts";
import type { CollectionEntry } from "../codec/collection_index.ts";
import { loadIdentitySeed } from "./exposure/identity_file.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import type { Engine } from "../crypto/engine.ts";
import { loadEngine } from "../crypto/load_engine.ts";
import { isUsableX25519Key } from "../crypto/points.ts";
import { preferLibisal } from "../fec/native/libisal_sums.ts";
import { bindHostFor, resolveAddresses } from "./addresses.ts";
import type { ContactChoice } from "./addresses.ts";
import { networkWords } from "./network_words.ts";
import { ChunkQueue } from "./chunk_queue.ts";
import type { PulledChunk } from "./chunk_queue.ts";
import type { Link } from "./link/link.ts";
import { openGroupListener } from "./link/open_group.ts";
import { chosen, openLink } from "./link/open_link.ts";
import { openWindow } from "./link/sealed_memory.ts";
import { openOutput } from "./output.ts";
import type { Output } from "./output.ts";
import { packetsOver } from "./packets_over.ts";
import { joined, slices, streamOf } from "./pull_slices.ts";
import type { PulledRange, SliceRun } from "./pull_slices.ts";
import { factsOf, otherFacts, otherSources } from "./pull_sources.ts";
import type { OtherSource, PullFrom } from "./pull_sources.ts";
import { grantedEvent, progressOf, statsOf } from "./pull_stats.ts";
import type { PullEvent, PullProgress, PullResult, PullState, PullStats } from "./pull_stats.ts";
import type { LinkChoice } from "./link/open_link.ts";
import { handshakeName } from "./protocol/handshake_shape.ts";
import type { HandshakeChoice } from "./protocol/handshake_shape.ts";
import type { TrafficClassName } from "./protocol/traffic_class.ts";
import type { SourceFacts } from "./protocol/source.ts";
import type { PullerOptions, PullerTimes } from "./protocol/puller_types.ts";
import { tracedPull } from "./pull_trace.ts";
import type { PullTrace } from "./pull_trace.ts";
import { PullerShell } from "./puller_shell.ts";
import type { ChunkSink } from "./puller_shell.ts";
import { sharing } from "./shared_road.ts";
import { SliceQueue } from "./slice_queue.ts";
import type { VerifyResult, VerifyRun } from "./verify.ts";
import { WholeSink } from "./whole_sink.ts";

/** How something is pulled. */
export interface PullOptions extends LinkChoice, PullFrom, HandshakeChoice, ContactChoice {
  /** Without any progress for this long it fails; 30 s. The first contact has 10 s unless this is given. */
  readonly timeoutMs?: number;
  /** Bytes a second to ask for at most. */
  readonly limitRate?: number;
  /** How it behaves beside other traffic; absent: `normal`. */
  readonly priority?: TrafficClassName;
  /**
   * Where this node's identity lives, made there if need be: for exposers that let some nodes pull and others not. Absent: a key made for
   * this pull alone, by which nobody is known.
   */
  readonly stateDir?: string;
  /**
   * Whether the bytes may come as memory that an exposer on this machine shares, where both programs have `--allow-ffi=/lib` on Linux.
   * They are verified as ever. Absent: yes, unless `link`, `limitRate`, `mayContact` or several sources say something of the network.
   */
  readonly shared?: boolean;
  /**
   * Whether the multicast group is joined that the exposer may have, on `interface`; absent: it is. Where nothing of it arrives the pull goes
   * on without.
   */
  readonly multicast?: boolean;
  /** Ends the pull with CANCELLED; what is on disk stays for a later pull. */
  readonly signal?: AbortSignal;
  /** Told when nothing comes, with the reason; and with `undefined` when it goes on. */
  readonly onStall?: (reason: string | undefined) => void;
  /** Told when it is granted, when nothing comes and when it goes on, and how it ends. */
  readonly onEvent?: (event: PullEvent) => void;
}

export type { FileVerifyResult, FolderVerifyResult, VerifyResult } from "./verify.ts";
export type { PulledChunk } from "./chunk_queue.ts";
export type { PullFrom } from "./pull_sources.ts";
export type { PullEvent, PullProgress, PullResult, PullSource, PullState, PullStats } from "./pull_stats.ts";

/** How {@linkcode Pull.saveTo} saves. */
export interface SaveOptions {
  /** Replace what is there. */
  readonly force?: boolean;
  /**
   * Which files and folders of a collection: patterns for their paths, in which `*` and `?` stand for what is between slashes, and `**`
   * for anything. Absent: all. Only their chunks move, and the index.
   */
  readonly files?: readonly string[];
  /**
   * Whether to hash the file as a whole, for {@linkcode PullResult.sha256}; absent: true. Every chunk is verified all the same: that hash
   * is for people, and a quarter of what a pull over a fast network costs.
   */
  readonly sha256?: boolean;
  /** Told about every 100 ms. */
  readonly onProgress?: (progress: PullProgress) => void;
  /** Told while the finished file, or files that were there already, are hashed: bytes hashed. */
  readonly onHash?: (bytes: number) => void;
}

const TIMEOUT_MS = 30_000;
const FIRST_CONTACT_MS = 10_000;
const PROGRESS_MS = 100;

/**
 * A pull of one exposure. Nothing happens until it is iterated or saved; one pull does one of these, once.
 *
 * @example
 * ```ts
 * import { expose, pull } from "@red-giant/rgtp";
 *
 * await using exposure = await expose(new Uint8Array(200_000), { host: "127.0.0.1", port: 0 });
 * let bytes = 0;
 * for await (const chunk of pull(exposure.ticket)) bytes += chunk.bytes.length;
 * if (bytes !== 200_000) throw new Error("unexpected");
 * ```
 */
export class Pull implements AsyncIterable<PulledChunk>, AsyncDisposable {
  /** The ticket. */
  readonly ticket: Ticket;
  readonly #others: readonly OtherSource[];
  readonly #options: PullOptions;
  readonly #abort = new AbortController();
  #shell: PullerShell | undefined;
  #trace: PullTrace | undefined;
  #started = false;
  #state: PullState = "idle";
  #stalled: string | undefined;
  #readable: ReadableStream<Uint8Array> | undefined;
  /** What still runs, if anything does. */
  #running: Promise<unknown> | undefined;
  readonly #slices: SliceRun = {
    start: (queue) =>
      this.#run((manifest) => queue.begin(manifest)).then(() => queue.end(), (error) => queue.fail(error)),
    close: () => this.close(),
  };

  /** See {@linkcode pull}. */
  constructor(ticket: Ticket, options: PullOptions) {
    // Text keeps its form when a character is mistaken: that the key is none shows only here.
    if (!isUsableX25519Key(ticket.exposerKey)) {
      throw new RgtpError(
        "INVALID_ARG",
        "the ticket is damaged: its exposer's key is not a key; copy it again from the line that 'rgtp expose' printed",
      );
    }
    this.ticket = ticket;
    this.#others = otherSources(ticket, options);
    this.#options = options;
  }

  /** How far it is. */
  get progress(): PullProgress {
    return progressOf(this.#shell?.machine);
  }

  /** Bytes, loss, round trip and sources so far; also after its end. */
  stats(): PullStats {
    return statsOf(this.#state, this.#stalled, this.#shell?.machine);
  }

  /** Verified chunks as they come, in any order. Leaving the loop closes the pull. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PulledChunk> {
    const queue = new ChunkQueue();
    const run = this.#run(() => queue).then(() => queue.end(), (error) => queue.fail(error));
    try {
      yield* queue;
    } finally {
      this.close();
      await run;
    }
  }

  /**
   * The bytes in their order, as a stream; the same one each time. The pull starts when it is first read, waits while its reader is behind
   * (with at most some 32 MiB of chunks at hand), and is closed when the stream is cancelled. An error comes after the verified bytes
   * before it: only a stream that ends without one was whole. A collection has no such order: NOT_SUPPORTED.
   *
   * @example
   * ```ts
   * import { expose, pull } from "@red-giant/rgtp";
   *
   * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0 });
   * const text = await new Response(pull(exposure.ticket).readable).text();
   * if (text !== "hello") throw new Error("unexpected");
   * ```
   */
  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= streamOf(new SliceQueue(0, Infinity), this.#slices);
  }

  /**
   * The bytes from `from` on, before `to` (absent: to the end), in their order. Only the chunks that hold them move. Leaving the loop
   * closes the pull; while it is behind the pull waits. A collection has no such order: NOT_SUPPORTED.
   *
   * @throws {RangeError} here when these are no places; when it is used, when they lead out of what is exposed
   *
   * @example
   * ```ts
   * import { expose, pull } from "@red-giant/rgtp";
   *
   * await using exposure = await expose(new TextEncoder().encode("hello"), { host: "127.0.0.1", port: 0 });
   * const bytes = await pull(exposure.ticket).range(1, 4).bytes();
   * if (new TextDecoder().decode(bytes) !== "ell") throw new Error("unexpected");
   * ```
   */
  range(from: number, to = Infinity): PulledRange {
    const queue = () => new SliceQueue(from, to);
    // What is wrong with the places shows here.
    queue();
    return {
      [Symbol.asyncIterator]: () => slices(queue(), this.#slices),
      bytes: () => joined(queue(), this.#slices),
    };
  }

  /** The whole exposure in memory. */
  bytes(): Promise<Uint8Array> {
    return this.#whole((manifest) => new WholeSink(manifest));
  }

  /**
   * The whole exposure in memory, as {@linkcode Pull.bytes} gives it; but where the exposer is on this machine and shares it, it is not
   * copied: it stands in pages that both processes have, and that neither can change any more. They are given back when nothing refers to
   * them. Writing to it makes this process's own copy of a page. Its buffer cannot be transferred.
   */
  view(): Promise<Uint8Array> {
    return this.#whole((manifest) => new WholeSink(manifest, openWindow(manifest.totalSize)));
  }

  /**
   * Pulls into the file `path`. It appears there whole and verified, or not at all: until then the data lives in `path.part`, and a
   * later pull goes on from there. A collection is pulled into the folder `path`, which is made if need be; each of its files appears whole,
   * and what is not whole lives in `path/.rgtp-part`. `path` may be a function that is told which of both it is.
   *
   * @throws {RgtpError} EXISTS when there is something else at `path` and `force` is not set; BUSY when another pull works on it; NO_SPACE,
   * IO; NOT_FOUND when `files` fit nothing; NOT_SUPPORTED for a collection that cannot be taken; ACCESS_DENIED, AUTH_FAIL, TIMEOUT, WITHDRAWN,
   * SOURCE_CHANGED, MERKLE_FAIL; CANCELLED
   */
  async saveTo(
    path: string | ((what: "file" | "folder") => string),
    options: SaveOptions = {},
  ): Promise<PullResult> {
    const { onProgress } = options;
    let opened: Promise<Output> | undefined;
    const ticker = setInterval(() => onProgress?.(this.progress), PROGRESS_MS);
    try {
      const { times, progress } = await this.#run((manifest) =>
        (opened = openOutput(path, manifest, this.ticket.exposureId, options)).then(({ sink }) => sink)
      );
      const output = await opened!;
      onProgress?.(progress);
      clearInterval(ticker);
      const verifying = this.#trace!.part("verify");
      const ended = await output.finish(progress).finally(() => verifying.end());
      return {
        seconds: (times.finishedAt! - times.requestedAt!) / 1000,
        handshakeSeconds: (times.grantedAt! - times.startedAt) / 1000,
        handshake: handshakeName(this.#shell!.machine.sources.every(({ isHybrid }) => isHybrid)),
        wireBytes: progress.wireBytes,
        sharedBytes: progress.shared,
        id: this.ticket.exposureId.toBase64({ alphabet: "base64url", omitPadding: true }),
        path: output.path,
        ...ended,
      };
    } finally {
      clearInterval(ticker);
      (await opened?.catch(() => undefined))?.sink.close();
    }
  }

  /**
   * What a collection holds, in the order of the paths' bytes. Only its index moves. Names are an exposer's own: what in them would act on
   * a terminal is left in them.
   *
   * @throws {RgtpError} NOT_SUPPORTED when it is one file, or a collection that cannot be taken; and what {@linkcode Pull.saveTo} throws
   */
  async list(): Promise<readonly CollectionEntry[]> {
    let entries: readonly CollectionEntry[] = [];
    const { indexSink } = await import("./verify.ts");
    await this.#run((manifest) => indexSink(manifest, (index) => entries = index));
    return entries;
  }

  /**
   * Compares the file `path` with the exposure: only hashes move, and nothing is written. Or the folder `path` with a collection: only its
   * index moves, and what is in the folder is compared by its SHA-256.
   *
   * @throws {RgtpError} NOT_FOUND, NOT_SUPPORTED, IO for what is at `path`; SOURCE_CHANGED when it was changed meanwhile; ACCESS_DENIED,
   * AUTH_FAIL, TIMEOUT, WITHDRAWN, SOURCE_CHANGED, MERKLE_FAIL; CANCELLED
   */
  async verify(
    path: string,
    options: Pick<SaveOptions, "onProgress" | "onHash"> = {},
  ): Promise<VerifyResult> {
    const run: VerifyRun = {
      start: (open) => this.#run(open, "verify").then(({ progress }) => progress),
      progress: () => this.progress,
      signal: this.#signal,
      id: this.ticket.exposureId.toBase64({ alphabet: "base64url", omitPadding: true }),
    };
    const { verifyPath } = await import("./verify.ts");
    return await verifyPath(path, run, options).catch((error) => {
      throw this.#signal.aborted ? cancelled(this.#signal.reason) : error;
    });
  }

  /** Ends the pull; a loop over it ends with CANCELLED. Twice is fine. */
  close(): void {
    this.#abort.abort(new RgtpError("CANCELLED", "the pull was closed"));
  }

  /** Ends the pull, and waits until its socket is closed. Nothing is thrown. Twice is fine. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#running;
  }

  /** That of its owner, and its own. */
  get #signal(): AbortSignal {
    const { signal } = this.#options;
    return signal ? AbortSignal.any([signal, this.#abort.signal]) : this.#abort.signal;
  }

  async #whole(open: (manifest: Manifest) => WholeSink): Promise<Uint8Array> {
    let sink: WholeSink | undefined;
    await this.#run((manifest) => sink = open(manifest));
    return sink!.whole;
  }

  #run(
    open: (manifest: Manifest) => ChunkSink | Promise<ChunkSink>,
    operation: "pull" | "verify" = "pull",
  ): Promise<{ times: PullerTimes; progress: PullProgress }> {
    if (this.#started) {
      return Promise.reject(new TypeError("a pull can be iterated or saved once: call pull() again"));
    }
    this.#started = true;
    this.#state = "contacting";
    const traced = { ticket: this.ticket, stats: () => this.stats(), machine: () => this.#shell?.machine };
    const run = tracedPull(operation, traced, (trace) => this.#runOnce(open, this.#trace = trace))
      .finally(() => this.#stalled = undefined);
    this.#running = run.then(
      () => this.#tell("done", { kind: "done" }),
      (error) => this.#tell("failed", { kind: "failed", error }),
    );
    return run;
  }

  async #runOnce(
    open: (manifest: Manifest) => ChunkSink | Promise<ChunkSink>,
    trace: PullTrace,
  ): Promise<{ times: PullerTimes; progress: PullProgress }> {
    const signal = this.#signal;
    if (signal.aborted) throw cancelled(signal.reason);
    const engine = await loadEngine();
    const { addresses, others } = await this.#lookUp(engine, signal).catch((error) => {
      throw signal.aborted ? cancelled(signal.reason) : error;
    });
    if (this.#stalled !== undefined) this.#handleStall(undefined);
    const host = bindHostFor([addresses, ...others.map((other) => other.addresses)].flat());
    // With one processor no thread of this pull waits for this one, and nobody else can send while others are woken.
    const naps = navigator.hardwareConcurrency === 1;
    const link = await openLink({ host, port: 0, naps, ...chosen(this.#options) });
    const shell: PullerShell = new PullerShell(
      link,
      await this.#machineOptions(engine, addresses, others, link),
      {
        granted: (_grant, manifest) => {
          trace.granted(manifest, shell.machine);
          this.#tell("pulling", grantedEvent(manifest, shell.machine.source!));
          return open(manifest);
        },
        share: sharing(engine, this.#options, this.#others.length === 0, () => shell.machine.grant!),
        join: (group) => this.#joinGroup(group),
        cast: (group, reason) =>
          this.#options.onEvent?.(
            reason === undefined ? { kind: "group", group } : { kind: "unicast", reason },
          ),
        stalled: (reason) => this.#handleStall(reason),
        joined: (source) => this.#options.onEvent?.({ kind: "joined", source }),
        dropped: (source, error) => this.#options.onEvent?.({ kind: "dropped", source, error }),
      },
    );
    this.#shell = shell;
    const stop = () => shell.stop(cancelled(signal.reason));
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      await shell.run();
      return { times: shell.machine.times, progress: this.progress };
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #joinGroup({ address: group }: Group): Promise<Link> {
    const { interface: name, link: kind, mayContact } = this.#options;
    if (mayContact?.(group) === false) {
      const place = formatAddress(group);
      throw new RgtpError(
        "INVALID_ARG",
        `the exposer's multicast group ${place} may not be joined from here`,
      );
    }
    const where = name === undefined ? {} : { interfaceName: name };
    return await openGroupListener({ group, ...where, ...(kind && { kind }) });
  }

  /** Where they all are. Whoever is not found but the exposer itself is done without. */
  async #lookUp(
    engine: Engine,
    signal: AbortSignal,
  ): Promise<{ addresses: Address[]; others: SourceFacts[] }> {
    const { timeoutMs = FIRST_CONTACT_MS, link, mayContact, onEvent } = this.#options;
    const options = { signal, timeoutMs, link, ...(mayContact && { mayContact }) };
    const [addresses, others] = await Promise.all([
      resolveAddresses(this.ticket.addresses, { ...options, onSlow: (reason) => this.#handleStall(reason) }),
      otherFacts(
        engine,
        this.#others,
        options,
        (source, error) => onEvent?.({ kind: "dropped", source, error }),
      ),
    ]);
    return { addresses, others };
  }

  #tell(state: PullState, event: PullEvent): void {
    this.#state = state;
    this.#options.onEvent?.(event);
  }

  #handleStall(reason: string | undefined): void {
    this.#stalled = reason;
    this.#options.onStall?.(reason);
    this.#options.onEvent?.(reason === undefined ? { kind: "resumed" } : { kind: "stalled", reason });
  }

  async #machineOptions(
    engine: Engine,
    addresses: readonly Address[],
    others: readonly SourceFacts[],
    link: Link,
  ): Promise<PullerOptions> {
    preferLibisal();
    const { exposureId, exposureKey } = this.ticket;
    const { timeoutMs, limitRate, priority, stateDir, postQuantum } = this.#options;
    return {
      engine,
      random: systemRandom,
      staticPrivate: stateDir === undefined ? systemRandom(32) : await staticPrivateOf(engine, stateDir),
      exposureId,
      ...(exposureKey && { exposureKey }),
      ...factsOf(engine, this.ticket, addresses),
      others,
      ...packetsOver(link, [...addresses, ...others.flatMap((other) => other.addresses)]),
      ...(limitRate !== undefined && { limitRate }),
      ...(priority && { trafficClass: priority }),
      ...(postQuantum && { postQuantum }),
      joinsGroups: this.#options.multicast !== false && this.#options.link !== "ethernet",
      timeoutMs: timeoutMs ?? TIMEOUT_MS,
      handshakeTimeoutMs: timeoutMs ?? FIRST_CONTACT_MS,
      network: () => networkWords(this.ticket.addresses, addresses, link.stats),
    };
  }
}

/**
 * Prepares a pull of what a ticket names.
 *
 * @throws {RgtpError} INVALID_ARG or TRUNCATED when it is not a ticket
 */
export function pull(ticket: string | Ticket, options: PullOptions = {}): Pull {
  return new Pull(typeof ticket === "string" ? parseTicket(ticket) : ticket, options);
}

async function staticPrivateOf(engine: Engine, stateDir: string): Promise<Uint8Array> {
  const { createIdentity } = await import("../crypto/identity.ts");
  return createIdentity(engine, loadIdentitySeed(stateDir, systemRandom).seed).staticPrivate;
}

function cancelled(reason: unknown): RgtpError {
  return reason instanceof RgtpError
    ? reason
    : new RgtpError("CANCELLED", "the pull was cancelled; what is on disk is kept for a later one", {
      cause: reason,
    });
}
