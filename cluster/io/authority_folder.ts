import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { isThere, makeFolder, readText, replaceText } from "./_files.ts";
import { certificateFacts } from "./credentials.ts";
import type { Credentials } from "./tls.ts";

/*
 * An authority's folder: `authority.pem` and `authority.key`, the cluster's `secret`, and in `nodes/NODE/` what a node needs, to be
 * brought to it: `cert.pem`, `key.pem`, `authority.pem`, `secret`.
 *
 * What makes certificates is loaded only when one is made: it is large, and nodes do without.
 */

/** A node's certificate that was made. */
export interface IssuedNode {
  /** Whose it is. */
  readonly nodeId: string;
  /** Where it is, with all that the node needs. */
  readonly folder: string;
  /** When it ends: ms since 1970. */
  readonly expires: number;
}

/** What a node needs, as its folder holds it. */
export interface NodeFolder {
  /** For links. */
  readonly credentials: Credentials;
  /** The cluster's secret. */
  readonly secret: Uint8Array<ArrayBuffer>;
}

/** How certificates are renewed. */
export interface RotateOptions {
  /** These nodes; all when nothing is said. */
  readonly nodeIds?: readonly string[];
  /** Also those that are younger than 300 days. */
  readonly force?: boolean;
  /** The time, ms since 1970. */
  readonly now?: number;
}

const SECRET_BYTES = 32;
const DAY_MS = 86_400_000;
const CLUSTER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * Makes the authority and the secret of a new cluster.
 *
 * @throws {RgtpError} EXISTS when there is one already, INVALID_ARG for a name that cannot be, IO
 */
export async function initAuthority(folder: string, cluster = "cluster"): Promise<void> {
  if (!CLUSTER_NAME.test(cluster)) {
    throw new RgtpError(
      "INVALID_ARG",
      `'${cluster}' cannot be a cluster's name: up to 63 letters, digits, '.', '_' and '-'`,
    );
  }
  if (await isThere(`${folder}/authority.key`)) {
    throw new RgtpError(
      "EXISTS",
      `there is an authority in '${folder}' already: another one would make all of its nodes strangers; name another folder`,
      { data: { path: folder } },
    );
  }
  await makeFolder(`${folder}/nodes`);
  const { createAuthority } = await import("./authority.ts");
  const { cert, key } = await createAuthority(cluster);
  await replaceText(`${folder}/secret`, `${systemRandom(SECRET_BYTES).toHex()}\n`);
  await replaceText(`${folder}/authority.pem`, `${cert}\n`);
  // Last: an authority whose key is there is whole.
  await replaceText(`${folder}/authority.key`, `${key}\n`);
}

/**
 * Makes the certificate of a new node.
 *
 * @throws {RgtpError} EXISTS when the node has one, NOT_FOUND without an authority, INVALID_ARG for an ID that cannot be, IO
 */
export async function issueNode(folder: string, nodeId: string, now?: number): Promise<IssuedNode> {
  if (await isThere(`${folder}/nodes/${nodeId}/cert.pem`)) {
    throw new RgtpError(
      "EXISTS",
      `'${nodeId}' has a certificate already: 'rgtp node ca rotate ${nodeId} --force' makes a new one`,
      { data: { nodeId } },
    );
  }
  return await make(folder, nodeId, now);
}

/**
 * Makes new certificates for nodes whose own are 300 days old. A node that runs takes over what is put in its folder, and keeps its links.
 *
 * @throws {RgtpError} NOT_FOUND without an authority, or for a node that has no certificate; IO
 */
export async function rotateNodes(folder: string, options: RotateOptions = {}): Promise<IssuedNode[]> {
  const { force = false, now = Date.now() } = options;
  const { ROTATE_DAYS } = await import("./authority.ts");
  const made: IssuedNode[] = [];
  for (const nodeId of options.nodeIds ?? await nodesOf(folder)) {
    const { begins } = certificateFacts(await readText(`${folder}/nodes/${nodeId}/cert.pem`));
    if (force || now - begins >= ROTATE_DAYS * DAY_MS) made.push(await make(folder, nodeId, now));
  }
  return made;
}

/** What a node needs. @throws {RgtpError} NOT_FOUND, IO, INVALID_ARG for a damaged secret */
export async function readNodeFolder(folder: string): Promise<NodeFolder> {
  const [cert, key, ca, secret] = await Promise.all(
    ["cert.pem", "key.pem", "authority.pem", "secret"].map((name) => readText(`${folder}/${name}`)),
  );
  const hex = secret.trim();
  if (!/^(?:[0-9a-f]{2}){16,64}$/.test(hex)) {
    throw new RgtpError("INVALID_ARG", `'${folder}/secret' is damaged: take it from the authority's folder`);
  }
  return { credentials: { cert, key, ca }, secret: Uint8Array.fromHex(hex) };
}

async function nodesOf(folder: string): Promise<string[]> {
  const names: string[] = [];
  if (await isThere(`${folder}/nodes`)) {
    for await (const { name, isDirectory } of Deno.readDir(`${folder}/nodes`)) {
      if (isDirectory) names.push(name);
    }
  }
  return names.sort();
}

async function make(folder: string, nodeId: string, now?: number): Promise<IssuedNode> {
  const [cert, key, secret] = await Promise.all([
    readText(`${folder}/authority.pem`),
    readText(`${folder}/authority.key`),
    readText(`${folder}/secret`),
  ]);
  const { issueCertificate } = await import("./authority.ts");
  const pair = await issueCertificate({ cert, key }, nodeId, now === undefined ? {} : { now });
  const place = `${folder}/nodes/${nodeId}`;
  await makeFolder(place);
  await replaceText(`${place}/authority.pem`, cert);
  await replaceText(`${place}/secret`, secret);
  // A node that looks between these two finds a key that is not the certificate's, and looks again later.
  await replaceText(`${place}/key.pem`, `${pair.key}\n`);
  await replaceText(`${place}/cert.pem`, `${pair.cert}\n`);
  return { nodeId, folder: place, expires: certificateFacts(pair.cert).expires };
}
