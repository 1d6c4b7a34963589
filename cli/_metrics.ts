/**
 * The figures of whoever serves, for Prometheus: as text over HTTP, from counters that stand in the machines anyway. Nothing is reckoned
 * until somebody asks.
 *
 * @module
 */
import type { Registry } from "prom-client";
import { formatAddress, parseAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { RgtpError } from "../core/errors.ts";
import { openMeter } from "../transport/telemetry.ts";
import type { BatchObservableResult, Meter } from "../transport/telemetry.ts";
import type { FlagTable } from "./_args.ts";
import type { Io } from "./_io.ts";
import { figuresOf, metricTable, processMetrics } from "./_metric_table.ts";
import type { Metric, ServedStats } from "./_metric_table.ts";
import { emit } from "./_report.ts";
import { visible } from "./_text.ts";
import { valueKinds } from "./_values.ts";

/** Where the figures can be read. */
export const metricsFlags = {
  metrics: {
    kind: "string",
    placeholder: "[HOST:]PORT",
    help: "give figures to Prometheus at http://HOST:PORT/metrics; without HOST to this machine alone",
  },
} as const satisfies FlagTable;

/** Where figures are given, until it is closed. */
export interface MetricsDoor extends Disposable {
  /** For Prometheus. */
  readonly url: string;
}

const LOOPBACK = "127.0.0.1";
const PATH = "/metrics";

/**
 * Gives the figures of `sources` where `--metrics` says, from now on, and tells where that is; and to OpenTelemetry, where the process has
 * that.
 *
 * @throws {RgtpError} INVALID_ARG, ADDRESS_IN_USE, SOCKET
 */
export async function giveMetrics(
  { metrics, json }: { readonly metrics: string | undefined; readonly json: boolean },
  io: Io,
  sources: () => readonly ServedStats[],
): Promise<Disposable> {
  const all = new DisposableStack();
  if (metrics !== undefined) {
    const { url } = all.use(await openMetrics(metricsAddress(metrics), sources));
    if (json) emit(io, "metrics", { url });
    else io.err(`figures for Prometheus: ${url}\n`);
  }
  const meter = await openMeter();
  if (meter) all.use(observe(meter, sources));
  return all;
}

/** Has the figures of `sources` sent with the others of the process, by the names that OpenTelemetry gives such things: `rgtp.sent_bytes`. */
function observe(meter: Meter, sources: () => readonly ServedStats[]): Disposable {
  const observed = metricTable.map((metric) => {
    const name = metric.name.replace(/^rgtp_/, "rgtp.").replace(/_total$/, "");
    const options = { description: metric.help };
    const instrument = metric.kind === "counter"
      ? meter.createObservableCounter(name, options)
      : meter.createObservableGauge(name, options);
    return { metric, instrument };
  });
  const instruments = observed.map(({ instrument }) => instrument);
  const look = (result: BatchObservableResult) => {
    const now = sources();
    for (const { metric, instrument } of observed) {
      for (const [key, value] of figuresOf(metric, now)) {
        result.observe(instrument, value, labelled(metric.label, key));
      }
    }
  };
  meter.addBatchObservableCallback(look, instruments);
  return { [Symbol.dispose]: () => meter.removeBatchObservableCallback(look, instruments) };
}

function labelled(label: string | undefined, key: string): Record<string, string> {
  return label === undefined ? {} : { [label]: key };
}

/** Where `--metrics` says. @throws {RgtpError} INVALID_ARG */
export function metricsAddress(text: string): Address {
  const port = valueKinds.port.parse(text);
  const address = port === undefined ? parseAddress(text) : { host: LOOPBACK, port };
  if (address) return address;
  throw new RgtpError(
    "INVALID_ARG",
    `--metrics is '${
      visible(text)
    }': say a port of this machine, such as 9100, or HOST:PORT for others to read it too`,
  );
}

/**
 * Gives the figures of `sources`, added up, to whoever asks at an address. Each time they are read anew.
 *
 * @throws {RgtpError} ADDRESS_IN_USE, SOCKET
 */
export async function openMetrics(
  { host, port }: Address,
  sources: () => readonly ServedStats[],
): Promise<MetricsDoor> {
  let now: readonly ServedStats[] = [];
  const registry = await metricsRegistry(() => now);
  const text = () => {
    now = sources();
    return registry.metrics();
  };
  const over = new AbortController();
  const options = { hostname: host, port, signal: over.signal, onListen: () => {} };
  try {
    const server = Deno.serve(options, (request) => answer(request, registry.contentType, text));
    // It serves as long as there is something to tell of, and no longer.
    server.unref();
    const { addr } = server;
    const url = `http://${formatAddress({ host: addr.hostname, port: addr.port })}${PATH}`;
    return { url, [Symbol.dispose]: () => over.abort() };
  } catch (cause) {
    const at = formatAddress({ host, port });
    const isTaken = cause instanceof Deno.errors.AddrInUse;
    const why = isTaken ? "is taken" : `cannot be had (${cause instanceof Error ? cause.message : cause})`;
    throw new RgtpError(
      isTaken ? "ADDRESS_IN_USE" : "SOCKET",
      `${at} ${why}: give --metrics another port`,
      { cause },
    );
  }
}

/** All that is told of `sources`, in the form that Prometheus reads. */
async function metricsRegistry(sources: () => readonly ServedStats[]): Promise<Registry> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const kinds = { counter: Counter, gauge: Gauge };
  const registry = new Registry();
  const add = <From>(from: Metric<From>, sources: () => readonly From[]) => {
    const { name, kind, help, label } = from;
    const collect = () => {
      metric.reset();
      for (const [key, value] of figuresOf(from, sources())) metric.inc(labelled(label, key), value);
    };
    const labelNames = label === undefined ? [] : [label];
    const metric = new kinds[kind]({ name, help, labelNames, registers: [registry], collect });
  };
  for (const metric of metricTable) add(metric, sources);
  for (const metric of processMetrics) add(metric, () => [undefined]);
  return registry;
}

async function answer(request: Request, form: string, text: () => Promise<string>): Promise<Response> {
  if (new URL(request.url).pathname !== PATH) {
    return new Response(`the figures are at ${PATH}\n`, { status: 404 });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
  }
  return new Response(await text(), { headers: { "content-type": form } });
}
