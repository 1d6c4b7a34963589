/*
 * Mutual TLS 1.3 between nodes. It stands on `node:tls`: the runtime's own listener takes a client without a certificate as gladly as
 * one with it, and says nothing.
 */
import tls from "node:tls";
import type { Socket } from "node:net";
import type { Address } from "../../codec/address.ts";
import { RgtpError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { isNodeId } from "../protocol/node_id.ts";

/** What a node proves who it is with, and whom it believes: texts in PEM. */
export interface Credentials {
  /** The node's certificate. */
  readonly cert: string;
  /** The key that belongs to it. */
  readonly key: string;
  /** The certificate of the cluster's authority. */
  readonly ca: string;
}

/** A connection whose other side has proved who it is. */
export interface SecureConnection {
  /** Bytes both ways. */
  readonly socket: tls.TLSSocket;
  /** Who it is, by its certificate. */
  readonly peerId: string;
  /** When that certificate ends: ms since 1970. */
  readonly expires: number;
}

/** Cipher suites that links may use, best first. The runtime offers exactly these; a link over another one is refused all the same. */
export const cipherSuites = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_AES_128_GCM_SHA256",
  "TLS_CHACHA20_POLY1305_SHA256",
] as const;

/** What both sides say they speak over TLS (RFC 7301). */
const ALPN = "rnp/1";

/**
 * A server that takes connections of nodes of the cluster alone. `onConnection` gets those that have proved who they are, for which they
 * have `handshakeMs`.
 */
export function createMutualTlsServer(
  { cert, key, ca }: Credentials,
  onConnection: (connection: SecureConnection) => void,
  onRefused: (why: string) => void = () => {},
  handshakeMs: number = limits.rnpGreetingMsMax,
): tls.Server {
  const strangers = new Strangers(onRefused, handshakeMs);
  const server = tls.createServer({
    cert,
    key,
    ca,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    ALPNProtocols: [ALPN],
  }, (socket: tls.TLSSocket) => {
    strangers.leave(socket);
    // Without a listener an error would end the process.
    socket.on("error", () => {});
    const checked = check(socket);
    if (typeof checked !== "string") return onConnection(checked);
    onRefused(checked);
    socket.destroy();
  });
  server.on("tlsClientError", (error: Error) => onRefused(error.message));
  server.on("connection", (socket: Socket) => strangers.enter(socket));
  server.on("close", () => strangers.clear());
  return server;
}

/**
 * Opens a connection to a node. Without `peerId` any node of the cluster will do: the connection says which one it is.
 *
 * @throws {RgtpError} AUTH_FAIL when it is another one or cannot prove who it is; SOCKET, TIMEOUT
 */
export function dialMutualTls(
  { host, port }: Address,
  { cert, key, ca }: Credentials,
  peerId?: string,
): Promise<SecureConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<SecureConnection>();
  const socket = tls.connect({
    host,
    port,
    cert,
    key,
    ca,
    minVersion: "TLSv1.3",
    ALPNProtocols: [ALPN],
    servername: peerId ?? "any-node",
    // The chain is checked in any case; this is about the name alone.
    ...(peerId === undefined && { checkServerIdentity: () => undefined }),
  });
  const where = `${peerId ?? "a node"} at ${host}:${port}`;
  const timer = setTimeout(
    () => fail(new RgtpError("TIMEOUT", `no answer from ${where} in time: is it running, and reachable?`)),
    limits.rnpGreetingMsMax,
  );
  const fail = (error: RgtpError) => {
    clearTimeout(timer);
    socket.destroy();
    reject(error);
  };
  socket.on("error", (cause: Error) => fail(dialError(cause, where)));
  socket.once("close", () => fail(new RgtpError("SOCKET", `${where} closed the connection`)));
  socket.once("secureConnect", () => {
    const checked = check(socket);
    if (typeof checked === "string") return fail(new RgtpError("AUTH_FAIL", `${where}: ${checked}`));
    clearTimeout(timer);
    resolve(checked);
  });
  return promise;
}

/**
 * Tries whether this runtime refuses a client without a certificate, on a port of the loopback interface that nobody knows.
 *
 * @throws {RgtpError} NOT_SUPPORTED when it does not: nobody may listen then
 */
export async function assertStrangersRefused(
  credentials: Credentials,
  create: typeof createMutualTlsServer = createMutualTlsServer,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = create(credentials, () => resolve(true), () => resolve(false));
  await listen(server, { host: "127.0.0.1", port: 0 });
  const { port } = server.address() as { port: number };
  const stranger = tls.connect({
    host: "127.0.0.1",
    port,
    ca: credentials.ca,
    ALPNProtocols: [ALPN],
    servername: "any-node",
    checkServerIdentity: () => undefined,
  });
  stranger.on("error", () => {});
  const timer = setTimeout(() => resolve(false), limits.rnpGreetingMsMax);
  const isTaken = await promise;
  clearTimeout(timer);
  stranger.destroy();
  server.close();
  if (!isTaken) return;
  throw new RgtpError(
    "NOT_SUPPORTED",
    "this runtime lets a client in that shows no certificate, so this node does not listen: use the version of Deno that the project names",
  );
}

/** Begins to listen. @throws {RgtpError} ADDRESS_IN_USE, SOCKET */
export function listen(server: tls.Server, { host, port }: Address): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause: Error & { code?: string }) => {
    const isTaken = cause.code === "EADDRINUSE";
    reject(
      new RgtpError(
        isTaken ? "ADDRESS_IN_USE" : "SOCKET",
        isTaken
          ? `port ${port} on ${host} is taken: choose another one`
          : `cannot listen on ${host}:${port}: ${cause.message}`,
        { cause },
      ),
    );
  });
  server.listen(port, host, resolve);
  return promise;
}

/** Who the other side is; a text that says why nobody. */
function check(socket: tls.TLSSocket): SecureConnection | string {
  const certificate = socket.getPeerCertificate();
  if (!socket.authorized || !certificate?.raw) return "it has shown no certificate of this cluster";
  if (socket.getProtocol() !== "TLSv1.3") return `it speaks ${socket.getProtocol()}, not TLS 1.3`;
  const cipher = socket.getCipher().name;
  if (!cipherSuites.some((suite) => suite === cipher)) return `${cipher} is not among the cipher suites`;
  if (socket.alpnProtocol !== ALPN) return "it does not speak RNP";
  const peerId = nodeIdOf(certificate.subjectaltname ?? "");
  if (peerId === undefined) return "its certificate names no node";
  return { socket, peerId, expires: Date.parse(certificate.valid_to) };
}

/** The node ID in a certificate's alternative names: the only host name among them. */
export function nodeIdOf(subjectAltName: string): string | undefined {
  const names = subjectAltName.split(", ").filter((name) => name.startsWith("DNS:"));
  const id = names[0]?.slice("DNS:".length);
  return names.length === 1 && isNodeId(id) ? id : undefined;
}

/** Connections that have not proved who they are: few at once, and not for long. */
class Strangers {
  readonly #onRefused: (why: string) => void;
  readonly #handshakeMs: number;
  readonly #inside = new Map<
    string,
    { readonly socket: Socket; readonly timer: ReturnType<typeof setTimeout> }
  >();

  constructor(onRefused: (why: string) => void, handshakeMs: number) {
    this.#onRefused = onRefused;
    this.#handshakeMs = handshakeMs;
  }

  enter(socket: Socket): void {
    if (this.#inside.size >= limits.rnpGreetingsMax) {
      this.#onRefused("too many connections that have not proved who they are");
      socket.destroy();
      return;
    }
    // The runtime's own time limit reports, but does not close.
    const timer = setTimeout(() => {
      this.#onRefused("no TLS handshake in the time allowed");
      socket.destroy();
    }, this.#handshakeMs);
    const place = placeOf(socket);
    this.#inside.set(place, { socket, timer });
    socket.once("close", () => this.#remove(place));
  }

  /** One has proved who it is. */
  leave(socket: tls.TLSSocket): void {
    this.#remove(placeOf(socket));
  }

  clear(): void {
    for (const [place, { socket }] of this.#inside) {
      this.#remove(place);
      socket.destroy();
    }
  }

  #remove(place: string): void {
    clearTimeout(this.#inside.get(place)?.timer);
    this.#inside.delete(place);
  }
}

/** What a connection and the TLS socket over it have in common. */
function placeOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function dialError(cause: Error & { code?: string }, where: string): RgtpError {
  const isAuth = cause.code?.startsWith("ERR_TLS") || cause.code?.startsWith("ERR_SSL") ||
    /certificate/i.test(cause.message);
  return new RgtpError(isAuth ? "AUTH_FAIL" : "SOCKET", `cannot connect to ${where}: ${cause.message}`, {
    cause,
  });
}
