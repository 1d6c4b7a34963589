import { RgtpError } from "../../core/errors.ts";
import { rnpError } from "../protocol/errors.ts";
import { isPresent } from "../protocol/membership/member.ts";
import type { MemberUpdate } from "../protocol/membership/member.ts";
import { isController } from "../protocol/roles.ts";

/** How things that concern the fleet are sent. */
export const FLEET = { channel: "fleet", pool: "control" } as const;

/** Controllers that take part, those that nobody suspects first. */
export function controllersAmong(members: readonly MemberUpdate[]): string[] {
  return members.filter((update) => isController(update.node) && isPresent(update))
    .sort((a, b) => a.state === b.state ? (a.node < b.node ? -1 : 1) : a.state === "alive" ? -1 : 1)
    .map(({ node }) => node);
}

/** Asks one controller after the other, until one is there. @throws {RgtpError} what it says; NOT_FOUND when there is none */
export async function askControllers<T>(
  controllers: readonly string[],
  ask: (controller: string) => Promise<T>,
): Promise<T> {
  let absent: unknown = rnpError({ code: "NOT_FOUND", message: "no controller takes part in the cluster" });
  for (const controller of controllers) {
    try {
      return await ask(controller);
    } catch (error) {
      // What was perhaps done must not be done by another one again.
      const isAbsent = error instanceof RgtpError && error.condition === "TIMEOUT" && !error.data.uncertain;
      if (!isAbsent) throw error;
      absent = error;
    }
  }
  throw absent;
}
