/*
 * A program that serves or fetches a file over QUIC.
 *
 *   _quic_file.ts serve HOST FILE CERTIFICATE KEY       prints its port
 *   _quic_file.ts fetch HOST PORT OUT AUTHORITY         prints a `Progress` as JSON twice a second, the last one `whole`
 */

/** How far it is. */
export interface Progress {
  readonly bytes: number;
  readonly seconds: number;
  readonly handshakeSeconds: number;
  readonly whole?: boolean;
}

/** Of the certificate; where the server listens makes no difference. */
export const SERVER_NAME = "lab.invalid";
const PROTOCOLS = ["rgtp-lab-file"];
const TELL_MS = 500;

async function serve(hostname: string, path: string, leaf: string, key: string): Promise<void> {
  const [cert, keyText] = await Promise.all([leaf, key].map((name) => Deno.readTextFile(name)));
  const endpoint = new Deno.QuicEndpoint({ hostname, port: 0 });
  const listener = endpoint.listen({ cert, key: keyText, alpnProtocols: PROTOCOLS });
  console.log(endpoint.addr.port);
  for await (const incoming of listener) {
    answer(await incoming.accept(), path).catch(() => {
      // Who asked has gone: that is how a contest ends for one that is cut off.
    });
  }
}

async function answer(connection: Deno.QuicConn, path: string): Promise<void> {
  for await (const { readable, writable } of connection.incomingBidirectionalStreams) {
    for await (const _ of readable);
    await (await Deno.open(path)).readable.pipeTo(writable);
  }
}

async function fetchTo(hostname: string, port: number, out: string, authority: string): Promise<void> {
  const begun = performance.now();
  const connection = await Deno.connectQuic({
    ...{ hostname, port, serverName: SERVER_NAME, alpnProtocols: PROTOCOLS },
    caCerts: [await Deno.readTextFile(authority)],
  });
  const started = performance.now();
  const handshakeSeconds = (started - begun) / 1000;
  using file = await Deno.create(out);
  const { readable, writable } = await connection.createBidirectionalStream();
  const writer = writable.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
  let bytes = 0;
  const tell = (more: Partial<Progress> = {}) => {
    const seconds = (performance.now() - started) / 1000;
    console.log(JSON.stringify({ bytes, seconds, handshakeSeconds, ...more } satisfies Progress));
  };
  const timer = setInterval(tell, TELL_MS);
  for await (const part of readable) {
    bytes += part.length;
    for (let rest = part; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  }
  clearInterval(timer);
  tell({ whole: true });
  Deno.exit(0);
}

if (import.meta.main) {
  const [what, host, ...rest] = Deno.args;
  if (what === "serve") await serve(host, rest[0], rest[1], rest[2]);
  else await fetchTo(host, Number(rest[0]), rest[1], rest[2]);
}
