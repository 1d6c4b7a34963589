import { formatAddress } from "../codec/address.ts";
import type { Address } from "../codec/address.ts";
import { isPublicAddress } from "../codec/public_address.ts";
import type { ContactChoice } from "../transport/addresses.ts";
import type { FlagTable } from "./_args.ts";

/** Whom a ticket may lead to. */
export const contactFlags = {
  "public-only": {
    kind: "boolean",
    help:
      "contact nobody but at addresses of the Internet, not in private networks and not on this machine: for tickets from strangers",
  },
} as const satisfies FlagTable;

/** What they say; commands without the flag say nothing. `own` are addresses of this process itself. */
export function contactOptions(
  flags: { readonly "public-only"?: boolean | undefined },
  own: readonly Address[] = [],
): ContactChoice {
  if (!flags["public-only"]) return {};
  const mine = new Set(own.map(formatAddress));
  return { mayContact: (address) => isPublicAddress(address) || mine.has(formatAddress(address)) };
}
