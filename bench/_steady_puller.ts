/*
 * Pulls the same file again and again. For each line that it reads it prints `{pulls}`: how often it has done so.
 *
 *   _steady_puller.ts TICKET OUT
 */
import { pull } from "../transport/mod.ts";
import { lines } from "./_processes.ts";

const [ticket, out] = Deno.args;
let pulls = 0;

async function pullOn(): Promise<never> {
  for (;; pulls++) {
    await pull(ticket).saveTo(out);
    await Deno.remove(out);
  }
}

const failed = pullOn().catch((error) => {
  console.error(error);
  Deno.exit(1);
});
for await (const _ of lines(Deno.stdin.readable)) console.log(JSON.stringify({ pulls }));
await failed;
