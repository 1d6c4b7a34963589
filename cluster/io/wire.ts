import type { TLSSocket } from "node:tls";
import { limits } from "../../core/limits.ts";
import { Fifo } from "../protocol/_fifo.ts";
import type { SecureConnection } from "./tls.ts";

/** What a connection tells. */
export interface WireEvents {
  /** Bytes have arrived. */
  onBytes(bytes: Uint8Array): void;
  /** So many bytes are on their way: more can be written. */
  onWritten(bytes: number): void;
  /** It has ended, and tells nothing more. */
  onClosed(): void;
}

/** What is written at once. The runtime encrypts so much in one step, and copies what a longer write has beyond that for each of them. */
const PIECE_BYTES = 49_152;
/** Bytes of messages that an application works on at once before nothing more is read. */
const UNHANDLED_BYTES_MAX = 1_048_576;
/** From the end of writing to the end of the connection. */
const LINGER_MS = 2000;

/**
 * A connection to a peer. Frames go out in pieces of one size, one after the other: small ones together, large ones without a copy. It is
 * read as long as the application keeps up, and does not outlive the certificate that it stands on.
 */
export class Wire {
  readonly #socket: TLSSocket;
  readonly #events: WireEvents;
  readonly #frames = new Fifo<Uint8Array>();
  /** Bytes of the first frame that are gone. */
  #at = 0;
  /** Bytes of frames that are not gone. */
  #waiting = 0;
  /** Bytes that the runtime is writing. */
  #writing = 0;
  /** Bytes of messages that the application works on. */
  #unhandled = 0;
  #isEnding = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to read. */
  constructor({ socket, expires }: SecureConnection, events: WireEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#expire(expires);
    socket.setNoDelay(true);
    socket.on("data", (bytes: Uint8Array) => {
      events.onBytes(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    });
    socket.on("end", () => socket.end());
    socket.once("close", () => {
      clearTimeout(this.#timer);
      events.onClosed();
    });
  }

  /** Adds a frame, or a part of one. What fills no piece waits for {@linkcode Wire.flush}. */
  write(bytes: Uint8Array): void {
    this.#frames.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= PIECE_BYTES) this.flush();
  }

  /** Writes the next piece, unless one is being written. */
  flush(): void {
    if (this.#writing > 0 || this.#socket.destroyed) return;
    if (this.#waiting > 0) {
      const piece = this.#take(Math.min(PIECE_BYTES, this.#waiting));
      this.#writing = piece.length;
      this.#socket.write(piece, this.#onWritten);
    } else if (this.#isEnding) this.#socket.end();
  }

  /** The application has got a message of so many bytes. */
  delivered(bytes: number): void {
    this.#unhandled += bytes;
    if (this.#unhandled >= UNHANDLED_BYTES_MAX) this.#socket.pause();
  }

  /** The application has finished with a message of so many bytes. */
  handled(bytes: number): void {
    this.#unhandled -= bytes;
    if (this.#unhandled < limits.rnpWindowBytesMin && this.#socket.isPaused()) this.#socket.resume();
  }

  /** Ends the connection when all is written. Twice is fine. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.flush();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  /** Ends the connection at once. */
  destroy(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  readonly #onWritten = () => {
    const bytes = this.#writing;
    this.#writing = 0;
    // First, so that the peer has work while the next frames come.
    this.flush();
    this.#events.onWritten(bytes);
  };

  #take(length: number): Uint8Array {
    const first = this.#frames.first!;
    if (first.length - this.#at >= length) return this.#slice(first, length);
    const piece = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const frame = this.#frames.first!;
      const part = this.#slice(frame, Math.min(frame.length - this.#at, length - filled));
      piece.set(part, filled);
      filled += part.length;
    }
    return piece;
  }

  /** The next bytes of the first frame, which goes when none are left. */
  #slice(frame: Uint8Array, length: number): Uint8Array {
    const from = this.#at;
    this.#at += length;
    this.#waiting -= length;
    if (this.#at === frame.length) {
      this.#frames.shift();
      this.#at = 0;
    }
    return length === frame.length ? frame : frame.subarray(from, from + length);
  }

  #expire(at: number): void {
    const left = at - Date.now();
    // Timers take at most 2^31 - 1 ms.
    this.#timer = left <= 0
      ? void this.#socket.destroy()
      : setTimeout(() => this.#expire(at), Math.min(left, 2 ** 31 - 1));
  }
}
