import { RgtpError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { ExposeOptions } from "../transport/expose.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import type { Need } from "./_permissions.ts";
import { toRead, toWrite } from "./_permissions.ts";

/** Where sealed chunks are held, and under which key. */
export const storeFlags = {
  memory: {
    kind: "size",
    help:
      "bytes of memory for sealed chunks; of what is larger a part is held, and the rest sealed again when it is asked for",
    default: "256MiB",
  },
  spill: {
    kind: "string",
    placeholder: "FOLDER",
    help:
      "keep what does not fit the memory sealed in a file there, as large as the exposure; it ends with this process",
  },
  spool: {
    kind: "string",
    placeholder: "FOLDER",
    help:
      "where standard input is kept while it is served, in a file as large as it is; it ends with this process",
    default: "that of --spill, or the state folder",
  },
  rekey: { kind: "boolean", help: "make a new exposure, with a new key; tickets to the one before end" },
  reproducible: {
    kind: "boolean",
    help:
      "derive the key from the content, read twice: the same bytes are the same exposure always, and whoever had a ticket to " +
      "them once recognises them ever after",
  },
} as const satisfies FlagTable;

type StoreFlags = Parsed<typeof storeFlags>["flags"];

/** The same for `expose`. */
export function storeOptions({ memory, spill, spool, rekey, reproducible }: StoreFlags): ExposeOptions {
  return {
    ...(memory !== undefined && { memoryBytesMax: memory }),
    ...(spill !== undefined && { spill }),
    ...(spool !== undefined && { spool }),
    rekey,
    reproducible,
  };
}

/** What the library would call a mistake of its caller. @throws {RgtpError} INVALID_ARG */
export function checkStoreFlags({ memory, rekey, reproducible }: StoreFlags): void {
  if (memory !== undefined && memory < limits.memoryBytesMin) {
    throw new RgtpError(
      "INVALID_ARG",
      `--memory is ${memory} bytes: at least ${
        limits.memoryBytesMin / 1_048_576
      }MiB are needed to serve several pullers`,
    );
  }
  if (rekey && reproducible) {
    throw new RgtpError(
      "INVALID_ARG",
      "--rekey makes a new key, and --reproducible the one that belongs to the content: say one of them",
    );
  }
}

/** What a spill file and a spool file take. */
export function spillNeeds({ spill, spool }: StoreFlags): Need[] {
  return [spill, spool].flatMap((folder) => folder === undefined ? [] : [toRead(folder), toWrite(folder)]);
}
