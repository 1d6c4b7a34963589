/*
 * Pulls the same thing many times at once, each with a socket of its own, and compares every chunk with the file that was exposed. Prints
 * {@linkcode Pulled}.
 *
 *   _many_pullers.ts TICKET FILE PULLERS TIMES
 */
import { Buffer } from "node:buffer";
import { pull } from "../transport/mod.ts";

/** How it went. */
export interface Pulled {
  /** How long each pull took. */
  readonly seconds: readonly number[];
  /** What those said that failed. */
  readonly failed: readonly string[];
}

async function pullAll(ticket: string, path: string, pullers: number, times: number): Promise<Pulled> {
  const source = Deno.readFileSync(path);
  const seconds: number[] = [];
  const failed: string[] = [];
  const pullOne = async () => {
    const started = performance.now();
    let [bytes, chunkSize] = [0, 0];
    for await (const chunk of pull(ticket)) {
      // All but the last one are as long as each other, and the last one alone may come first.
      if (chunk.index === 0 || chunk.bytes.length > chunkSize) chunkSize = chunk.bytes.length;
      const at = bytes + chunk.bytes.length === source.length && chunk.bytes.length < chunkSize
        ? source.length - chunk.bytes.length
        : chunk.index * chunkSize;
      if (Buffer.compare(chunk.bytes, source.subarray(at, at + chunk.bytes.length)) !== 0) {
        throw new Error(`chunk ${chunk.index} is not what was exposed`);
      }
      bytes += chunk.bytes.length;
    }
    if (bytes !== source.length) throw new Error(`${bytes} bytes came, not ${source.length}`);
    seconds.push((performance.now() - started) / 1000);
  };
  await Promise.all(Array.from({ length: pullers }, async () => {
    for (let i = 0; i < times; i++) await pullOne().catch((error) => failed.push(String(error)));
  }));
  return { seconds, failed };
}

if (import.meta.main) {
  const [ticket, path, pullers, times] = Deno.args;
  console.log(JSON.stringify(await pullAll(ticket, path, Number(pullers), Number(times))));
  Deno.exit(0);
}
