/**
 * The configuration of `rgtp serve`: JSON with comments, checked against `schemas/serve.schema.json`. This is the one place that imports
 * what parses and checks it.
 *
 * @module
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorObject } from "ajv/dist/2020.js";
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } from "jsonc-parser";
import type { Node, ParseError } from "jsonc-parser";
import { dirname, resolve } from "node:path";
import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { ExposerOptions, HostedOptions } from "../transport/exposer.ts";
import { accessPolicy } from "../transport/exposure/access.ts";
import type { PostQuantum } from "../transport/protocol/handshake_shape.ts";
import schema from "../schemas/serve.schema.json" with { type: "json" };
import { nearest } from "./_nearest.ts";
import { visible } from "./_text.ts";
import { valueKinds } from "./_values.ts";
import type { ValueKind } from "./_values.ts";

/** What the file says, in the library's words. */
export interface ServiceConfig {
  /** Absent: the folder that `rgtp expose` takes. */
  readonly stateDir: string | undefined;
  readonly drainMs: number;
  readonly ports: readonly PortConfig[];
}

/** A port. */
export interface PortConfig {
  /** Tells it from the others, and shows it. */
  readonly key: string;
  readonly options: ExposerOptions;
  readonly exposures: readonly ExposureConfig[];
}

/** What is exposed there. */
export interface ExposureConfig {
  readonly name: string;
  /** Absolute. */
  readonly paths: readonly string[];
  readonly options: HostedOptions;
  readonly passwordFile?: string;
  readonly ticketFile?: string;
  /** Where in the file it stands. */
  readonly where: string;
}

/** The file as the schema has it. */
interface FileShape {
  readonly stateDir?: string;
  readonly drain?: string;
  readonly listen: readonly {
    readonly host?: string;
    readonly port: number;
    readonly advertise?: readonly string[];
    readonly limitRate?: string;
    readonly pullRate?: string;
    readonly postQuantum?: PostQuantum;
    readonly exposures: readonly ExposureShape[];
  }[];
}

type ExposureShape =
  & Pick<
    HostedOptions,
    "profile" | "aead" | "spill" | "open" | "allow" | "reproducible" | "announce" | "shared"
  >
  & {
    readonly name: string;
    readonly path: string | readonly string[];
    readonly memory?: string;
    readonly passwordFile?: string;
    readonly ticketFile?: string;
  };

type Path = readonly (string | number)[];

const DRAIN_MS = 30_000;

/**
 * Reads the text of a configuration that stands at `path`.
 *
 * @throws {RgtpError} INVALID_ARG with line and column for what is no JSON, or not what the schema says, and for a name or port that comes twice
 */
export function parseServiceConfig(text: string, path: string): ServiceConfig {
  try {
    return configOf(text, path);
  } catch (cause) {
    // Parser and checker call themselves for each bracket.
    if (!(cause instanceof RangeError)) throw cause;
    throw new RgtpError("INVALID_ARG", `${visible(path)}: lists and objects lie too deep in each other`, {
      cause,
    });
  }
}

function configOf(text: string, path: string): ServiceConfig {
  const page = new Page(text, path);
  const file = page.checked();
  const folder = dirname(resolve(path));
  const at = (given: string) => resolve(folder, given);
  const isNew = { port: unique(page, "port"), name: unique(page, "name") };
  return {
    stateDir: file.stateDir === undefined ? undefined : at(file.stateDir),
    drainMs: file.drain === undefined ? DRAIN_MS : valueKinds.duration.parse(file.drain)!,
    ports: file.listen.map(({ host, port, advertise, limitRate, pullRate, postQuantum, exposures }, i) => {
      const key = `${host ?? "*"}:${port}`;
      isNew.port(key, ["listen", i, "port"]);
      return {
        key,
        options: {
          port,
          ...(host !== undefined && { host }),
          ...(advertise && { advertise }),
          ...(limitRate !== undefined && { limitRate: valueKinds.rate.parse(limitRate)! }),
          ...(pullRate !== undefined && { pullRateMax: valueKinds.rate.parse(pullRate)! }),
          ...(postQuantum && { postQuantum }),
        },
        exposures: exposures.map((exposure, j) => {
          const place = ["listen", i, "exposures", j];
          isNew.name(exposure.name, [...place, "name"]);
          return exposureConfig(exposure, page, place, at);
        }),
      };
    }),
  };
}

function exposureConfig(
  { name, path, memory, passwordFile, ticketFile, ...options }: ExposureShape,
  page: Page,
  place: Path,
  at: (given: string) => string,
): ExposureConfig {
  const { open, allow, spill } = options;
  if ([open || undefined, allow, passwordFile].filter((one) => one !== undefined).length > 1) {
    throw page.fault(
      place,
      "'open' lets everybody pull, 'allow' only some nodes, and 'passwordFile' those who know a passphrase: say one",
    );
  }
  const memoryBytesMax = memory === undefined ? undefined : valueKinds.size.parse(memory)!;
  if (memoryBytesMax !== undefined && memoryBytesMax < limits.memoryBytesMin) {
    throw page.fault(
      [...place, "memory"],
      `${memory} is too little: at least ${limits.memoryBytesMin / 1_048_576}MiB are needed`,
    );
  }
  try {
    accessPolicy({ ...(allow && { allow }) });
  } catch (error) {
    throw page.fault([...place, "allow"], error instanceof Error ? error.message : String(error));
  }
  return {
    name,
    paths: [path].flat().map(at),
    options: {
      ...options,
      name,
      ...(memoryBytesMax !== undefined && { memoryBytesMax }),
      ...(spill !== undefined && { spill: at(spill) }),
    },
    ...(passwordFile !== undefined && { passwordFile: at(passwordFile) }),
    ...(ticketFile !== undefined && { ticketFile: at(ticketFile) }),
    where: page.where(place),
  };
}

/** Answers with what refuses the second of a kind. */
function unique(page: Page, what: string): (value: string, place: Path) => void {
  const seen = new Map<string, Path>();
  return (value, place) => {
    const first = seen.get(value);
    if (first) {
      throw page.fault(place, `the ${what} '${visible(value)}' stands at ${page.where(first)} already`);
    }
    seen.set(value, place);
  };
}

/** A text whose every value has a line and a column. */
class Page {
  readonly #text: string;
  readonly #path: string;
  readonly #tree: Node | undefined;
  readonly #errors: ParseError[] = [];

  constructor(text: string, path: string) {
    this.#text = text;
    this.#path = path;
    this.#tree = parseTree(text, this.#errors, { allowTrailingComma: true });
  }

  /** The value, as the schema has it. */
  checked(): FileShape {
    const [error] = this.#errors;
    if (error || !this.#tree) {
      const what = error ? words(printParseErrorCode(error.error)) : "nothing in it";
      throw this.#faultAt(error?.offset ?? 0, `this is no JSON: ${what}`);
    }
    const twice = repeatedKey(this.#tree);
    if (twice) {
      throw this.#faultAt(twice.offset, `the key '${visible(String(twice.value))}' stands here twice`);
    }
    const value: unknown = getNodeValue(this.#tree);
    if (!validate(value)) {
      // A key that is spelled wrong is missing too: what is there says more.
      const faults = validate.errors!;
      const fault = faults.find(({ keyword }) => keyword === "additionalProperties") ?? faults[0];
      const place = placeOf(fault);
      throw this.fault(place, messageOf(fault), fault.keyword === "additionalProperties");
    }
    return value as unknown as FileShape;
  }

  /** `FILE:LINE:COLUMN` of a value, or of its key. */
  where(place: Path, isKey = false): string {
    const node = findNodeAtLocation(this.#tree!, [...place]);
    return this.#position((isKey ? node?.parent?.offset : node?.offset) ?? 0);
  }

  fault(place: Path, what: string, isKey = false): RgtpError {
    return new RgtpError("INVALID_ARG", `${this.where(place, isKey)}: ${pathText(place)}${what}`);
  }

  #faultAt(offset: number, what: string): RgtpError {
    return new RgtpError("INVALID_ARG", `${this.#position(offset)}: ${what}`);
  }

  #position(offset: number): string {
    const lines = this.#text.slice(0, offset).split("\n");
    return `${visible(this.#path)}:${lines.length}:${lines.at(-1)!.length + 1}`;
  }
}

const formats: readonly ValueKind[] = ["size", "duration", "rate"];
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, verbose: true });
for (const kind of formats) ajv.addFormat(kind, (text: string) => valueKinds[kind].parse(text) !== undefined);
const validate = ajv.compile(schema);

/** What is said of a keyword of the schema that does not hold; of others what the checker says. */
const messages: Readonly<Record<string, (fault: ErrorObject) => string>> = {
  additionalProperties: ({ params, parentSchema }) => {
    const known = Object.keys(parentSchema?.properties ?? {});
    const guess = nearest(String(params.additionalProperty), known);
    return `there is no such key here; ${
      guess === undefined ? `there are ${known.join(", ")}` : `did you mean '${guess}'?`
    }`;
  },
  required: ({ params }) => `'${params.missingProperty}' is missing`,
  enum: ({ params }) => `this is not one of ${params.allowedValues.join(", ")}`,
  type: ({ params }) => `this is not: ${[params.type].flat().join(" or ")}`,
  format: ({ params, data }) =>
    `'${visible(String(data))}' is not ${valueKinds[params.format as ValueKind].allowed}`,
};

function messageOf(fault: ErrorObject): string {
  return messages[fault.keyword]?.(fault) ?? `this ${fault.message}`;
}

/** RFC 6901 §4: a JSON pointer's parts. */
function placeOf({ instancePath, keyword, params }: ErrorObject): Path {
  const parts = instancePath.split("/").slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => /^\d+$/.test(part) ? Number(part) : part);
  return keyword === "additionalProperties" ? [...parts, params.additionalProperty] : parts;
}

function pathText(place: Path): string {
  const text = place.map((part) => typeof part === "number" ? `[${part}]` : `.${visible(part)}`).join("");
  return text === "" ? "" : `${text.replace(/^\./, "")}: `;
}

/** `PropertyNameExpected` as people write it. */
function words(code: string): string {
  return code.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
}

/** A key that its object has already; another reader would take the other value. */
function repeatedKey(node: Node): Node | undefined {
  const keys = new Set<unknown>();
  for (const child of node.children ?? []) {
    const key = child.type === "property" ? child.children?.[0] : undefined;
    if (key && keys.has(key.value)) return key;
    if (key) keys.add(key.value);
    const below = repeatedKey(child);
    if (below) return below;
  }
  return undefined;
}
