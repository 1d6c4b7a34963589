// The certificates' library finds its parts by decorators, which this gives it.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { RgtpError } from "../../core/errors.ts";
import { systemRandom } from "../../core/machine.ts";
import { isNodeId } from "../protocol/node_id.ts";

/** A certificate and its key, in PEM. */
export interface KeyPair {
  /** The certificate. */
  readonly cert: string;
  /** The key that belongs to it: a secret. */
  readonly key: string;
}

/** How a certificate is made. */
export interface IssueOptions {
  /** When it begins, ms since 1970; now when nothing is said. */
  readonly now?: number;
  /** How long it is good. */
  readonly days?: number;
}

/** A node's certificate is good for so many days. */
export const NODE_DAYS = 365;
/** From this age on, in days, a node's certificate is replaced. */
export const ROTATE_DAYS = 300;
/** The authority itself: it is in every node's folder, and replacing it means to visit all of them. */
const AUTHORITY_DAYS = 3650;

const DAY_MS = 86_400_000;
/** Clocks differ: a certificate is good a little before it was made. */
const EARLY_MS = 300_000;

// P-256 is what every TLS library takes, and its signatures are small.
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const SERVER_AND_CLIENT = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

/** Makes the authority of a new cluster. `cluster` is its name, for people. */
export async function createAuthority(cluster: string, options: IssueOptions = {}): Promise<KeyPair> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(options, AUTHORITY_DAYS),
    serialNumber: newSerial(),
    name: [{ CN: [cluster] }],
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      // It signs nodes, and no other authorities.
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys) };
}

/**
 * Makes a certificate for a node, with a new key. The node's ID is the only host name in it.
 *
 * @throws {RgtpError} INVALID_ARG for an ID that cannot be, or an authority whose files do not belong together
 */
export async function issueCertificate(
  authority: KeyPair,
  nodeId: string,
  options: IssueOptions = {},
): Promise<KeyPair> {
  if (!isNodeId(nodeId)) {
    throw new RgtpError(
      "INVALID_ARG",
      `'${nodeId}' cannot be a node's ID: it has 1 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends`,
    );
  }
  const { issuer, signingKey } = await readAuthority(authority);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(options, NODE_DAYS),
    serialNumber: newSerial(),
    subject: [{ CN: [nodeId] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(SERVER_AND_CLIENT),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: nodeId }]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  });
  return { cert: certificate.toString("pem"), key: await exportKey(keys) };
}

async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function exportKey({ privateKey }: CryptoKeyPair): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY");
}

async function readAuthority(
  { cert, key }: KeyPair,
): Promise<{ issuer: x509.X509Certificate; signingKey: CryptoKey }> {
  try {
    const issuer = new x509.X509Certificate(cert);
    const signingKey = await crypto.subtle.importKey(
      "pkcs8",
      x509.PemConverter.decodeFirst(key),
      algorithm,
      false,
      [
        "sign",
      ],
    );
    return { issuer, signingKey };
  } catch (cause) {
    throw new RgtpError(
      "INVALID_ARG",
      `the authority's certificate or key cannot be read: ${
        (cause as Error).message
      }; take them from a backup`,
      { cause },
    );
  }
}

/** RFC 5280 §4.1.2.2: positive, at most 20 bytes. */
function newSerial(): string {
  const serial = systemRandom(16);
  serial[0] = (serial[0] & 0x7f) | 0x40;
  return serial.toHex();
}

function validity(
  { now = Date.now(), days }: IssueOptions,
  usual: number,
): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - EARLY_MS), notAfter: new Date(now + (days ?? usual) * DAY_MS) };
}
