/**
 * A log in a file, for whoever looks later: one record a line, in files that take turns. What is told to people at once stands on standard
 * error as ever.
 *
 * @module
 */
import { dirname } from "node:path";
import type { LogLevel, Sink } from "@logtape/logtape";
import { redactTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import type { Io } from "./_io.ts";
import { demand, linksFollowed, toRead, toWrite } from "./_permissions.ts";
import { asRgtpError } from "./_report.ts";
import { visible } from "./_text.ts";

const FILE_BYTES = 10 * 1_048_576;
const FILE_BYTES_MIN = 4096;
const OLD_FILES = 5;
const OLD_FILES_MAX = 1000;

/** How a log is kept. */
export const logFlags = {
  log: { kind: "string", placeholder: "FILE", help: "write what happens to a file, a record a line" },
  "log-level": {
    kind: "choice",
    choices: ["debug", "info", "warning", "error"],
    placeholder: "LEVEL",
    help: "with --log: leave out what matters less than this: debug, info, warning or error",
    default: "info",
  },
  "log-format": {
    kind: "choice",
    choices: ["json", "text"],
    help: "with --log: JSON, or text as key=value",
    default: "json",
  },
  "log-size": {
    kind: "size",
    help:
      "with --log: begin a new file before this one grows larger; the old one becomes FILE.1, that one FILE.2",
    default: "10MiB",
  },
  "log-keep": {
    kind: "string",
    placeholder: "N",
    help: "with --log: how many old files are kept",
    default: `${OLD_FILES}`,
  },
} as const satisfies FlagTable;

type LogFlags = Parsed<typeof logFlags>["flags"];

/** Takes what happens: a word or two for it, and what belongs to it. Never a ticket, secret, key or passphrase. */
export type Log = (level: LogLevel, what: string, fields?: Readonly<Record<string, unknown>>) => void;

/** From what matters least on. */
const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error"];

/**
 * Runs `body` with the log that the flags ask for, or with one that keeps nothing, and logs how it fails.
 *
 * @throws {RgtpError} INVALID_ARG, and IO where there can be no such file; and what `body` throws
 */
export async function withLog<Result>(
  flags: LogFlags,
  io: Io,
  body: (log: Log) => Promise<Result>,
): Promise<Result> {
  const options = logOptions(flags);
  if (!options) return await body(() => {});
  using sink = await openSink(options);
  const log = logTo(sink, options.level, io);
  try {
    return await body(log);
  } catch (error) {
    const { condition, message } = asRgtpError(error);
    log("error", "failed", { name: condition, message: redactTicket(message) });
    throw error;
  }
}

interface LogOptions {
  readonly path: string;
  readonly level: LogLevel;
  readonly format: "json" | "text";
  readonly fileBytesMax: number;
  readonly oldFiles: number;
}

/** What the flags mean; `undefined` without `--log`. @throws {RgtpError} INVALID_ARG */
export function logOptions(flags: LogFlags): LogOptions | undefined {
  const { log: path, "log-level": level, "log-format": format, "log-size": size, "log-keep": keep } = flags;
  if (path === undefined) {
    const given = { "log-level": level, "log-format": format, "log-size": size, "log-keep": keep };
    const stray = Object.entries(given).find(([, value]) => value !== undefined);
    if (stray) throw new RgtpError("INVALID_ARG", `--${stray[0]} belongs to --log`);
    return undefined;
  }
  if (size !== undefined && size < FILE_BYTES_MIN) {
    throw new RgtpError("INVALID_ARG", `--log-size is ${size} bytes: at least 4KiB are needed`);
  }
  const oldFiles = keep === undefined ? OLD_FILES : /^\d{1,4}$/.test(keep) ? Number(keep) : 0;
  if (oldFiles < 1 || oldFiles > OLD_FILES_MAX) {
    throw new RgtpError(
      "INVALID_ARG",
      `--log-keep is '${visible(keep!)}': say a whole number from 1 to ${OLD_FILES_MAX}`,
    );
  }
  return {
    path,
    level: level ?? "info",
    format: format ?? "json",
    fileBytesMax: size ?? FILE_BYTES,
    oldFiles,
  };
}

async function openSink({ path, format, fileBytesMax, oldFiles }: LogOptions): Promise<Sink & Disposable> {
  // The old files stand beside it, so its folder is written to as well.
  const folder = dirname(path);
  demand([toRead(folder), toWrite(folder)]);
  const { jsonLinesFormatter, logfmtFormatter } = await import("@logtape/logtape");
  const { getRotatingFileSink } = await import("@logtape/file");
  const formatter = format === "json" ? jsonLinesFormatter : logfmtFormatter;
  try {
    // Each record is on the disk's side at once: what came last before a crash is what matters.
    return getRotatingFileSink(linksFollowed(path), {
      ...{ formatter, maxSize: fileBytesMax, maxFiles: oldFiles, bufferSize: 0 },
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new RgtpError("IO", `the log '${visible(path)}' cannot be written: ${why}`, { cause });
  }
}

/** A log that cannot be written any more is told once, and ends nothing. */
function logTo(sink: Sink, least: LogLevel, io: Io): Log {
  let isBroken = false;
  return (level, what, fields = {}) => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(least)) return;
    try {
      const text = { category: ["rgtp"], message: [what], rawMessage: what };
      sink({ ...text, level, timestamp: Date.now(), properties: { ...fields } });
      isBroken = false;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!isBroken) io.err(`warning: the log cannot be written: ${visible(why)}\n`);
      isBroken = true;
    }
  };
}
