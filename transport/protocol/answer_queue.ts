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
  /** Answers that the first of them has been given in its turn. */
  #taken = 0;
  readonly #turnMax: number;

  /** A turn is so many answers to one request at most. */
  constructor(turnMax: number) {
    this.#turnMax = turnMax;
  }

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
    const live = this.#turns[0];
    const answer = live.queue.shift()!;
    const next = live.queue.at(0);
    if (!next || next.request !== answer.request || ++this.#taken >= this.#turnMax) {
      this.#taken = 0;
      this.#turns.shift();
      if (next) this.#turns.push(live);
    }
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
    if (turn === 0) this.#taken = 0;
    if (turn >= 0) this.#turns.splice(turn, 1);
  }
}
