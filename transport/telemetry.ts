/**
 * Spans and measures for OpenTelemetry, where the process has it: with `OTEL_DENO=true`, or where an SDK was registered before. Where it has
 * not, nothing is loaded, and nothing is done.
 *
 * @module
 */
import type { Attributes, Context, Meter } from "@opentelemetry/api";
import { RgtpError } from "../core/errors.ts";

export type { BatchObservableResult, Meter } from "@opentelemetry/api";

/** What is worth a span. */
export type Operation = "expose" | "pull" | "handshake" | "verify";

/** What a span says beside its name: never a ticket, secret, key or passphrase, and no name of what is exposed. */
export type Facts = Readonly<Record<`${"rgtp" | "network"}.${string}`, string | number | boolean>>;

/** Something that takes its time, and ends well or not. */
export interface Trace {
  /** Tells what has become known of it. */
  set(facts: Facts): void;
  /** A part of it begins, or has begun at a time of `performance.now()`. */
  part(operation: Operation, facts?: Facts, since?: number): Trace;
  /** It has ended: with an error, or well. Only the first end counts. */
  end(error?: unknown): void;
}

const NAME = "rgtp";

/** Where the API, whatever copy of it, keeps what somebody has registered. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

const NO_TRACE: Trace = { set: () => {}, part: () => NO_TRACE, end: () => {} };

/** Begins to trace something, under what the caller is tracing. */
export async function trace(operation: Operation, facts: Facts = {}): Promise<Trace> {
  return REGISTERED in globalThis ? await beginTrace(operation, facts) : NO_TRACE;
}

/** For figures that are read when they are sent; `undefined` where nobody takes them. */
export async function openMeter(): Promise<Meter | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { metrics } = await import("@opentelemetry/api");
  return metrics.getMeter(NAME);
}

async function beginTrace(operation: Operation, facts: Facts): Promise<Trace> {
  const api = await import("@opentelemetry/api");
  const tracer = api.trace.getTracer(NAME);
  const durations = api.metrics.getMeter(NAME).createHistogram("rgtp.operation.duration", {
    unit: "s",
    description: "How long exposing, pulling, shaking hands and verifying took",
  });

  const begin = (what: Operation, attributes: Attributes, parent: Context, startedAt: number): Trace => {
    const startTime = performance.timeOrigin + startedAt;
    const span = tracer.startSpan(`${NAME}.${what}`, { attributes, startTime }, parent);
    const inside = api.trace.setSpan(parent, span);
    let isOver = false;
    return {
      set: (more) => void span.setAttributes(more),
      part: (next, more = {}, since = performance.now()) => begin(next, more, inside, since),
      end: (error) => {
        if (isOver) return;
        isOver = true;
        const type = error === undefined ? undefined : nameOf(error);
        const failure: Attributes = type === undefined ? {} : { "error.type": type };
        span.setAttributes(failure);
        // Messages name files and people: what kind of error it is says enough.
        if (type !== undefined) span.setStatus({ code: api.SpanStatusCode.ERROR, message: type });
        span.end();
        durations.record((performance.now() - startedAt) / 1000, { "rgtp.operation": what, ...failure });
      },
    };
  };
  return begin(operation, facts, api.context.active(), performance.now());
}

function nameOf(error: unknown): string {
  if (error instanceof RgtpError) return error.condition;
  return error instanceof Error ? error.name : typeof error;
}
