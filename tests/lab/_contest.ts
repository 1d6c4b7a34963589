/*
 * What a contest is: somebody moves a file from one side to the other, and is judged by what has arrived and when.
 */
import { sha256Of } from "../real/_files.ts";
import type { MadeFile } from "../real/_files.ts";
import type { Place } from "./_place.ts";

/** Somebody who can move a file. */
export interface Contestant {
  readonly name: string;
  /** Why it cannot take part here; empty when it can. */
  whyNot(): Promise<string>;
  /** Begins to serve a file at the exposer's side; `folder` is for whatever it needs. */
  serve(place: Place, file: MadeFile, folder: string): Promise<Service>;
}

/** A file that is being served; no more when it is disposed of. */
export interface Service extends AsyncDisposable {
  /** Where, at the exposer's side. */
  readonly port: number;
  /** Moves the file to the path `out` at the puller's side, or what of it can be moved in so many seconds. */
  fetch(out: string, secondsMax: number): Promise<Fetched>;
}

/** What came of moving a file. */
export interface Fetched {
  /** All of it came, it was cut off, or the contestant gave up. */
  readonly outcome: "whole" | "cut off" | "failed";
  /** What a contestant that gave up said. */
  readonly said?: string;
  /** Bytes of the file that came. */
  readonly bytes: number;
  /** From the first request to the last byte: verified where the contestant verifies. When cut off: all the time that it had. */
  readonly seconds: number;
  /** Before the first request: from the first packet on. */
  readonly handshakeSeconds: number;
  /** Before and after: start of the program, its end. */
  readonly otherSeconds: number;
}

/** Bytes are taken for moved only when they are the right ones. @throws {Error} when they are not */
export async function expectSame(file: MadeFile, out: string): Promise<void> {
  if (await sha256Of(out) !== file.sha256) throw new Error(`${out} is not what was sent`);
}
