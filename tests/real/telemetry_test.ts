/*
 * OpenTelemetry as a collector sees it: an OTLP/HTTP receiver on loopback gets the spans and figures of real processes, and no secret.
 */
import { parseTicket } from "../../codec/ticket.ts";
import { assert, assertEquals, assertGreater } from "../_assert.ts";
import { makeFile, TestFolder } from "./_files.ts";
import { startExposer, startPuller } from "./_processes.ts";

const HOST = "127.0.0.1";
const WAIT_MS = 30_000;

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly isFailed: boolean;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}
type Attributes = readonly { readonly key: string; readonly value: Value }[];

/** Takes what is sent as OTLP over HTTP, in JSON. */
class Collector implements AsyncDisposable {
  /** All that came, as it came. */
  text = "";
  readonly spans: Span[] = [];
  /** The newest figures, by name and labels. */
  readonly figures = new Map<string, number>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    const options = { hostname: HOST, port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, async (request) => {
      const body = await request.text();
      this.text += body;
      this.#take(new URL(request.url).pathname, JSON.parse(body));
      return Response.json({});
    });
  }

  /** What a process needs to know that sends all it has at its end. */
  get env(): Record<string, string> {
    return {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://${HOST}:${this.#server.addr.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    };
  }

  /** The same for one that sends while it runs, and is killed: Deno may hang when it ends in the middle of sending figures. */
  get livelyEnv(): Record<string, string> {
    return { ...this.env, OTEL_METRIC_EXPORT_INTERVAL: "200", OTEL_BSP_SCHEDULE_DELAY: "200" };
  }

  async until(isSo: () => boolean, what: string): Promise<void> {
    for (const end = performance.now() + WAIT_MS; !isSo();) {
      if (performance.now() > end) {
        throw new Error(`no ${what} came; only ${this.spans.map(({ name }) => name)}, ${[...this.figures]}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  span(name: string): Span {
    const found = this.spans.filter((span) => span.name === name);
    assertEquals(found.length, 1, name);
    return found[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  // deno-lint-ignore no-explicit-any -- OTLP as it comes; what is not as expected fails the test
  #take(path: string, body: any): void {
    if (path === "/v1/traces") {
      for (const resource of body.resourceSpans) {
        for (const span of resource.scopeSpans.flatMap((scope: { spans: unknown[] }) => scope.spans)) {
          this.spans.push({ ...span, attributes: plain(span.attributes), isFailed: span.status?.code === 2 });
        }
      }
    }
    if (path === "/v1/metrics") {
      for (const resource of body.resourceMetrics) {
        for (
          const metric of resource.scopeMetrics.flatMap((scope: { metrics: unknown[] }) => scope.metrics)
        ) {
          const { dataPoints = [] } = metric.sum ?? metric.gauge ?? metric.histogram ?? {};
          for (const point of dataPoints) {
            const labels = Object.values(plain(point.attributes ?? [])).join(" ");
            this.figures.set(
              `${metric.name} ${labels}`.trim(),
              Number(point.asInt ?? point.asDouble ?? point.count),
            );
          }
        }
      }
    }
  }
}

function plain(attributes: Attributes): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, String(Object.values(value)[0])]));
}

Deno.test("a collector sees exposing, pulling, the handshake and verifying, with their facts and never a secret", async () => {
  await using folder = await TestFolder.make();
  await using collector = new Collector();
  const { env, livelyEnv } = collector;
  const made = await makeFile(folder.file("a name that is nobody's business"), 3_000_000, 41);
  const { exposer, ready } = await startExposer(made.path, {
    host: HOST,
    stateDir: folder.file("state"),
    env: livelyEnv,
  });
  await using _exposer = exposer;
  await using puller = startPuller(ready.ticket, folder.file("out"), [], { env });
  const done = await puller.done();
  assertEquals(done.sha256, made.sha256);
  await collector.until(() => (collector.figures.get("rgtp.pulls completed") ?? 0) === 1, "complete pull");
  await exposer.kill("SIGKILL");
  await collector.until(
    () => collector.spans.filter(({ name }) => /^rgtp/.test(name)).length >= 4,
    "4 spans",
  );

  const sealing = collector.span("rgtp.expose");
  assertEquals(sealing.attributes["rgtp.exposure.id"], ready.id);
  assertEquals(sealing.attributes["rgtp.exposure.bytes"], `${made.bytes}`);
  assertEquals(sealing.attributes["rgtp.access"], "tickets");
  const pulling = collector.span("rgtp.pull");
  assertEquals(pulling.attributes["rgtp.exposure.id"], ready.id);
  assertEquals(pulling.attributes["rgtp.bytes"], `${made.bytes}`);
  assertEquals(pulling.attributes["network.peer.address"], HOST);
  assertGreater(Number(pulling.attributes["rgtp.wire_bytes"]), made.bytes);
  for (const name of ["rgtp.handshake", "rgtp.verify"]) {
    const part = collector.span(name);
    assertEquals([part.traceId, part.parentSpanId, part.isFailed], [pulling.traceId, pulling.spanId, false]);
  }
  assertGreater(collector.figures.get("rgtp.sent_bytes")!, made.bytes);
  // The last message of a handshake may be repeated, and is granted again.
  assertGreater(collector.figures.get("rgtp.handshakes granted")!, 0);
  assertEquals(collector.figures.get("rgtp.operation.duration expose"), 1);

  const { secret, name } = parseTicket(ready.ticket);
  const text = secret!.toBase64({ alphabet: "base64url", omitPadding: true });
  for (const word of [text, secret!.toHex(), name, ready.ticket]) {
    assert(!collector.text.includes(word), word);
  }
});

Deno.test("a pull that fails is told as such, by the kind of its error", async () => {
  await using folder = await TestFolder.make();
  await using collector = new Collector();
  const made = await makeFile(folder.file("source"), 10_000, 42);
  const { exposer, ready } = await startExposer(made.path, { host: HOST, stateDir: folder.file("state") });
  await using _exposer = exposer;
  const stranger = ready.ticket.replace(/\.[^./]*\/[^/]*\/$/, `.${"A".repeat(22)}/x/`);
  await using puller = startPuller(stranger, folder.file("out"), [], { env: collector.env });
  assertEquals((await puller.failed()).name, "ACCESS_DENIED");
  await collector.until(() => collector.spans.some(({ name }) => name === "rgtp.pull"), "span of the pull");
  for (const name of ["rgtp.pull", "rgtp.handshake"]) {
    const { isFailed, attributes } = collector.span(name);
    assertEquals([isFailed, attributes["error.type"]], [true, "ACCESS_DENIED"]);
  }
  assertEquals(collector.spans.filter(({ name }) => name === "rgtp.expose"), []);
});
