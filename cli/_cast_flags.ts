import { RgtpError } from "../core/errors.ts";
import type { CastOptions } from "../transport/group_cast.ts";
import type { RatePolicy } from "../transport/protocol/group_rate.ts";
import type { FlagTable, Parsed } from "./_args.ts";
import { visible } from "./_text.ts";
import { valueKinds } from "./_values.ts";

/** How an exposure is sent to a multicast group. */
export const castFlags = {
  multicast: {
    kind: "string",
    placeholder: "GROUP:PORT",
    help:
      "send it once for all who pull at the same time, to a group such as 239.1.2.3:9000 or [ff02::1:2]:9000",
  },
  receivers: {
    kind: "string",
    placeholder: "N",
    help: "with --multicast: begin when so many receivers are there, or a minute after the first",
    default: "begin soon after the first",
  },
  "cast-rate": {
    kind: "string",
    placeholder: "POLICY",
    help:
      "with --multicast: as fast as the 'slowest' receiver can take it, or as a share of them can, such as 75%, or at a rate such as " +
      "100Mbit/s; who cannot keep up pulls for itself",
    default: "75%",
  },
  hops: {
    kind: "string",
    placeholder: "N",
    help: "with --multicast: how many networks it may pass",
    default: "1, this one alone",
  },
} as const satisfies FlagTable;

type CastFlags = Parsed<typeof castFlags>["flags"] & { readonly interface: string | undefined };

/** The group that the flags name; `undefined` for none. @throws {RgtpError} INVALID_ARG for what makes no sense */
export function castOptions(flags: CastFlags): CastOptions | undefined {
  const { multicast: group, interface: name, hops, receivers } = flags;
  const rate = flags["cast-rate"];
  const stray = Object.entries({ hops, receivers, "cast-rate": rate })
    .find(([, value]) => value !== undefined);
  if (group === undefined) {
    if (!stray) return undefined;
    throw new RgtpError("INVALID_ARG", `--${stray[0]} belongs to --multicast`);
  }
  return {
    group,
    ...(name !== undefined && { interface: name }),
    ...(hops !== undefined && { hops: count("hops", hops, 255) }),
    ...(receivers !== undefined && { receivers: count("receivers", receivers, 4096) }),
    ...(rate !== undefined && { rate: policy(rate) }),
  };
}

function count(flag: string, text: string, most: number): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new RgtpError("INVALID_ARG", `--${flag} is '${visible(text)}': say a whole number from 1 to ${most}`);
}

function policy(text: string): RatePolicy {
  if (text === "slowest") return { name: "slowest" };
  const [, percent] = /^(\d{1,3})%$/.exec(text) ?? [];
  if (percent !== undefined && Number(percent) >= 1 && Number(percent) <= 100) {
    return { name: "percentile", share: Number(percent) / 100 };
  }
  const rate = valueKinds.rate.parse(text);
  if (rate !== undefined) return { name: "fixed", rate };
  throw new RgtpError(
    "INVALID_ARG",
    `--cast-rate is '${visible(text)}': say 'slowest', a share such as 75%, or ${valueKinds.rate.allowed}`,
  );
}
