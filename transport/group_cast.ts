import { formatAddress, parseAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { isGroupHost } from "../codec/group.ts";
import { RgtpError } from "../core/errors.ts";
import type { Random } from "../core/machine.ts";
import type { Link } from "./link/link.ts";
import { openGroupSender } from "./link/open_group.ts";
import type { LinkKind } from "./link/open_link.ts";
import type { ExposedCast } from "./protocol/exposed.ts";
import { DEFAULT_RATE_POLICY } from "./protocol/group_rate.ts";
import type { RatePolicy } from "./protocol/group_rate.ts";

/** A multicast group that carries an exposure to all who pull it at the same time. */
export interface CastOptions {
  /** `239.x.y.z:port`, or `[ff02::…]:port` (ff05, ff08 for more than one network): all who are in it can forge, and none can read without a grant. */
  readonly group: string;
  /** The network interface that it is sent by; absent: the one that the system's routes say. */
  readonly interface?: string;
  /** How many networks it may pass: 1 when absent, this one alone. */
  readonly hops?: number;
  /** It begins when so many receivers are there, or a minute after the first; absent: soon after the first. */
  readonly receivers?: number;
  /** How fast: as the slowest receiver can take it, as a share of them can, or so many bytes a second; absent: as three of four can. */
  readonly rate?: RatePolicy;
}

const SYMBOL_SIZE = 1428;
const HOPS_MAX = 255;
const RECEIVERS_MAX = 4096;

/**
 * What an exposure's machine has to know of its group.
 *
 * @throws {RgtpError} INVALID_ARG when it is no group that may be used
 * @throws {RangeError} when a number is out of its range
 */
export function exposedCast({ group, hops, receivers, rate }: CastOptions, random: Random): ExposedCast {
  inRange("hops", hops, HOPS_MAX);
  inRange("receivers", receivers, RECEIVERS_MAX);
  if (rate?.name === "percentile" && !(rate.share > 0 && rate.share <= 1)) {
    throw new RangeError(`rate.share is ${rate.share}: it must be above 0, and at most 1`);
  }
  return {
    group: { address: groupAddress(group), tag: random(8), key: random(32), symbolSize: SYMBOL_SIZE },
    policy: rate ?? DEFAULT_RATE_POLICY,
    ...(receivers !== undefined && { receivers }),
  };
}

/** The link that sends to it. @throws {RgtpError} INVALID_ARG, SOCKET, NOT_SUPPORTED */
export function castLink({ group, hops, interface: name }: CastOptions, kind?: LinkKind): Promise<Link> {
  if (kind === "ethernet") {
    throw new RgtpError(
      "INVALID_ARG",
      "multicast goes over UDP: choose another link than ethernet, or no group",
    );
  }
  return openGroupSender({
    group: groupAddress(group),
    ...(name !== undefined && { interfaceName: name }),
    ...(hops !== undefined && { hops }),
    ...(kind && { kind }),
  });
}

function groupAddress(text: string): Address {
  const address = parseAddress(text);
  if (address && address.port > 0 && isGroupHost(address.host)) return address;
  const given = address ? formatAddress(address) : text;
  throw new RgtpError(
    "INVALID_ARG",
    `'${given}' is no multicast group that may be used: say 239.x.y.z:PORT, or [ff02::x]:PORT (ff05 within a site, ff08 within an organisation)`,
  );
}

function inRange(what: string, value: number | undefined, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)) return;
  throw new RangeError(`${what} is ${value}: it must be a whole number from 1 to ${most}`);
}
