import type { Ticket } from "../codec/ticket.ts";
import { parseTicket } from "../codec/ticket.ts";
import { RgtpError } from "../core/errors.ts";
import type { Io } from "./_io.ts";
import { readLineFile } from "./_line_file.ts";
import { visible } from "./_text.ts";

/**
 * The ticket that an argument names: it is one, or `@FILE` holds it, or (`-`) standard input does, in its first line that is not blank.
 *
 * @throws {RgtpError} INVALID_ARG or TRUNCATED when it is no ticket; NOT_FOUND or IO when there is none to read
 */
export async function readTicket(argument: string, io: Io): Promise<Ticket> {
  if (argument === "-") return ticketIn(await io.readLine(), "standard input");
  if (argument.startsWith("@")) {
    const path = argument.slice(1);
    return ticketIn(await readTicketFile(path), `'${visible(path)}'`);
  }
  return parseTicket(argument);
}

/**
 * The same as text: what an argument is, or what stands where it points to.
 *
 * @throws {RgtpError} NOT_FOUND or IO when there is nothing to read
 */
export async function readTicketText(argument: string, io: Io): Promise<string> {
  if (argument === "-") return await io.readLine();
  return argument.startsWith("@") ? await readTicketFile(argument.slice(1)) : argument;
}

function ticketIn(text: string, where: string): Ticket {
  if (text === "") throw new RgtpError("INVALID_ARG", `there is no ticket in ${where}: it is empty`);
  return parseTicket(text);
}

async function readTicketFile(path: string): Promise<string> {
  if (path === "") throw new RgtpError("INVALID_ARG", "a file's name belongs after the '@'");
  return await readLineFile(path, "ticket");
}
