/*
 * nats-server with JetStream, in a process of its own, for tests of stores on it.
 */
import net from "node:net";

/** Whether there is one to start. */
export const hasNats: boolean = await isThere();

async function isThere(): Promise<boolean> {
  try {
    return (await new Deno.Command("nats-server", { args: ["--version"], stdout: "null", stderr: "null" })
      .output()).success;
  } catch {
    return false;
  }
}

/** A server that listens on the loopback interface, and ends with the block. */
export class NatsServer implements Disposable {
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  /** Where it is. */
  readonly url: string;

  private constructor(child: Deno.ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.url = `nats://127.0.0.1:${port}`;
  }

  /** Starts one, and waits until it answers. */
  static async start(): Promise<NatsServer> {
    const folder = await Deno.makeTempDir({ prefix: "rnp-nats-" });
    const port = await freePort();
    const child = new Deno.Command("nats-server", {
      args: ["-js", "-a", "127.0.0.1", "-p", `${port}`, "-sd", folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const server = new NatsServer(child, folder, port);
    for (let attempt = 0; attempt < 200; attempt++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return server;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    server[Symbol.dispose]();
    throw new Error("nats-server does not answer");
  }

  /** Ends it, and removes what it has kept. */
  [Symbol.dispose](): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
