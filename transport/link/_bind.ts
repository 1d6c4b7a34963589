import { canonicalHost, formatAddress, isIpAddress, isIpv6 } from "../../codec/address.ts";
import { type ErrorName, RgtpError } from "../../core/errors.ts";
import type { LinkOptions } from "./link.ts";

/**
 * Options with a canonical host: `::ffff:127.0.0.1` would else become an IPv6 socket that no IPv6 peer can reach.
 *
 * @throws {TypeError} when the host is empty
 * @throws {RangeError} when the port is not one
 */
export function checkedOptions(options: LinkOptions): LinkOptions {
  const { host, port } = options;
  if (host === "") {
    throw new TypeError("the host to bind is empty: say 0.0.0.0, :: or an address of this machine");
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`the port to bind is ${port}: it must be 0 (any free one) to 65535`);
  }
  return { ...options, host: canonicalHost(host) };
}

/** The error for a socket that could not be bound: what, where, and what to do. */
export function bindError(cause: unknown, options: LinkOptions): RgtpError {
  const where = formatAddress(options);
  if (cause instanceof RgtpError) return cause;
  const [condition, text] = explain(cause, options, where);
  return new RgtpError(condition, text, { cause, data: { host: options.host, port: options.port } });
}

/** The error for a link that is used after its end. */
export function closedError(kind: string, local: LinkOptions): RgtpError {
  return new RgtpError(
    "SOCKET",
    `the ${kind} link at ${formatAddress(local)} is closed: open another one to go on sending`,
  );
}

/** The error for a link whose socket failed for good. */
export function deadError(kind: string, local: LinkOptions, cause: unknown): RgtpError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new RgtpError(
    "SOCKET",
    `the ${kind} link at ${formatAddress(local)} has failed (${text}): close it and open another one`,
    { cause },
  );
}

function explain(cause: unknown, { host, port }: LinkOptions, where: string): [ErrorName, string] {
  const { code, name, message } = facts(cause);
  if (code === "EADDRINUSE") {
    return [
      "ADDRESS_IN_USE",
      `UDP port ${port} of ${host} is taken: choose another port, or 0 for a free one`,
    ];
  }
  // Probed with IPv6 switched off by sysctl: "::" still binds (and serves IPv4), "::1" is "not available".
  const noIpv6 = code === "EAFNOSUPPORT" || (code === "EADDRNOTAVAIL" && (host === "::" || host === "::1"));
  if (noIpv6 && isIpv6(host)) {
    return ["SOCKET", `cannot bind ${where}: IPv6 is off on this machine; bind 0.0.0.0 or an IPv4 address`];
  }
  if (code === "EADDRNOTAVAIL") {
    return [
      "INVALID_ARG",
      `${host} is not an address of this machine: bind one that it has, or 0.0.0.0 or ::`,
    ];
  }
  if (name === "NotCapable" || code === "EPERM") {
    return [
      "SOCKET",
      `not permitted to bind ${where}: run with --allow-net=${where}, or with a bare --allow-net to answer any peer`,
    ];
  }
  if (code === "EACCES") {
    return ["SOCKET", `the system does not let this user bind ${where}: choose a port above 1023`];
  }
  if (code === "EMFILE") {
    return [
      "SOCKET",
      `cannot bind UDP ${where}: too many files are open; raise the limit (ulimit -n) or run fewer at once`,
    ];
  }
  if (!isIpAddress(host)) {
    return [
      "INVALID_ARG",
      `cannot bind "${host}": no address was found for that name (${message}); use an IP address`,
    ];
  }
  return ["SOCKET", `cannot bind UDP ${where}: ${message}`];
}

/** Errors of Deno carry a `code` only since some version, and not all do; their names are stable. */
function facts(cause: unknown): { code: string; name: string; message: string } {
  if (!(cause instanceof Error)) return { code: "", name: "", message: String(cause) };
  const code: unknown = Reflect.get(cause, "code");
  const byName: Record<string, string> = { AddrInUse: "EADDRINUSE", AddrNotAvailable: "EADDRNOTAVAIL" };
  return {
    code: typeof code === "string" && code !== "" ? code : byName[cause.name] ?? "",
    name: cause.name,
    message: cause.message,
  };
}
