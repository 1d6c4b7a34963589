import { limits } from "../../core/limits.ts";

const NODE_ID = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Whether a text can be a node's ID: lower-case letters, digits and hyphens, as one label of a host name (RFC 1123 §2.1), since it
 * stands as such in the node's certificate.
 */
export function isNodeId(text: string): boolean {
  return text.length > 0 && text.length <= limits.nodeIdCharsMax && NODE_ID.test(text);
}
