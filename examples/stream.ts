/*
 * Standard input to standard output over UDP, in two processes: the one exposes what it reads, the other writes what it pulls.
 *
 *   tar c photos | deno run --allow-net --allow-read --allow-write examples/stream.ts expose
 *   deno run --allow-net examples/stream.ts pull TICKET | tar x
 *
 * The exposer prints the ticket, serves one pull, and ends. Everything that is told goes to standard error.
 */
import { expose, pull, RgtpError } from "@red-giant/rgtp";

const [verb, ticket] = Deno.args;
if (verb === "expose") await serveOnce();
else if (verb === "pull" && ticket) Deno.exit(await write(ticket));
else throw new Error("say 'expose', or 'pull TICKET'");

/** The stream is read to its end first: only then is it known what there is to be exposed. */
async function serveOnce(): Promise<void> {
  const { promise: served, resolve } = Promise.withResolvers<void>();
  await using exposure = await expose(Deno.stdin.readable, {
    host: "127.0.0.1",
    port: 0,
    name: "stream",
    onEvent: ({ kind }) => kind === "completed" && resolve(),
  });
  console.log(exposure.ticket);
  await served;
}

/** The stream gives verified bytes in their order, and waits for whoever reads them. Only one that ends without an error was whole. */
async function write(ticket: string): Promise<number> {
  await using one = pull(ticket);
  try {
    await one.readable.pipeTo(Deno.stdout.writable);
  } catch (error) {
    if (!(error instanceof RgtpError)) throw error;
    console.error(`only a part was written: ${error.message}`);
    return 1;
  }
  console.error(`${one.stats().bytes} bytes, verified`);
  return 0;
}
