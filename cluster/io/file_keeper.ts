import { limits } from "../../core/limits.ts";
import type { RgtpError } from "../../core/errors.ts";
import { rnpError } from "../protocol/errors.ts";
import { chunkCount, fileIdOf } from "../protocol/files.ts";
import type { MessageData } from "../protocol/message_data.ts";
import type { Message } from "../protocol/payload.ts";
import { isController } from "../protocol/roles.ts";
import { takeFile } from "./exposures.ts";
import { checksumOfBytes } from "./file_sender.ts";
import type { FileSender } from "./file_sender.ts";
import type { Reply } from "./handlers.ts";
import type { ClusterNode } from "./node.ts";
import { wrongContent } from "./shelf.ts";
import type { Arrival, Shelf } from "./shelf.ts";

/** A file of which no part has come for so long is given up when there is need of its place. */
const STALE_MS = 60_000;

/** Takes contents from other nodes onto a shelf, and has them sent from there. It believes nothing but the SHA-256. */
export class FileKeeper {
  readonly #node: ClusterNode;
  readonly #shelf: Shelf;
  readonly #sender: FileSender;
  /** By sender and content. */
  readonly #arrivals = new Map<string, Arrival>();
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(node: ClusterNode, shelf: Shelf, sender: FileSender) {
    this.#node = node;
    this.#shelf = shelf;
    this.#sender = sender;
    node.handle("fs.write", (data, message) => this.#take(data, message), { concurrent: true });
    node.handle("fs.replicate", (data, message) => this.#takePart(data, message));
    node.handle("fs.copy", (data, message) => this.#copy(data, message), { concurrent: true });
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
      await this.#sender.send({ node: to, address: address ?? "" }, file, file_id, 1);
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
