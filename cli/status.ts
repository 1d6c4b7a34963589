import type { KnownExposure, KnownTicket } from "../transport/exposure/registry.ts";
import type { Parsed } from "./_args.ts";
import { defineCommand } from "./_command.ts";
import type { Command } from "./_command.ts";
import type { Io } from "./_io.ts";
import { emit } from "./_report.ts";
import { stateFlags, statePermissions, withRegistry } from "./_state.ts";
import { formatBytes, formatTime, visible } from "./_text.ts";

/** `rgtp status`. */
export const statusCommand: Command = defineCommand({
  summary: "lists what was exposed from here, and the tickets to it",
  operands: { required: [], optional: [] },
  flags: stateFlags,
  details: [
    "An exposure is listed until its file is exposed again with another content, whether it is served now or not; that of a stream as " +
    "long as it is served. Tickets are named by ID and label: what opens them is not kept, and nobody can print it again.",
  ],
  examples: ["", "--json"],
  permissions: statePermissions,
  run: ({ flags }, io) => Promise.resolve(runStatus(flags, io)),
});

function runStatus(flags: Parsed<typeof stateFlags>["flags"], io: Io): number {
  const exposures = withRegistry(flags, (registry) => registry.list());
  if (flags.json) { for (const exposure of exposures) emit(io, "exposure", { ...exposure }); }
  else if (exposures.length === 0) io.err("nothing has been exposed from here\n");
  else for (const line of exposures.flatMap((exposure) => linesOf(exposure, Date.now()))) io.out(line);
  return 0;
}

/** An exposure for people, at a wall-clock time. */
export function linesOf(
  { path, id, size, sealedAtMs, served, tickets, policy, isStream }: KnownExposure,
  now: number,
): string[] {
  const last = served
    ? `, served last as ${visible(served.name)} on ${served.addresses.map(visible).join(", ")} from ${
      formatTime(served.sinceMs)
    }`
    : "";
  return [
    isStream ? `${path} (a stream or bytes in memory: known here while it is served)` : visible(path),
    `  ${id}`,
    `  ${formatBytes(size)} (${size} bytes), sealed ${formatTime(sealedAtMs)}${last}`,
    ...(policy === "" ? [] : [`  policy: ${visible(policy)}`]),
    ...tickets.map((ticket) => `  ticket ${ticketLine(ticket, now)}`),
  ];
}

/** A ticket for people: ID, label, and from when until when. */
export function ticketLine({ id, label, createdMs, expiresMs }: KnownTicket, now: number): string {
  const name = label === "" ? "" : ` '${visible(label)}'`;
  const made = createdMs === undefined ? "" : `, made ${formatTime(createdMs)}`;
  const ends = expiresMs === undefined
    ? ""
    : `, ${expiresMs < now ? "expired" : "good until"} ${formatTime(expiresMs)}`;
  return `${id}${name}${made}${ends}`;
}
