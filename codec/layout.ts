/** How one field of fixed size stands in a packet. All integers are big-endian. */
export interface Field<T> {
  /** Size on the wire. */
  readonly size: number;
  /** Name of the type in layout tables. */
  readonly type: string;
  /** Reads the field that starts at `at`; the caller has checked that it is there. */
  read(view: DataView, at: number): T;
  /** Writes `value` at `at`. @throws {RangeError} when it does not fit the field */
  write(view: DataView, at: number, value: T): void;
}

/** A record of fixed size: its fields in wire order, and both directions. */
export interface Layout<T> {
  /** Bytes of the whole record. */
  readonly size: number;
  /** Name, offset, size and type of each field, for tables. */
  readonly fields: readonly { name: string; offset: number; size: number; type: string }[];
  /** Reads the record at `at`; `undefined` when `bytes` ends before it does. */
  read(bytes: Uint8Array, at?: number): T | undefined;
  /** Writes the record at `at`. @throws {RangeError} when a value does not fit its field, or the record `bytes` */
  write(bytes: Uint8Array, at: number, value: T): void;
}

function unsigned(
  bits: number,
  get: (view: DataView, at: number) => number,
  set: (view: DataView, at: number, value: number) => void,
): Field<number> {
  const limit = 2 ** bits;
  return {
    size: bits / 8,
    type: `u${bits}`,
    read: get,
    write(view, at, value) {
      if (!Number.isSafeInteger(value) || value < 0 || value >= limit) {
        throw new RangeError(`not an unsigned integer of ${bits} bits: ${value}`);
      }
      set(view, at, value);
    },
  };
}

/** 0 to 255. */
export const u8: Field<number> = unsigned(8, (v, at) => v.getUint8(at), (v, at, x) => v.setUint8(at, x));
/** 0 to 65,535. */
export const u16: Field<number> = unsigned(16, (v, at) => v.getUint16(at), (v, at, x) => v.setUint16(at, x));
/** 0 to 2^32 - 1. */
export const u32: Field<number> = unsigned(32, (v, at) => v.getUint32(at), (v, at, x) => v.setUint32(at, x));
/** 64 bits on the wire; only values to 2^53 - 1 are written, and larger ones read as 2^53 (no legal size reaches it). */
export const u64: Field<number> = unsigned(
  64,
  (v, at) => Math.min(v.getUint32(at) * 2 ** 32 + v.getUint32(at + 4), 2 ** 53),
  (v, at, x) => {
    v.setUint32(at, Math.floor(x / 2 ** 32));
    v.setUint32(at + 4, x >>> 0);
  },
);

/** `size` bytes as they are; reading copies them. */
export function bytes(size: number): Field<Uint8Array> {
  return {
    size,
    type: `${size} bytes`,
    read: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
    write(view, at, value) {
      if (value.length !== size) throw new RangeError(`${value.length} bytes for a field of ${size}`);
      new Uint8Array(view.buffer, view.byteOffset + at, size).set(value);
    },
  };
}

/** A record from its fields, in wire order. */
export function layout<T extends object>(fields: { readonly [K in keyof T]: Field<T[K]> }): Layout<T> {
  const places: { name: keyof T & string; offset: number; field: Field<T[keyof T]> }[] = [];
  let size = 0;
  for (const name in fields) {
    places.push({ name, offset: size, field: fields[name] as Field<T[keyof T]> });
    size += fields[name].size;
  }
  return {
    size,
    fields: places.map(({ name, offset, field }) => ({ name, offset, size: field.size, type: field.type })),
    read(bytes, at = 0) {
      if (bytes.length - at < size) return undefined;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      // No entries, no arrays: requests are read thousands of times a second.
      const record: Record<string, unknown> = {};
      for (const { name, offset, field } of places) record[name] = field.read(view, at + offset);
      return record as T;
    },
    write(bytes, at, value) {
      // A field of bytes knows the buffer alone: at the end of a subarray it would write over what comes next.
      if (bytes.length - at < size) throw new RangeError(`a record of ${size} bytes does not fit`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (const { name, offset, field } of places) field.write(view, at + offset, value[name]);
    },
  };
}
