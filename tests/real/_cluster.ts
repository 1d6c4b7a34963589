/*
 * What the tests of nodes on real sockets share: a cluster's authority with certificates of every kind, nodes, and a peer that speaks TLS
 * and sends whatever it is told.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import net from "node:net";
import tls from "node:tls";
import { concatBytes } from "../../core/bytes.ts";
import { createAuthority, issueCertificate } from "../../cluster/io/authority.ts";
import type { KeyPair } from "../../cluster/io/authority.ts";
import { startNode } from "../../cluster/io/node.ts";
import type { ClusterNode, NodeOptions } from "../../cluster/io/node.ts";
import type { Credentials } from "../../cluster/io/tls.ts";
import { FrameReader } from "../../cluster/protocol/frame.ts";
import { decodeMessage } from "../../cluster/protocol/payload.ts";
import type { Message } from "../../cluster/protocol/payload.ts";

const authority = await createAuthority("tests");
const stranger = await createAuthority("tests");
const DAY_MS = 86_400_000;

/** Good credentials for a node of the tests' cluster. */
export async function credentialsOf(nodeId: string): Promise<Credentials> {
  return { ...await issueCertificate(authority, nodeId), ca: authority.cert };
}

/** A certificate of an authority with the same name and another key. */
export async function strangersCredentials(nodeId: string): Promise<Credentials> {
  return { ...await issueCertificate(stranger, nodeId), ca: authority.cert };
}

/** One that has ended. */
export async function expiredCredentials(nodeId: string): Promise<Credentials> {
  const now = Date.now() - 400 * DAY_MS;
  return { ...await issueCertificate(authority, nodeId, { now }), ca: authority.cert };
}

/** One of the authority with any alternative names, or none, which the project itself does not make. */
export async function oddCredentials(
  names: readonly string[],
  usage = "1.3.6.1.5.5.7.3.2",
): Promise<Credentials> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signingKey = await crypto.subtle.importKey(
    "pkcs8",
    x509.PemConverter.decodeFirst(authority.key),
    algorithm,
    false,
    ["sign"],
  );
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: ["node-b"] }],
    issuer: new x509.X509Certificate(authority.cert).subjectName.toJSON(),
    serialNumber: "40",
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.ExtendedKeyUsageExtension([usage]),
      ...(names.length === 0 ? [] : [
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value }) as const)),
      ]),
    ],
  });
  const pair: KeyPair = {
    cert: certificate.toString("pem"),
    key: x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY"),
  };
  return { ...pair, ca: authority.cert };
}

/** What a node says first. */
export function helloOf(nodeId: string): Message {
  return {
    type: "hello",
    id: "550e8400-e29b-41d4-a716-446655440000",
    timestamp: Date.now(),
    sender: nodeId,
    data: {
      version: "1.0",
      node_id: nodeId,
      incarnation: "0123456789abcdef",
      capabilities: ["lz4"],
      pool: "peer",
      slot: 0,
      window: 65_536,
    },
  };
}

const loopback = { host: "127.0.0.1", port: 0 } as const;

/** Starts a node that listens on the loopback interface. */
export async function listeningNode(
  nodeId: string,
  options: Partial<NodeOptions> = {},
): Promise<ClusterNode> {
  return await startNode({ credentials: await credentialsOf(nodeId), listen: loopback, ...options });
}

/** Waits until something is so, looked at every few milliseconds. */
export async function until(isSo: () => boolean, what: string, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** A TLS client that sends bytes as they are, and keeps what it is sent. */
export class RawPeer implements Disposable {
  readonly #socket: tls.TLSSocket;
  readonly #reader = new FrameReader();
  /** Messages that it was sent. */
  readonly messages: Message[] = [];
  /** Whether the connection has ended. */
  isClosed = false;

  /** Connects; without credentials it shows no certificate. */
  constructor(port: number, ca: string, credentials?: Credentials, options: tls.ConnectionOptions = {}) {
    this.#socket = tls.connect({
      host: "127.0.0.1",
      port,
      ca,
      ...(credentials && { cert: credentials.cert, key: credentials.key }),
      ALPNProtocols: ["rnp/1"],
      servername: "any-node",
      checkServerIdentity: () => undefined,
      ...options,
    });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.isClosed = true);
    this.#socket.on("end", () => this.#socket.end());
    this.#socket.on("data", (bytes: Uint8Array) => {
      this.#reader.push(concatBytes(bytes));
      for (let next = this.#reader.next(); next && "payload" in next; next = this.#reader.next()) {
        const message = decodeMessage(next);
        if ("sender" in message) this.messages.push(message);
      }
    });
  }

  /** Sends bytes. */
  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** See {@linkcode Disposable}. */
  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Passes connections on to a port, and cuts them when it is told to. */
export class Relay implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  /** Connections that it has cut. */
  cuts = 0;

  constructor(to: number) {
    this.#server = net.createServer((from) => {
      const onward = net.connect(to, "127.0.0.1");
      for (const [socket, other] of [[from, onward], [onward, from]]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("data", (bytes: Uint8Array) => other.write(bytes));
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  /** Begins to listen; gives the port. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Cuts every connection. */
  cut(): void {
    this.cuts += this.#sockets.size / 2;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** See {@linkcode AsyncDisposable}. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
