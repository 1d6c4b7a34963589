/*
 * Pullers that come and go, each with a socket of its own: some pull all, some a part, some go in the middle; and after a while each comes
 * again. Every byte is compared with the file that was exposed.
 *
 *   deno run --v8-flags=--expose-gc _soak_pullers.ts TICKET FILE PULLERS
 *
 * After one pull, which has all that is made once be made, it prints {@linkcode Soaked}; and then for each line that it reads: `begin` has
 * the pullers come, `collect` has it collect its garbage before, and `rest` has the pullers go. When there are no more lines the process ends
 * by itself, if they have left nothing behind.
 */
import { Buffer } from "node:buffer";
import { pull } from "../transport/mod.ts";
import { collect, held } from "./_held.ts";
import type { Held } from "./_held.ts";
import { lines } from "./_processes.ts";

/** What has come of them so far. */
export interface Soaked extends Held {
  /** Pulls that brought what they wanted, that were broken off, and that ended with an error. */
  readonly whole: number;
  readonly broken: number;
  readonly failed: number;
  /** What those said that ended with an error, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** Pulls that run. */
  readonly running: number;
}

const PAUSE_MS_MAX = 4000;
const RATE_MIN = 50_000;
const RATE_MAX = 500_000;
/** Longer than any silence, also on a machine that is busy with other things: a pull that fails is one that should not. */
const TIMEOUT_MS = 60_000;

async function soak(ticket: string, path: string, pullers: number): Promise<void> {
  const source = Deno.readFileSync(path);
  const sums = { whole: 0, broken: 0, failed: 0, running: 0 };
  const errors: Record<string, number> = {};
  const over = new AbortController();

  /** A stretch of the file, or all of it; broken off after some of it, or not at all. */
  const pullOnce = async () => {
    const from = Math.random() < 0.5 ? 0 : Math.floor(Math.random() * source.length);
    const goesAfter = Math.random() < 0.3 ? Math.random() * (source.length - from) : Infinity;
    const limitRate = RATE_MIN + Math.random() * (RATE_MAX - RATE_MIN);
    let at = from;
    for await (
      const bytes of pull(ticket, { limitRate, timeoutMs: TIMEOUT_MS, signal: over.signal }).range(from)
    ) {
      if (Buffer.compare(bytes, source.subarray(at, at + bytes.length)) !== 0) {
        throw new Error(`what came at ${at} is not what was exposed`);
      }
      at += bytes.length;
      if (at - from > goesAfter) return void sums.broken++;
    }
    if (at !== source.length) throw new Error(`it ended at ${at}`);
    sums.whole++;
  };
  const comeAndGo = async () => {
    while (!over.signal.aborted) {
      await pause(Math.random() * PAUSE_MS_MAX, over.signal);
      sums.running++;
      try {
        await pullOnce();
      } catch (error) {
        if (over.signal.aborted) break;
        sums.failed++;
        const text = String(error);
        errors[text] = (errors[text] ?? 0) + 1;
      } finally {
        sums.running--;
      }
    }
  };

  let all: Promise<unknown> = pull(ticket).bytes();
  await all;
  const tell = () => console.log(JSON.stringify({ ...sums, errors, ...held() } satisfies Soaked));
  tell();
  for await (const line of lines(Deno.stdin.readable)) {
    if (line === "begin") all = Promise.all(Array.from({ length: pullers }, comeAndGo));
    if (line === "collect") collect();
    if (line === "rest") {
      over.abort();
      await all;
    }
    tell();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener("abort", end);
  return promise;
}

if (import.meta.main) await soak(Deno.args[0], Deno.args[1], Number(Deno.args[2]));
