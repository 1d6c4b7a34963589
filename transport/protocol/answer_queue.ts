import { limits } from "../../core/limits.ts";
import type { Answer, LiveToken } from "./live_token.ts";

/** Answers that wait to be sent, bounded for each puller and over all; pullers have their turns one after the other. */
export class AnswerQueue {
  /** Bytes that they will send. */
  bytes = 0;
  /** How many they are. */
  answers = 0;
  /** Live tokens with answers waiting. */
  readonly #turns: LiveToken[] = [];

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#turns.length === 0;
  }

  /** Whether so many more, of so many bytes together, have room. */
  hasRoom(answers: number, bytes: number): boolean {
    return this.answers + answers <= limits.answerQueueEntriesMax &&
      this.bytes + bytes <= limits.answerQueueBytesMax;
  }

  /** Puts answers behind the others of a puller. */
  add(live: LiveToken, answers: readonly Answer[], bytes: number): void {
    if (live.queue.length === 0 && answers.length > 0) this.#turns.push(live);
    live.queue.push(...answers);
    live.queuedBytes += bytes;
    this.bytes += bytes;
    this.answers += answers.length;
  }

  /** The next answer of the puller whose turn it is. Not when it is empty. */
  take(): { live: LiveToken; answer: Answer } {
    const live = this.#turns.shift()!;
    const answer = live.queue.shift()!;
    if (live.queue.length > 0) this.#turns.push(live);
    live.queuedBytes -= answer.bytes;
    this.bytes -= answer.bytes;
    this.answers--;
    return { live, answer };
  }

  /** Forgets what waits for a puller. */
  clear(live: LiveToken): void {
    this.bytes -= live.queuedBytes;
    this.answers -= live.queue.length;
    live.queuedBytes = 0;
    live.queue.length = 0;
    const turn = this.#turns.indexOf(live);
    if (turn >= 0) this.#turns.splice(turn, 1);
  }
}
