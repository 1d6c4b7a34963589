import { dirname } from "node:path";
import { RgtpError } from "../../core/errors.ts";
import { freeBytes } from "./_disk.ts";
import { ioError } from "./_io_errors.ts";
import { makeNamelessFile } from "./_nameless_file.ts";
import type { NamelessFile } from "./_nameless_file.ts";
import { Turns } from "./_turns.ts";
import { checkBounds, shortened } from "./source.ts";
import type { ByteSource } from "./source.ts";

/** How a stream is spooled. */
export interface SpoolOptions {
  /** The folder for the spool file; absent: where the system keeps temporary files. */
  readonly folder?: string;
  /** Told about every 10 ms and at the end: bytes read so far. */
  readonly onRead?: (bytes: number) => void;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** Free space is looked at each time that so much more was written; and so much must stay free for others. */
const SPACE_STEP_BYTES = 16 * 1_048_576;

const WHAT = "the stream";

/**
 * Reads a stream to its end into a file that nobody else sees, and gives that as a source: what is exposed must have a size before its
 * key can be derived (docs/decisions/0014). Memory is that of one piece of the stream. The file ends with the source, or the process.
 *
 * @throws {RgtpError} NO_SPACE before the disk is full, where the free space can be seen; IO when the stream fails, or the file; CANCELLED
 * @throws {TypeError} when something reads the stream already, or it gives anything but bytes
 */
export async function spoolStream(
  stream: ReadableStream<Uint8Array>,
  options: SpoolOptions = {},
): Promise<ByteSource> {
  const { signal } = options;
  const reader = stream.getReader();
  const stop = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", stop);
  let spool: NamelessFile | undefined;
  try {
    spool = makeNamelessFile("spool", options.folder);
    return new SpooledSource(spool, await fill(spool, reader, options));
  } catch (error) {
    spool?.close();
    stop();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    reader.releaseLock();
  }
}

/** Answers with how many bytes there were. */
async function fill(
  { file, path }: NamelessFile,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { onRead, signal }: SpoolOptions,
): Promise<number> {
  const turns = new Turns();
  let size = 0;
  let checked = 0;
  while (!signal?.aborted) {
    const { done, value } = await next(reader);
    if (signal?.aborted) break;
    if (done) {
      onRead?.(size);
      return size;
    }
    if (!(value instanceof Uint8Array)) {
      throw new TypeError("a stream to expose gives Uint8Arrays and nothing else");
    }
    if (size + value.length > checked) {
      const free = freeBytes(path);
      if (free !== undefined && free < value.length + 2 * SPACE_STEP_BYTES) throw noSpace(path, size, free);
      checked = size + value.length + SPACE_STEP_BYTES;
    }
    try {
      file.writeAt(size, value);
    } catch (cause) {
      const error = ioError(cause, "write the spool file on the disk of", path, "write");
      throw error.condition === "NO_SPACE" ? noSpace(path, size, 0, cause) : error;
    }
    size += value.length;
    if (!turns.isOver()) continue;
    onRead?.(size);
    // A stream that always has something at hand would let nothing else happen.
    await turns.yield();
  }
  throw new RgtpError("CANCELLED", `the reading of ${WHAT} was cancelled`, { cause: signal.reason });
}

async function next(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (cause) {
    if (cause instanceof RgtpError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RgtpError("IO", `cannot read ${WHAT} to its end: ${why}; nothing of it is exposed`, { cause });
  }
}

function noSpace(path: string, read: number, free: number, cause?: unknown): RgtpError {
  const folder = dirname(path);
  return new RgtpError(
    "NO_SPACE",
    `the disk of '${folder}' has too little room for ${WHAT}, which is kept there while it is served (${read} bytes were read, ` +
      `${free} are free); free some space, or name a spool folder on another disk. Nothing of it is exposed`,
    { cause, data: { path: folder, read, free } },
  );
}

/** No fingerprint: no later run finds it again. Nobody else can change it. */
class SpooledSource implements ByteSource {
  readonly size: number;
  readonly #spool: NamelessFile;

  constructor(spool: NamelessFile, size: number) {
    this.#spool = spool;
    this.size = size;
  }

  read(offset: number, into: Uint8Array): void {
    checkBounds(this.size, offset, into.length);
    const { file, path } = this.#spool;
    let count: number;
    try {
      count = file.readAt(offset, into);
    } catch (cause) {
      throw ioError(cause, "read", path, "read");
    }
    if (count < into.length) throw shortened(path, offset + count);
  }

  unchanged(): boolean {
    return true;
  }

  close(): void {
    this.#spool.close();
  }
}
