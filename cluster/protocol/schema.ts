import type { PackedMap, PackedValue } from "../../codec/msgpack_map.ts";

/** What a value in a message must be. */
export interface Schema<T extends PackedValue | undefined> {
  /** In words, for documentation and for messages: "text", "list of text". */
  readonly type: string;
  /** Whether it may be missing. */
  readonly optional: boolean;
  /** Fields of a record, or of the records in a list. */
  readonly fields?: Readonly<Record<string, Schema<PackedValue | undefined>>>;
  /** What is wrong with a value: a path and what it is not. `undefined` when nothing is. */
  fault(value: PackedValue | undefined): string | undefined;
  /** Never there: carries the type. */
  readonly _value?: T;
}

/** What a schema lets pass. */
export type ValueOf<S> = S extends Schema<infer T> ? T : never;

/** Those of a map's fields that may be missing. */
export type OptionalKeys<F> = { [K in keyof F]: undefined extends ValueOf<F[K]> ? K : never }[keyof F];

/** A map's fields as an object; fields that it does not know are there too. */
export type FieldsOf<F> =
  & { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]> }
  & { readonly [K in OptionalKeys<F>]?: ValueOf<F[K]> }
  & PackedMap;

function plain<T extends PackedValue>(type: string, is: (value: unknown) => boolean): Schema<T> {
  return {
    type,
    optional: false,
    fault: (value) => is(value) ? undefined : value === undefined ? " is missing" : ` is not: ${type}`,
  };
}

/** A schema as documentation writes it: `{ reason: text, transfer_to?: text }`. */
export function describe({ type, fields }: Schema<PackedValue | undefined>): string {
  if (!fields) return type;
  const parts = Object.entries(fields).map(([name, field]) =>
    `${name}${field.optional ? "?" : ""}: ${describe(field)}`
  );
  return type.replace("record", parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`);
}

/** Any text. */
export const text: Schema<string> = plain("text", (value) => typeof value === "string");
/** A whole number, from -(2^53 - 1) to 2^53 - 1. */
export const integer: Schema<number> = plain("integer", Number.isSafeInteger);
/** A whole number that is not negative. */
export const count: Schema<number> = plain(
  "count",
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
);
/** A finite number. */
export const number: Schema<number> = plain("number", Number.isFinite);
/** True or false. */
export const boolean: Schema<boolean> = plain("boolean", (value) => typeof value === "boolean");
/** A byte string. */
export const bytes: Schema<Uint8Array> = plain("bytes", (value) => value instanceof Uint8Array);
/** A byte string, or a text that stands for one. */
export const bytesOrText: Schema<Uint8Array | string> = plain(
  "bytes or base64",
  (value) => value instanceof Uint8Array || typeof value === "string",
);
/** A map of anything. */
export const anyMap: Schema<PackedMap> = plain("map", isMap);
/** Anything at all, but there. */
export const anything: Schema<PackedValue> = plain("anything", (value) => value !== undefined);

/** May be missing. */
export function optional<T extends PackedValue>(inner: Schema<T>): Schema<T | undefined> {
  return {
    ...inner,
    optional: true,
    fault: (value) => value === undefined ? undefined : inner.fault(value),
  } as Schema<T | undefined>;
}

/** One of some texts. */
export function oneOf<const T extends string>(...texts: readonly T[]): Schema<T> {
  return plain(texts.map((one) => `"${one}"`).join(" or "), (value) => texts.includes(value as T));
}

/** A list whose values are all alike. */
export function listOf<T extends PackedValue>(inner: Schema<T>): Schema<readonly T[]> {
  return {
    type: `list of ${inner.type}`,
    optional: false,
    ...(inner.fields && { fields: inner.fields }),
    fault(value) {
      if (!Array.isArray(value)) {
        return value === undefined ? " is missing" : ` is not: list of ${inner.type}`;
      }
      for (let i = 0; i < value.length; i++) {
        const fault = inner.fault(value[i]);
        if (fault !== undefined) return `[${i}]${fault}`;
      }
      return undefined;
    },
  };
}

/** A map with any keys, whose values are all alike. */
export function mapOf<T extends PackedValue>(inner: Schema<T>): Schema<{ readonly [key: string]: T }> {
  return {
    type: `map of ${inner.type}`,
    optional: false,
    fault(value) {
      if (!isMap(value)) return value === undefined ? " is missing" : ` is not: map of ${inner.type}`;
      for (const key of Object.keys(value)) {
        const fault = inner.fault(value[key]);
        if (fault !== undefined) return `.${key}${fault}`;
      }
      return undefined;
    },
  };
}

/** A map with these fields. Others are kept as they are: whoever sent them may know more than this version. */
export function record<const F extends Readonly<Record<string, Schema<PackedValue | undefined>>>>(
  fields: F,
): Schema<FieldsOf<F>> {
  const names = Object.keys(fields);
  return {
    type: "record",
    optional: false,
    fields,
    fault(value) {
      if (!isMap(value)) return value === undefined ? " is missing" : " is not: map";
      // The hot path: no entries, no arrays.
      for (let i = 0; i < names.length; i++) {
        const fault = fields[names[i]].fault(value[names[i]]);
        if (fault !== undefined) return `.${names[i]}${fault}`;
      }
      return undefined;
    },
  };
}

function isMap(value: unknown): value is PackedMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Uint8Array);
}
