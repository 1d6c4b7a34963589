import net from "node:net";
import type { Credentials } from "../../cluster/mod.ts";
import { install, load } from "../_peers/install.ts";
import { beat, checkBeat, megabyte, type Protocol, SERVER } from "./messenger.ts";

const NAME = "@nats-io/transport-node";
const VERSION = "3.4.0";

/** What its documentation says of it, as far as it is used here. */
interface Message {
  readonly data: Uint8Array;
  json<T>(): T;
  respond(data?: string): boolean;
}
interface Connection {
  publish(subject: string, data: string | Uint8Array): void;
  request(subject: string, data?: string, options?: { timeout: number }): Promise<Message>;
  subscribe(subject: string, options: { callback: (error: Error | null, message: Message) => void }): void;
  flush(): Promise<void>;
  close(): Promise<void>;
}
interface Nats {
  connect(options: Record<string, unknown>): Promise<Connection>;
}

/** Between two flushes: as much as a connection should hold unsent. */
const UNSENT_BYTES = 1_000_000;
const TIMEOUT = { timeout: 60_000 };

function connect({ cert, key, ca }: Credentials, port: number): Promise<Connection> {
  return (load(NAME) as Nats).connect({ servers: `${SERVER}:${port}`, tls: { cert, key, ca } });
}

/** NATS without JetStream: publish and subscribe through its server. */
export const nats: Protocol = {
  name: "NATS",
  promise: "at most once",

  async prepare() {
    try {
      await new Deno.Command("nats-server", { args: ["--version"], stdout: "null", stderr: "null" }).output();
    } catch {
      return "there is no nats-server";
    }
    return await install(`${NAME}@${VERSION}`);
  },

  async between(folder) {
    const port = await freePort();
    const at = `${folder}/nodes/${SERVER}`;
    const config = `listen: "127.0.0.1:${port}"
tls { cert_file: "${at}/cert.pem", key_file: "${at}/key.pem", ca_file: "${at}/authority.pem", verify: true }`;
    await Deno.writeTextFile(`${folder}/nats.conf`, config);
    const args = ["-c", `${folder}/nats.conf`];
    const child = new Deno.Command("nats-server", { args, stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    for (let attempt = 0; attempt < 200 && !await isListening(port); attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return {
      port,
      async [Symbol.asyncDispose]() {
        child.kill("SIGKILL");
        await child.status;
      },
    };
  },

  async serve(credentials, port) {
    const connection = await connect(credentials, port);
    let [beats, chunks] = [0, 0];
    const on = (subject: string, deal: (message: Message) => void) =>
      connection.subscribe(subject, {
        callback(error, message) {
          if (error) throw error;
          deal(message);
        },
      });
    on("beat", (message) => {
      checkBeat(message.json());
      beats++;
    });
    on("chunk", ({ data }) => void (chunks += data.length / 1_000_000));
    on("ping", (message) => void message.respond());
    on("sums", (message) => void message.respond(JSON.stringify({ beats, chunks })));
    await connection.flush();
    return port;
  },

  async dial(credentials, port) {
    const connection = await connect(credentials, port);
    const chunk = megabyte();
    let [beats, chunks] = [0, 0];
    // It holds what is not sent, without a bound: so somebody has to wait for it now and then.
    const send = async (subject: string, make: () => string | Uint8Array, count: number) => {
      for (let i = 0, unsent = 0; i < count; i++) {
        const data = make();
        connection.publish(subject, data);
        unsent += data.length;
        if (unsent < UNSENT_BYTES) continue;
        await connection.flush();
        unsent = 0;
      }
    };
    const check = async () => {
      const sums = (await connection.request("sums", "", TIMEOUT)).json<{ beats: number; chunks: number }>();
      if (sums.beats !== beats || sums.chunks !== chunks) throw new Error(`NATS: ${JSON.stringify(sums)}`);
    };
    return {
      async beats(count) {
        await send("beat", () => JSON.stringify(beat), count);
        beats += count;
        await check();
      },
      ping: async () => void await connection.request("ping", "", TIMEOUT),
      async bulk(count) {
        await send("chunk", () => chunk, count);
        chunks += count;
        await check();
      },
      close: () => connection.close(),
    };
  },
};

async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
