import type { PackedMap } from "../../codec/msgpack_map.ts";
import { RgtpError } from "../../core/errors.ts";
import { isRnpErrorName, RnpErrorCode } from "../protocol/errors.ts";
import type { RnpErrorName } from "../protocol/errors.ts";
import type { DataOf } from "../protocol/message_data.ts";
import type { Message } from "../protocol/payload.ts";

/** What a handler may answer with. */
export interface Reply {
  /** Its type. */
  readonly type: string;
  /** What it carries. */
  readonly data: PackedMap;
}

/** Deals with a message. What it returns is sent back as the answer; what it throws, as an ERROR. */
export type Handler<T extends string = string> = (
  data: DataOf<T>,
  message: Message,
) => Reply | void | Promise<Reply | void>;

/** How a handler is called. */
export interface HandlerOptions {
  /** Messages of its type do not wait for others of their channel. */
  readonly concurrent?: boolean;
  /**
   * It uses byte strings of a message only until it is done, and passes none of them on: then their memory is used again, which saves a
   * third of what bulk costs. A view of it that was kept is empty from then on.
   */
  readonly borrows?: boolean;
}

/**
 * The handlers of an application, by the types that they deal with. Messages of one channel of one sender are dealt with one after the
 * other, in the order in which they are handed over.
 */
export class Handlers {
  readonly #handlers = new Map<string, { readonly handler: Handler; readonly options: HandlerOptions }>();
  /** The end of what a channel is busy with. */
  readonly #turns = new Map<string, Promise<void>>();

  /** Says who deals with a type; one before it is replaced. */
  set(type: string, handler: Handler, options: HandlerOptions): void {
    this.#handlers.set(type, { handler, options });
  }

  /** Whether a type's handler has no use of a message when it is done with it. */
  borrows(type: string): boolean {
    return this.#handlers.get(type)?.options.borrows ?? false;
  }

  /** Has a message dealt with, and calls `finish` when that is done. Neither throws. */
  run(message: Message, finish: (reply: Reply | void) => void): void {
    const { type, sender, channel } = message;
    const found = this.#handlers.get(type);
    if (!found) return finish(errorReply("NOT_FOUND", `nobody here deals with a '${type}'`));
    if (found.options.concurrent || channel === undefined) {
      return void perform(found.handler, message, finish);
    }
    const turn = `${sender}/${channel}`;
    const before = this.#turns.get(turn);
    // A handler that does not wait costs no promise.
    const running = before
      ? before.then(() => perform(found.handler, message, finish))
      : perform(found.handler, message, finish);
    if (running) this.#occupy(turn, running);
  }

  #occupy(turn: string, running: Promise<void>): void {
    const done: Promise<void> = running.then(() => {
      if (this.#turns.get(turn) === done) this.#turns.delete(turn);
    });
    this.#turns.set(turn, done);
  }
}

function perform(
  handler: Handler,
  message: Message,
  finish: (reply: Reply | void) => void,
): Promise<void> | void {
  let answer: Reply | void | Promise<Reply | void>;
  try {
    answer = handler(message.data, message);
  } catch (error) {
    answer = errorReplyOf(error);
  }
  if (!(answer instanceof Promise)) return finish(answer);
  return answer.catch(errorReplyOf).then(finish);
}

function errorReply(code: RnpErrorName, message: string): Reply {
  return { type: "error", data: { code, number: RnpErrorCode[code], message } };
}

/** What a handler has thrown, for the peer: of an unknown fault nothing but its message. */
function errorReplyOf(error: unknown): Reply {
  const name = error instanceof RgtpError ? String(error.data.name ?? "") : "";
  return errorReply(isRnpErrorName(name) ? name : "INTERNAL_ERROR", messageOf(error));
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
