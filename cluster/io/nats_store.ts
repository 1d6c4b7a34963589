import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV, KvEntry } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import { decodePacked, encodePacked } from "../../codec/msgpack_map.ts";
import type { PackedMap } from "../../codec/msgpack_map.ts";
import { RgtpError } from "../../core/errors.ts";
import { rnpError } from "../protocol/errors.ts";
import { storeBounds } from "./_store_bounds.ts";
import type { Store, StoreEntry } from "./store.ts";

/** Where a NATS cluster is, and what of it is ours. */
export interface NatsOptions {
  /** `nats://HOST:PORT`, or `tls://`; with `USER:PASSWORD@` or `TOKEN@` before the host where it asks for that. */
  readonly servers: readonly string[];
  /** The bucket, made if it is not there; `rnp` when nothing is said. */
  readonly bucket?: string;
  /** Servers that keep it: 1, 3 or 5; 1 when nothing is said. */
  readonly replicas?: number;
}

const CONNECT_MS = 5000;
/** JetStream's code for "somebody else was faster". */
const WRONG_LAST_SEQUENCE = 10_071;

/**
 * What controllers know, in a bucket of a NATS cluster (JetStream KV): each of them sees what the others do.
 *
 * @throws {RgtpError} TIMEOUT when nobody answers, INVALID_ARG for an address that is none, IO for what JetStream refuses
 */
export async function openNatsStore({ servers, bucket = "rnp", replicas = 1 }: NatsOptions): Promise<Store> {
  const { user, pass, token, hosts, tls } = placesOf(servers);
  const failed = (cause: unknown): never => {
    const message = `NATS at ${hosts.join(", ")}: ${(cause as Error).message}`;
    throw rnpError(
      { code: "TIMEOUT", message: `${message}; is nats-server running, with JetStream (-js)?` },
      cause,
    );
  };
  const connection = await connect({
    servers: hosts,
    timeout: CONNECT_MS,
    maxReconnectAttempts: -1,
    ignoreClusterUpdates: false,
    ...(user !== undefined && { user, pass }),
    ...(token !== undefined && { token }),
    ...(tls && { tls: {} }),
  }).catch(failed);
  // Read from the leader: a copy may not know yet what this controller has just written.
  const bucketOptions = { replicas, history: 1, allow_direct: false };
  const kv = await new Kvm(connection).create(bucket, bucketOptions).catch(async (cause) => {
    await connection.close();
    return failed(cause);
  });
  const manager = await jetstreamManager(connection);
  const prefix = `$KV.${bucket}.`;
  // Iterators over a bucket (`keys`, `history`) count what is still to come, and wait for ever when a row is replaced meanwhile.
  const keysUnder: KeysUnder = async (token) => {
    const { state } = await manager.streams.info(`KV_${bucket}`, { subjects_filter: `${prefix}${token}.>` });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length)).sort();
  };
  return storeIn(kv, keysUnder, () => connection.close());
}

/** Keys that were ever used under a token, in order. */
type KeysUnder = (token: string) => Promise<string[]>;

function storeIn(kv: KV, keysUnder: KeysUnder, close: () => Promise<void>): Store {
  return {
    get: (key) =>
      guarded(async () => {
        const entry = await kv.get(key);
        return entry?.operation === "PUT" ? entryOf(entry) : undefined;
      }),
    list: (token) =>
      guarded(async () => {
        const entries = await Promise.all((await keysUnder(token)).map((key) => kv.get(key)));
        return entries.filter((entry) => entry?.operation === "PUT").map((entry) => entryOf(entry!));
      }),
    replace: (key, value, revision) =>
      guarded(async () => {
        try {
          if (value === undefined) await kv.delete(key, { previousSeq: revision });
          else if (revision === 0) await kv.create(key, encodePacked(value));
          else await kv.update(key, encodePacked(value), revision);
          return true;
        } catch (error) {
          if (isTooLate(error)) return false;
          throw error;
        }
      }),
    [Symbol.asyncDispose]: close,
  };
}

function entryOf({ key, value, revision }: KvEntry): StoreEntry {
  const packed = decodePacked(value, storeBounds);
  if (packed === undefined) throw new RgtpError("IO", `the entry '${key}' of the bucket is damaged`);
  return { key, value: packed as PackedMap, revision };
}

function isTooLate(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === WRONG_LAST_SEQUENCE;
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RgtpError) throw cause;
    throw rnpError(
      { code: "TIMEOUT", message: `the controllers' store fails: ${(cause as Error).message}` },
      cause,
    );
  }
}

interface Places {
  readonly hosts: string[];
  readonly tls: boolean;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
}

function placesOf(servers: readonly string[]): Places {
  const urls = servers.map((server) => {
    const url = URL.parse(server);
    if (url && /^(nats|tls):$/.test(url.protocol) && url.hostname !== "") return url;
    throw new RgtpError(
      "INVALID_ARG",
      `'${redacted(server)}' is no address of NATS: say it like nats://HOST:4222`,
    );
  });
  if (urls.length === 0) {
    throw new RgtpError("INVALID_ARG", "no address of NATS: say it like nats://HOST:4222");
  }
  const [{ username, password }] = urls;
  const [name, secret] = [decodeURIComponent(username), decodeURIComponent(password)];
  return {
    hosts: urls.map(({ hostname, port }) => `${hostname}:${port || 4222}`),
    tls: urls.some(({ protocol }) => protocol === "tls:"),
    ...(name !== "" && secret !== "" && { user: name, pass: secret }),
    ...(name !== "" && secret === "" && { token: name }),
  };
}

/** Without what may be a password. */
function redacted(server: string): string {
  return server.replace(/[^/]*@/, "…@");
}
