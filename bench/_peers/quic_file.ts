/*
 * Serves or fetches a file over QUIC: one connection, one stream.
 *
 *   quic_file.ts serve HOST FILE CERTIFICATE KEY       prints its port
 *   quic_file.ts fetch HOST PORT OUT AUTHORITY         prints how many seconds it took after the handshake
 */
const PROTOCOLS = ["rgtp-bench-file"];
const BLOCK_BYTES = 262_144;

async function serve(hostname: string, path: string, leaf: string, keyPath: string): Promise<void> {
  const [cert, key] = await Promise.all([leaf, keyPath].map((name) => Deno.readTextFile(name)));
  const endpoint = new Deno.QuicEndpoint({ hostname, port: 0 });
  const listener = endpoint.listen({ cert, key, alpnProtocols: PROTOCOLS });
  console.log(endpoint.addr.port);
  for await (const incoming of listener) {
    answer(await incoming.accept(), path).catch(() => {
      // Who asked has gone: that is how each fetch ends.
    });
  }
}

async function answer(connection: Deno.QuicConn, path: string): Promise<void> {
  for await (const { readable, writable } of connection.incomingBidirectionalStreams) {
    for await (const _ of readable);
    using file = await Deno.open(path);
    const writer = writable.getWriter();
    const block = new Uint8Array(BLOCK_BYTES);
    for (let count = await file.read(block); count !== null; count = await file.read(block)) {
      await writer.write(block.subarray(0, count));
    }
    await writer.close();
  }
}

async function fetchTo(hostname: string, port: number, out: string, authority: string): Promise<void> {
  const caCerts = [await Deno.readTextFile(authority)];
  const connection = await Deno.connectQuic({ hostname, port, alpnProtocols: PROTOCOLS, caCerts });
  const started = performance.now();
  using file = await Deno.create(out);
  const { readable, writable } = await connection.createBidirectionalStream();
  await writable.getWriter().close();
  const reader = readable.getReader({ mode: "byob" });
  for (let block = new Uint8Array(BLOCK_BYTES);;) {
    const { value, done } = await reader.read(block);
    if (done) break;
    for (let rest = value; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
    block = new Uint8Array(value.buffer);
  }
  console.log((performance.now() - started) / 1000);
  Deno.exit(0);
}

const [what, host, ...rest] = Deno.args;
if (what === "serve") await serve(host, rest[0], rest[1], rest[2]);
else await fetchTo(host, Number(rest[0]), rest[1], rest[2]);
