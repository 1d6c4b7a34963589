import type { Address } from "../codec/address.ts";
import { decodeManifest } from "../codec/manifest.ts";
import type { Manifest } from "../codec/manifest.ts";
import { formatTicket, parseTicket } from "../codec/ticket.ts";
import type { Ticket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import { systemRandom } from "../core/machine.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import { createIdentity } from "../crypto/identity.ts";
import { bindHostFor, reachableHosts, resolveAddresses } from "./addresses.ts";
import type { ContactChoice } from "./addresses.ts";
import { bindExposer } from "./bind.ts";
import type { BindOptions } from "./bind.ts";
import { EdgeUpstream, mayComeBack } from "./edge_upstream.ts";
import type { ExposureEvent, ServingStats } from "./expose.ts";
import { ExposerShell } from "./exposer_shell.ts";
import type { ExposerEvent } from "./exposer_shell.ts";
import { grantedEvent } from "./exposure_stats.ts";
import { accessPolicy } from "./exposure/access.ts";
import type { AccessOptions } from "./exposure/access.ts";
import { loadIdentitySeed } from "./exposure/identity_file.ts";
import { SealedCache } from "./exposure/sealed_cache.ts";
import { TicketBook } from "./exposure/ticket_book.ts";
import { chosen, openLink } from "./link/open_link.ts";
import { NO_KEY } from "./protocol/exposed.ts";
import type { Exposed } from "./protocol/exposed.ts";
import type { PullerOptions } from "./protocol/puller_types.ts";
import { factsOf, otherFacts, otherSources } from "./pull_sources.ts";
import type { PullFrom } from "./pull_sources.ts";
import { packetsOver } from "./packets_over.ts";

/** How an edge is made, and (`open`, `allow`, `access`) for whom. */
export interface EdgeOptions
  extends BindOptions, PullFrom, ContactChoice, Pick<AccessOptions, "open" | "allow" | "access"> {
  /** Hosts for the ticket; absent: this machine's addresses that others can reach. */
  readonly advertise?: readonly string[];
  /** Bytes of disk for sealed chunks; absent: 1 GiB. */
  readonly diskBytesMax?: number;
  /** A folder for the file that holds them; absent: the system's for temporary files. */
  readonly folder?: string;
  /** Where this node's identity lives, made there if need be: its tickets' key. Absent: a key made for this edge alone. */
  readonly stateDir?: string;
  /** Bytes a second for all pullers together. */
  readonly limitRate?: number;
  /** Without any answer of the upstream for this long it counts as lost; 30 s. The first contact has 10 s unless this is given. */
  readonly timeoutMs?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Told when a puller gets a grant, and when it has everything or falls silent. */
  readonly onEvent?: (event: ExposureEvent) => void;
  /** Told when the upstream is lost, and why; and with `undefined` when it is back. What is here is served meanwhile. */
  readonly onUpstream?: (reason: string | undefined) => void;
}

/** What an edge has done so far. */
export interface EdgeStats extends ServingStats {
  /** Bytes of chunks that came from the upstream, headers included. */
  readonly bytesPulled: number;
}

/** A cache of an exposure that it cannot read. */
export interface Edge extends AsyncDisposable {
  /** For `edges` of a pull, or the upstream of another edge: its address and key, and a secret of its own. It opens nothing. */
  readonly ticket: string;
  /** The exposure's ID, base64url. */
  readonly id: string;
  /** Plaintext bytes of the exposure. */
  readonly bytes: number;
  /** Where it listens. */
  readonly address: Address;
  /** Ends when it is closed; rejects when its socket dies, or when the upstream ends what it gave. */
  readonly closed: Promise<void>;
  /** What it has done so far. */
  stats(): EdgeStats;
  /** One more ticket, that can be revoked on its own. */
  newTicket(): string;
  /** Ends a ticket and the pulls under it; false when it is none of this edge's. */
  revokeTicket(ticket: string): boolean;
  /** Tells those who are pulling, and closes. What it held is gone. Twice is fine. */
  close(): Promise<void>;
}

const DISK_BYTES = 1024 ** 3;
const MEMORY_BYTES = 64 * 1024 ** 2;
const TIMEOUT_MS = 30_000;
const FIRST_CONTACT_MS = 10_000;
const COME_BACK_MS = 2000;

/**
 * Serves what a ticket names from a cache of sealed chunks: it asks its upstream for no key, takes none, and so can deny service, but
 * read nothing and forge nothing. Pullers get the key from the exposer, and name the edge beside it: `pull(ticket, { edges: [edge.ticket] })`.
 * An edge's ticket may be the upstream of another edge.
 *
 * @throws {RgtpError} INVALID_ARG; ACCESS_DENIED, AUTH_FAIL, TIMEOUT, WITHDRAWN, SOURCE_CHANGED, MERKLE_FAIL of the upstream;
 * ADDRESS_IN_USE, SOCKET, IO, NO_SPACE; CANCELLED
 *
 * @example
 * ```ts
 * import { edge, expose, pull } from "@red-giant/rgtp";
 *
 * const here = { host: "127.0.0.1", port: 0 };
 * await using exposure = await expose(new Uint8Array(200_000), here);
 * await using cache = await edge(exposure.ticket, here);
 * const bytes = await pull(exposure.ticket, { edges: [cache.ticket] }).bytes();
 * if (bytes.length !== 200_000) throw new Error("unexpected");
 * ```
 */
export async function edge(upstream: string | Ticket, options: EdgeOptions = {}): Promise<Edge> {
  const ticket = typeof upstream === "string" ? parseTicket(upstream) : upstream;
  const running = new RunningEdge(ticket, options);
  await running.start();
  return running;
}

class RunningEdge implements Edge {
  readonly closed: Promise<void>;
  readonly #upstreamTicket: Ticket;
  readonly #options: EdgeOptions;
  readonly #engine = defaultEngine();
  readonly #staticPrivate: Uint8Array;
  readonly #staticKey: Uint8Array;
  readonly #policy: ReturnType<typeof accessPolicy>;
  readonly #book: TicketBook;
  readonly #end = Promise.withResolvers<void>();
  readonly #ready = Promise.withResolvers<void>();
  #shell: ExposerShell | undefined;
  #upstream: EdgeUpstream | undefined;
  #cache: SealedCache | undefined;
  #exposed: Exposed | undefined;
  #pulledBefore = 0;
  readonly #pulls = { completed: 0, left: 0 };
  #isServing = false;
  #isLost = false;
  #closing: Promise<void> | undefined;
  #ticket = "";

  constructor(ticket: Ticket, options: EdgeOptions) {
    const { stateDir, open, allow, access } = options;
    this.#upstreamTicket = ticket;
    this.#options = options;
    otherSources(ticket, options);
    this.#policy = accessPolicy({
      ...(open !== undefined && { open }),
      ...(allow && { allow }),
      ...(access && { access }),
    });
    const seed = stateDir === undefined ? systemRandom(32) : loadIdentitySeed(stateDir, systemRandom).seed;
    const { staticPrivate, staticKey } = createIdentity(this.#engine, seed);
    this.#staticPrivate = staticPrivate;
    this.#staticKey = staticKey;
    this.#book = new TicketBook(this.#engine, systemRandom, Date.now);
    this.closed = this.#end.promise;
    // Whoever does not look at `closed` shall not be ended by it.
    this.closed.catch(() => {});
    this.#ready.promise.catch(() => {});
  }

  /** Ends when it can be served. */
  async start(): Promise<void> {
    const { signal, limitRate } = this.#options;
    const cancelled = new RgtpError("CANCELLED", "the edge was closed before it could serve anything");
    const cancel = () => void (this.#isServing ? this.close() : this.#fail(cancelled));
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const link = await bindExposer(this.#options);
      this.#shell = new ExposerShell(link, {
        engine: this.#engine,
        staticPrivate: this.#staticPrivate,
        random: systemRandom,
        ...(limitRate !== undefined && { limitRate }),
      }, (event) => this.#handleEvent(event));
      this.#shell.run().then(() => this.close(), (error) => this.#fail(error));
      this.#keepUpstream();
      await Promise.race([this.#ready.promise, this.closed]);
      this.#ticket = this.newTicket();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  get ticket(): string {
    return this.#ticket;
  }

  get id(): string {
    return this.#exposed!.id.toBase64({ alphabet: "base64url", omitPadding: true });
  }

  get bytes(): number {
    return this.#exposed!.manifest.totalSize;
  }

  get address(): Address {
    return this.#shell!.link.local;
  }

  stats(): EdgeStats {
    const shell = this.#shell!;
    return {
      ...shell.stats(),
      ...this.#pulls,
      bytesPulled: this.#pulledBefore + (this.#upstream?.machine.progress.wireBytes ?? 0),
      pullers: shell.machine.pullers(shell.now()),
    };
  }

  newTicket(): string {
    const { host, port } = this.address;
    const hosts = this.#options.advertise ?? reachableHosts(host);
    return formatTicket({
      addresses: hosts.map((one) => ({ host: one, port })),
      exposureId: this.#exposed!.id,
      exposerKey: this.#staticKey,
      ...(this.#policy.kind === "tickets" && { secret: this.#book.issue() }),
      name: this.#exposed!.name,
    });
  }

  revokeTicket(text: string): boolean {
    const { secret } = parseTicket(text);
    const id = secret && this.#book.revoke(secret);
    if (id) this.#shell!.revoke(id);
    return id !== undefined;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#upstream?.stop();
    await this.#shell?.close();
    this.#cache?.close();
    this.#end.resolve();
  }

  /** It cannot go on. */
  #fail(error: unknown): void {
    this.#end.reject(error);
    this.close();
  }

  /** One upstream after the other: what is here outlives them. */
  async #keepUpstream(): Promise<void> {
    while (!this.#closing) {
      try {
        await this.#runUpstream();
      } catch (error) {
        if (this.#closing) return;
        if (!this.#isServing || !mayComeBack(error)) return this.#fail(error);
        this.#isLost = true;
        this.#options.onUpstream?.(error instanceof Error ? error.message : String(error));
        await new Promise((resolve) => setTimeout(resolve, COME_BACK_MS));
      }
    }
  }

  async #runUpstream(): Promise<void> {
    const options = await this.#machineOptions();
    if (this.#closing) return;
    const addresses = [options.addresses, ...options.others!.map((other) => other.addresses)].flat();
    const host = bindHostFor(addresses);
    const link = await openLink({ host, port: 0, ...chosen(this.#options) });
    this.#pulledBefore += this.#upstream?.machine.progress.wireBytes ?? 0;
    this.#upstream = new EdgeUpstream(link, { ...options, ...packetsOver(link, addresses) }, {
      granted: ({ manifest, name }, facts) => this.#hold(manifest, facts, name),
      ready: () => this.#serve(),
      stored: () => this.#shell!.noteHoldings(),
    }, this.#isServing);
    if (this.#closing) this.#upstream.stop();
    await this.#upstream.run();
  }

  async #machineOptions(): Promise<Omit<PullerOptions, "burstPacketsMax">> {
    const ticket = this.#upstreamTicket;
    const { timeoutMs, stateDir, link, signal, mayContact } = this.#options;
    const resolving = {
      timeoutMs: timeoutMs ?? FIRST_CONTACT_MS,
      link,
      ...(signal && { signal }),
      ...(mayContact && { mayContact }),
    };
    const [addresses, others] = await Promise.all([
      resolveAddresses(ticket.addresses, resolving),
      otherFacts(this.#engine, otherSources(ticket, this.#options), resolving, () => {}),
    ]);
    return {
      engine: this.#engine,
      random: systemRandom,
      staticPrivate: stateDir === undefined ? systemRandom(32) : this.#staticPrivate,
      exposureId: ticket.exposureId,
      ...factsOf(this.#engine, ticket, addresses),
      others,
      timeoutMs: timeoutMs ?? TIMEOUT_MS,
      handshakeTimeoutMs: timeoutMs ?? FIRST_CONTACT_MS,
    };
  }

  #hold(manifestBytes: Uint8Array, manifest: Manifest, name: string): SealedCache {
    if (this.#isLost) this.#options.onUpstream?.(undefined);
    this.#isLost = false;
    if (this.#cache) return this.#cache;
    const { diskBytesMax = DISK_BYTES, folder } = this.#options;
    this.#cache = new SealedCache({
      facts: manifest,
      hash: this.#engine.sha256,
      diskBytesMax,
      memoryBytesMax: Math.min(MEMORY_BYTES, diskBytesMax),
      ...(folder !== undefined && { folder }),
    }, (chunk) => this.#upstream?.ask(chunk));
    this.#exposed = this.#exposedBy(this.#cache, manifestBytes, name);
    return this.#cache;
  }

  #exposedBy(cache: SealedCache, manifestBytes: Uint8Array, name: string): Exposed {
    const policy = this.#policy;
    return {
      id: this.#upstreamTicket.exposureId,
      manifestBytes,
      manifest: decodeManifest(manifestBytes),
      exposureKey: NO_KEY,
      leaves: cache.leaves,
      name,
      access: (ticketId, pullerKey) => policy.decide(this.#book, ticketId, pullerKey),
      isAccessPure: policy.kind !== "callback",
      stillGood: (ticketId) => policy.stillGood(this.#book, ticketId),
      holdings: cache,
    };
  }

  #serve(): void {
    this.#isServing = true;
    this.#shell!.add(this.#exposed!, this.#cache!);
    this.#ready.resolve();
  }

  #handleEvent(event: ExposerEvent): void {
    if (event.kind === "granted") {
      return this.#options.onEvent?.(grantedEvent(event));
    }
    const kind = event.done ? "completed" : "left";
    this.#pulls[kind]++;
    this.#options.onEvent?.({ kind, address: event.from, bytesSent: event.bytesSent });
  }
}
