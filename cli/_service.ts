import { dirname } from "node:path";
import { RgtpError } from "../core/errors.ts";
import { defaultEngine } from "../crypto/default_engine.ts";
import type { Exposure } from "../transport/expose.ts";
import { openExposer } from "../transport/exposer.ts";
import type { Exposer } from "../transport/exposer.ts";
import { openSource } from "../transport/exposure/open_source.ts";
import { DEFAULT_PROFILE, profiles } from "../transport/exposure/profiles.ts";
import type { Io } from "./_io.ts";
import { readPassphrase } from "./_passphrase.ts";
import { demand, linksFollowed, toNet, toRead, toWrite } from "./_permissions.ts";
import type { Looked } from "./_stats_view.ts";
import type { ExposureConfig, PortConfig, ServiceConfig } from "./_service_config.ts";

/** What has been looked at, and can be exposed. */
interface Prepared extends ExposureConfig {
  readonly passphrase: string | undefined;
  /** Changes with the configuration, the passphrase and the content. */
  readonly state: string;
}

/** A configuration in which everything is there. */
export interface PreparedService extends ServiceConfig {
  readonly stateDir: string;
  readonly ports: readonly (Omit<PortConfig, "exposures"> & { readonly exposures: readonly Prepared[] })[];
}

/** What became of a configuration. */
export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Served on as before. */
  readonly kept: number;
  /** What could not be served, and why. */
  readonly failed: readonly { readonly name: string; readonly error: unknown }[];
}

/** Who is told what a service does. */
export interface ServiceView {
  /** An exposure is served. */
  ready(name: string, exposure: Exposure, ticketFile: string | undefined): void;
  /** Something is not as it should be, but stops nothing. */
  warning(text: string): void;
}

/**
 * Looks whether all is there that a configuration names, and may be used. Nothing is changed.
 *
 * @throws {RgtpError} with the place in the configuration: NOT_FOUND, IO, NOT_SUPPORTED, INVALID_ARG, SOCKET for the network's permission
 */
export async function prepare(
  config: ServiceConfig,
  stateDir: string,
  io: Io,
): Promise<PreparedService> {
  demand([toNet(), toRead(stateDir), toWrite(stateDir)]);
  const ports = [];
  for (const port of config.ports) {
    const exposures = [];
    for (const exposure of port.exposures) exposures.push(await prepareOne(exposure, io));
    ports.push({ ...port, options: { ...port.options, stateDir }, exposures });
  }
  return { ...config, stateDir, ports };
}

async function prepareOne(exposure: ExposureConfig, io: Io): Promise<Prepared> {
  const { paths, options, passwordFile, ticketFile, where } = exposure;
  const { spill, profile = DEFAULT_PROFILE } = options;
  try {
    demand(paths.map(toRead));
    demand([
      ...paths.map((path) => toRead(linksFollowed(path))),
      ...(spill === undefined ? [] : [toRead(spill), toWrite(spill)]),
      ...(ticketFile === undefined ? [] : [toWrite(dirname(ticketFile))]),
    ]);
    const passphrase = await readPassphrase(passwordFile, io);
    const source = await openSource(paths, {
      chunkSize: profiles[profile],
      hash: defaultEngine().sha256,
    });
    source.close();
    const { where: _, ...lasting } = exposure;
    const state = JSON.stringify([lasting, passphrase, source.fingerprint]);
    return { ...exposure, passphrase, state };
  } catch (error) {
    if (!(error instanceof RgtpError)) throw error;
    throw new RgtpError(error.condition, `${where}: ${error.message}`, { data: error.data, cause: error });
  }
}

interface Port {
  readonly exposer: Exposer;
  /** Its options; another text is another port. */
  readonly state: string;
  readonly exposures: Map<string, { readonly exposure: Exposure; readonly state: string }>;
}

/** Several exposures on several ports, as a configuration has them, and as the next one will. */
export class Service {
  /** Rejects when a socket dies. */
  readonly failed: Promise<never>;
  readonly #fail = Promise.withResolvers<never>();
  readonly #view: ServiceView;
  readonly #ports = new Map<string, Port>();
  readonly #signal: AbortSignal;

  /** Nothing is served yet; the signal ends what is being sealed. */
  constructor(view: ServiceView, signal: AbortSignal) {
    this.#view = view;
    this.#signal = signal;
    this.failed = this.#fail.promise;
    this.failed.catch(() => {});
  }

  /** How many exposures there are. */
  get count(): number {
    return Array.from(this.#ports.values(), ({ exposures }) => exposures.size).reduce((a, b) => a + b, 0);
  }

  /** Becomes what a configuration says. What is the same in it as before is not touched; what goes, goes before what comes. */
  async apply({ ports }: PreparedService): Promise<Changes> {
    const removed = await this.#remove(ports);
    const added: string[] = [];
    const failed: { name: string; error: unknown }[] = [];
    const kept = this.count;
    for (const config of ports) {
      for (const exposure of config.exposures) {
        if (this.#signal.aborted) break;
        if (this.#ports.get(config.key)?.exposures.has(exposure.name)) continue;
        try {
          await this.#add(config, exposure);
          added.push(exposure.name);
        } catch (error) {
          failed.push({ name: exposure.name, error });
        }
      }
    }
    return { added, removed, kept, failed };
  }

  /** Waits, at most so long, until nobody pulls, and lets nobody in meanwhile. Answers with how many still pull. */
  async drain(ms: number): Promise<number> {
    const left = await Promise.all(Array.from(this.#ports.values(), ({ exposer }) => exposer.drain(ms)));
    return left.reduce((a, b) => a + b, 0);
  }

  /** What each port has done so far, and the names of what it serves, by their IDs. */
  look(): Looked[] {
    return Array.from(this.#ports.values(), ({ exposer, exposures }) => {
      const names = Array.from(
        exposures,
        ([name, { exposure }]) =>
          [Uint8Array.fromBase64(exposure.id, { alphabet: "base64url" }).toHex(), name] as const,
      );
      return { names: new Map(names), stats: exposer.stats() };
    });
  }

  /** Ends all, and tells those who are pulling. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#ports.values(), ({ exposer }) => exposer.close()));
    this.#ports.clear();
  }

  async #remove(wanted: PreparedService["ports"]): Promise<string[]> {
    const removed: string[] = [];
    for (const [key, port] of [...this.#ports]) {
      const config = wanted.find((one) => one.key === key);
      const isSame = config && JSON.stringify(config.options) === port.state;
      for (const [name, { exposure, state }] of [...port.exposures]) {
        if (isSame && config.exposures.some((one) => one.name === name && one.state === state)) continue;
        removed.push(name);
        port.exposures.delete(name);
        await exposure.close();
      }
      if (isSame) continue;
      this.#ports.delete(key);
      await port.exposer.close();
    }
    return removed;
  }

  async #add({ key, options }: PreparedService["ports"][number], wanted: Prepared): Promise<void> {
    const { name, paths, passphrase, ticketFile, state } = wanted;
    let port = this.#ports.get(key);
    if (!port) {
      const onWarning = (text: string) => this.#view.warning(text);
      const exposer = await openExposer({ ...options, onWarning });
      exposer.closed.catch(this.#fail.reject);
      port = { exposer, state: JSON.stringify(options), exposures: new Map() };
      this.#ports.set(key, port);
    }
    // The signal shall not close what serves: that is drained first.
    const sealing = new AbortController();
    const stop = () => sealing.abort();
    this.#signal.addEventListener("abort", stop);
    try {
      const exposure = await port.exposer.expose(paths, {
        ...wanted.options,
        ...(passphrase !== undefined && { passphrase }),
        signal: sealing.signal,
      });
      port.exposures.set(name, { exposure, state });
      if (ticketFile !== undefined) writeSecret(ticketFile, `${exposure.ticket}\n`);
      this.#view.ready(name, exposure, ticketFile);
    } finally {
      this.#signal.removeEventListener("abort", stop);
    }
  }
}

/** A file that only this user can read, whole at any moment. */
function writeSecret(path: string, text: string): void {
  const fresh = `${path}.new`;
  try {
    // What is left of a process that was killed may be readable by others.
    Deno.removeSync(fresh);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    Deno.writeTextFileSync(fresh, text, { mode: 0o600, createNew: true });
    Deno.renameSync(fresh, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RgtpError("IO", `cannot write the ticket to '${path}': ${why}`, { cause });
  }
}
