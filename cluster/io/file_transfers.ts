import { formatAddress, parseAddress } from "../../codec/address.ts";
import type { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { rnpError } from "../protocol/errors.ts";
import { checksumOf, chunkCount, fileIdOf } from "../protocol/files.ts";
import type { MessageData, NodePlace } from "../protocol/message_data.ts";
import type { Message } from "../protocol/payload.ts";
import { isController } from "../protocol/roles.ts";
import { offerFile, takeFile } from "./exposures.ts";
import type { Offer } from "./exposures.ts";
import type { Reply } from "./handlers.ts";
import type { ClusterNode } from "./node.ts";
import { wrongContent } from "./shelf.ts";
import type { Arrival, Shelf } from "./shelf.ts";

/** A file on this machine's disk. */
export interface LocalFile {
  readonly path: string;
  readonly fileId: string;
  readonly size: number;
}

const PLACE = { channel: "files", pool: "data" } as const;
/** How long a peer has for a message about a file, and how slow a large one may come. */
const ANSWER_MS = 30_000;
const SLOWEST_BYTES_PER_SECOND = 1_048_576;
/** A file of which no part has come for so long is given up when there is need of its place. */
const STALE_MS = 60_000;

/**
 * Contents that go from node to node: small ones in messages, large ones as exposures, which one node makes once for all who pull. A
 * receiver believes nothing but the SHA-256.
 */
export class FileTransfers {
  readonly #node: ClusterNode;
  readonly #shelf: Shelf;
  readonly #host: string | undefined;
  /** By sender and content. */
  readonly #arrivals = new Map<string, Arrival>();
  readonly #pulls = new Map<string, Promise<void>>();
  readonly #offers = new Map<string, { readonly offer: Promise<Offer>; users: number }>();

  /** `host`: where others reach exposures of this node. */
  constructor(node: ClusterNode, shelf: Shelf, host: string | undefined) {
    this.#node = node;
    this.#shelf = shelf;
    this.#host = host;
    node.handle("fs.write", (data, message) => this.#take(data, message), { concurrent: true });
    node.handle("fs.replicate", (data, message) => this.#takePart(data, message));
    node.handle("fs.copy", (data, message) => this.#copy(data, message), { concurrent: true });
  }

  /** Brings a file to a node, and resolves when it is there, whole. @throws {RgtpError} */
  async send(to: NodePlace, file: LocalFile, name: string, copies: number): Promise<void> {
    const address = parseAddress(to.address);
    if (address) this.#node.know(to.node, address);
    if (file.size <= limits.fleetSmallFileBytesMax) return await this.#sendParts(to.node, file, name, copies);
    await this.#sendTicket(to.node, file, name, copies);
  }

  async #sendParts(
    to: string,
    { path, fileId, size }: LocalFile,
    name: string,
    copies: number,
  ): Promise<void> {
    const chunks = chunkCount(size);
    const about = { path: name, size, checksum: checksumOf(fileId), chunks, replication_factor: copies };
    const answer = await this.#node.request(to, "fs.write", about, { ...PLACE, timeoutMs: ANSWER_MS });
    if (answer.data.complete === true) return;
    using file = await Deno.open(path);
    const last = chunks - 1;
    for (let chunk_id = 0; chunk_id < chunks; chunk_id++) {
      const chunk_data = await readPart(file);
      const part = { file_id: fileId, chunk_id, chunk_data, checksum: await checksumOfBytes(chunk_data) };
      await this.#node.room(to);
      // The answer to the last one says whether all of it is right.
      if (chunk_id < last) this.#node.post(to, "fs.replicate", part, PLACE);
      else await this.#node.request(to, "fs.replicate", part, { ...PLACE, timeoutMs: ANSWER_MS });
    }
  }

  async #sendTicket(to: string, file: LocalFile, name: string, copies: number): Promise<void> {
    const { fileId, size } = file;
    const { ticket } = await this.#offer(file);
    try {
      const about = {
        path: name,
        size,
        checksum: checksumOf(fileId),
        chunks: 0,
        replication_factor: copies,
        ticket,
      };
      await this.#node.request(to, "fs.write", about, { ...PLACE, timeoutMs: transferMs(size) });
    } finally {
      await this.#withdraw(fileId);
    }
  }

  /** One exposure of a content serves all who pull it now. */
  async #offer({ path, fileId }: LocalFile): Promise<Offer> {
    let shared = this.#offers.get(fileId);
    if (!shared) {
      shared = { offer: offerFile(path, this.#host), users: 0 };
      this.#offers.set(fileId, shared);
      shared.offer.catch(() => this.#offers.delete(fileId));
    }
    shared.users++;
    return await shared.offer;
  }

  async #withdraw(fileId: string): Promise<void> {
    const shared = this.#offers.get(fileId);
    if (!shared || --shared.users > 0) return;
    this.#offers.delete(fileId);
    await (await shared.offer)[Symbol.asyncDispose]();
  }

  /** A file is announced. */
  async #take(data: MessageData["fs.write"], { sender }: Message): Promise<Reply> {
    const { checksum, size, chunks, ticket } = data;
    const file_id = fileIdOf(checksum);
    if (file_id === undefined) {
      throw refusal(`'${checksum}' is no checksum: sha256: and 64 hexadecimal digits`);
    }
    const complete = await this.#shelf.size(file_id) === size;
    if (complete) return stored(file_id, true);
    if (ticket !== undefined) {
      await this.#pull(file_id, size, ticket);
      return stored(file_id, true);
    }
    if (size > limits.fleetSmallFileBytesMax || chunks !== chunkCount(size)) {
      const most = limits.fleetSmallFileBytesMax;
      throw refusal(
        `${size} bytes in ${chunks} parts: more than ${most} come as an exposure, and less in parts of a MiB`,
      );
    }
    const arrival = await this.#shelf.begin(file_id, size);
    await this.#makeRoom(sender);
    await this.#forget(`${sender} ${file_id}`);
    // A file without bytes has no part that could be the last.
    if (size === 0) return stored(file_id, await arrival.write(new Uint8Array()));
    this.#arrivals.set(`${sender} ${file_id}`, arrival);
    return stored(file_id, false);
  }

  /** Two who send the same at once are one pull. */
  async #pull(fileId: string, size: number, ticket: string): Promise<void> {
    let running = this.#pulls.get(fileId);
    if (!running) {
      running = this.#pullNow(fileId, size, ticket).finally(() => this.#pulls.delete(fileId));
      this.#pulls.set(fileId, running);
    }
    await running;
  }

  async #pullNow(fileId: string, size: number, ticket: string): Promise<void> {
    const draft = this.#shelf.draft();
    try {
      const { bytes, sha256 } = await takeFile(ticket, draft);
      if (bytes !== size || sha256 !== fileId) throw wrongContent(fileId);
      await this.#shelf.adopt(draft, fileId);
    } finally {
      await Deno.remove(draft).catch(() => {});
    }
  }

  async #takePart(data: MessageData["fs.replicate"], { sender }: Message): Promise<Reply> {
    const { file_id, chunk_id, chunk_data, checksum } = data;
    const key = `${sender} ${file_id}`;
    const arrival = this.#arrivals.get(key);
    if (!arrival) {
      throw rnpError({
        code: "NOT_FOUND",
        message: `nobody has announced '${file_id}': begin with fs.write`,
      });
    }
    try {
      if (chunk_id !== arrival.next) {
        throw refusal(`part ${chunk_id} of '${file_id}', where ${arrival.next} comes next`);
      }
      const bytes = bytesOf(chunk_data);
      if (await checksumOfBytes(bytes) !== checksum) {
        throw refusal(`part ${chunk_id} of '${file_id}' is damaged`);
      }
      const complete = await arrival.write(bytes);
      if (complete) this.#arrivals.delete(key);
      return stored(file_id, complete);
    } catch (error) {
      await this.#forget(key);
      throw error;
    }
  }

  /** Somebody wants a content that is here, or a controller wants another node to have it. */
  async #copy({ file_id, to, address }: MessageData["fs.copy"], { sender }: Message): Promise<Reply> {
    if (to !== sender && !isController(sender)) {
      throw rnpError({ code: "UNAUTHORIZED", message: `'${sender}' may have files sent to itself alone` });
    }
    const size = await this.#shelf.size(file_id);
    if (size === undefined) {
      throw rnpError({ code: "NOT_FOUND", message: `'${this.#node.id}' does not keep '${file_id}'` });
    }
    const file = { path: this.#shelf.path(file_id), fileId: file_id, size };
    try {
      await this.send({ node: to, address: address ?? "" }, file, file_id, 1);
    } catch (error) {
      // Was it the content?
      await this.#shelf.verify(file_id);
      throw error;
    }
    return stored(file_id, true);
  }

  async #makeRoom(sender: string): Promise<void> {
    const own = Array.from(this.#arrivals).filter(([key]) => key.startsWith(`${sender} `));
    if (own.length < limits.fleetArrivalsMax) return;
    const [key, oldest] = own.reduce((a, b) => a[1].touchedAt <= b[1].touchedAt ? a : b);
    if (performance.now() - oldest.touchedAt < STALE_MS) {
      throw rnpError({
        code: "QUOTA_EXCEEDED",
        message: `'${sender}' is sending ${own.length} files already`,
      });
    }
    await this.#forget(key);
  }

  async #forget(key: string): Promise<void> {
    const arrival = this.#arrivals.get(key);
    this.#arrivals.delete(key);
    await arrival?.abandon();
  }
}

/** How long a content of a size may take from one node to another. */
export function transferMs(size: number): number {
  return Math.ceil(ANSWER_MS + 1000 * size / SLOWEST_BYTES_PER_SECOND);
}

/** Where others reach what a node exposes: where the node itself is, if it listens. */
export function exposureHost(node: ClusterNode): string | undefined {
  return node.address && parseAddress(formatAddress(node.address))?.host;
}

function stored(file_id: string, complete: boolean): Reply {
  return { type: "fs.stored", data: { file_id, complete } };
}

function refusal(message: string): RgtpError {
  return rnpError({ code: "PROTOCOL_ERROR", message });
}

function bytesOf(data: Uint8Array | string): Uint8Array {
  if (typeof data !== "string") return data;
  try {
    return Uint8Array.fromBase64(data);
  } catch {
    throw refusal("chunk_data is a text, and no base64");
  }
}

async function checksumOfBytes(bytes: Uint8Array): Promise<string> {
  return checksumOf(
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)).toHex(),
  );
}

/** The next part of a file: as many bytes as there are, up to the most. */
async function readPart(file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(limits.fleetFileChunkBytesMax);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}
