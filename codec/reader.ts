/**
 * Reads a record of variable size from front to back. A read past the end gives zeros and sets {@linkcode failed}, so a
 * decoder reads all its fields first and checks once.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  #failed: boolean;

  /** Starts at `at`; past the end, every read fails. */
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
    this.#failed = at > bytes.length;
  }

  /** Whether something was read past the end. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** 0 to 255. */
  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#view.getUint8(at);
  }

  /** Big-endian, 16 bits. */
  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#view.getUint16(at);
  }

  /** Big-endian, 32 bits. */
  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at);
  }

  /** Big-endian, 64 bits, at most 2^53. */
  u64(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : Math.min(this.#view.getUint32(at) * 2 ** 32 + this.#view.getUint32(at + 4), 2 ** 53);
  }

  /** A view of the next `length` bytes; empty when they are not all there. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? new Uint8Array(0) : this.#bytes.subarray(at, at + length);
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  #take(length: number): number {
    if (this.#failed || length > this.remaining) {
      this.#failed = true;
      return -1;
    }
    this.#at += length;
    return this.#at - length;
  }
}
