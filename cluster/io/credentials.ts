import { createPrivateKey, X509Certificate } from "node:crypto";
import { RgtpError } from "../../core/errors.ts";
import { nodeIdOf } from "./tls.ts";
import type { Credentials } from "./tls.ts";

/** What a node's certificate says. */
export interface CertificateFacts {
  /** Whose it is. */
  readonly nodeId: string;
  /** From when, ms since 1970. */
  readonly begins: number;
  /** Until when, ms since 1970. */
  readonly expires: number;
}

/** What a certificate says, without looking whether it is to be believed. @throws {RgtpError} INVALID_ARG */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = parse(pem, "the certificate");
  const nodeId = nodeIdOf(certificate.subjectAltName ?? "");
  if (nodeId === undefined) {
    throw invalid("the certificate names no node: 'rgtp node ca issue NODE' makes one that does");
  }
  return {
    nodeId,
    begins: Date.parse(certificate.validFrom),
    expires: Date.parse(certificate.validTo),
  };
}

/**
 * What the certificate says, after a look at whether key and authority belong to it: better than a handshake that fails without a word.
 *
 * @throws {RgtpError} INVALID_ARG
 */
export function checkedCredentials(
  { cert, key, ca }: Credentials,
  now: number = Date.now(),
): CertificateFacts {
  const facts = certificateFacts(cert);
  const certificate = parse(cert, "the certificate");
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    throw invalid(`the key cannot be read: ${(cause as Error).message}`, cause);
  }
  if (!certificate.checkPrivateKey(privateKey)) throw invalid("the key is not that of the certificate");
  if (!certificate.verify(parse(ca, "the certificate of the authority").publicKey)) {
    throw invalid("the certificate is of another authority: this node would be refused everywhere");
  }
  if (facts.expires <= now) {
    throw invalid(
      `the certificate of '${facts.nodeId}' ended at ${
        new Date(facts.expires).toISOString()
      }: 'rgtp node ca rotate' makes a new one`,
    );
  }
  return facts;
}

function parse(pem: string, what: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw invalid(`${what} cannot be read: ${(cause as Error).message}`, cause);
  }
}

function invalid(message: string, cause?: unknown): RgtpError {
  return new RgtpError("INVALID_ARG", message, { cause });
}
