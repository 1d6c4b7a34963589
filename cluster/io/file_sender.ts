import { formatAddress, parseAddress } from "../../codec/address.ts";
import { limits } from "../../core/limits.ts";
import { checksumOf, chunkCount } from "../protocol/files.ts";
import type { NodePlace } from "../protocol/message_data.ts";
import { offerFile } from "./exposures.ts";
import type { Offer } from "./exposures.ts";
import type { ClusterNode } from "./node.ts";

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

/** Brings contents to other nodes: small ones in messages, large ones as exposures, which are made once for all who pull. */
export class FileSender {
  readonly #node: ClusterNode;
  readonly #host: string | undefined;
  readonly #offers = new Map<string, { readonly offer: Promise<Offer>; users: number }>();

  /** `host`: where others reach exposures of this machine; all of its addresses when none is said. */
  constructor(node: ClusterNode, host: string | undefined) {
    this.#node = node;
    this.#host = host;
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
}

/** How long a content of a size may take from one node to another. */
export function transferMs(size: number): number {
  return Math.ceil(ANSWER_MS + 1000 * size / SLOWEST_BYTES_PER_SECOND);
}

/** Where others reach what a node exposes: where the node itself is, if it listens. */
export function exposureHost(node: ClusterNode): string | undefined {
  return node.address && parseAddress(formatAddress(node.address))?.host;
}

/** What a checksum is, of bytes that are there. */
export async function checksumOfBytes(bytes: Uint8Array): Promise<string> {
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
