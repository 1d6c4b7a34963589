import { type ErrorName, RgtpError } from "../../core/errors.ts";
import type { EthernetOptions } from "./ethernet.ts";

/** By the `code` of what went wrong: the condition, what, and what to do. */
const reasons: Readonly<Record<string, readonly [ErrorName, (options: EthernetOptions) => string]>> = {
  NO_LIBC: [
    "NOT_SUPPORTED",
    () =>
      "the link kind ethernet needs Linux and Deno's permission to call its C library: run with --allow-ffi=/lib (/lib64 where that " +
      "library is there)",
  ],
  NO_NET: [
    "SOCKET",
    () =>
      "Deno does not permit raw Ethernet, which reaches whoever is on the cable: run with a bare --allow-net",
  ],
  EPERM: [
    "SOCKET",
    ({ interface: name }) =>
      `the system does not let this user send raw frames on ${name}: run it as root, or give Deno the capability CAP_NET_RAW ` +
      "(setcap cap_net_raw+ep on its executable, or cap_add in a container)",
  ],
  ENODEV: [
    "INVALID_ARG",
    ({ interface: name }) =>
      `there is no interface ${JSON.stringify(name)} here: 'ip link' lists those that there are`,
  ],
  NOT_ETHERNET: [
    "INVALID_ARG",
    ({ interface: name }) => `${name} is no Ethernet: choose a network card, a bridge, or a veth`,
  ],
  SMALL_MTU: [
    "INVALID_ARG",
    ({ interface: name }) =>
      `frames of ${name} are too short: it needs an MTU of 1232 at least ('ip link set ${name} mtu 1500')`,
  ],
  IS_DOWN: ["SOCKET", ({ interface: name }) => `the interface ${name} is down: 'ip link set ${name} up'`],
  EADDRINUSE: [
    "ADDRESS_IN_USE",
    ({ interface: name, port }) =>
      port === 0
        ? `no port of ${name} is free`
        : `port ${port} of ${name} is taken by another program here: choose another port, or 0 for a free one`,
  ],
  EAFNOSUPPORT: [
    "NOT_SUPPORTED",
    () => "this system has no raw sockets (AF_PACKET): use another kind of link",
  ],
};

/** The error for a link that could not be opened: what, where, and what to do. */
export function ethernetError(cause: unknown, options: EthernetOptions): RgtpError {
  const code = typeof cause === "object" && cause !== null ? Reflect.get(cause, "code") : undefined;
  const message = cause instanceof Error ? cause.message : String(code);
  const [condition, text] = reasons[String(code)] ??
    ["SOCKET", ({ interface: name }: EthernetOptions) => `cannot send raw frames on ${name}: ${message}`];
  return new RgtpError(condition, text(options), { cause, data: { interface: options.interface } });
}
