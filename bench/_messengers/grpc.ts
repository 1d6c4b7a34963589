import { Buffer } from "node:buffer";
import { install, load } from "../_peers/install.ts";
import { beat, checkBeat, megabyte, type Protocol, SERVER } from "./messenger.ts";

const NAME = "@grpc/grpc-js";
const VERSION = "1.14.7";

type Callback = (error: Error | null, value?: unknown) => void;
interface Writable {
  write(value: unknown): boolean;
  end(): void;
  once(event: "drain", listener: () => void): void;
}
interface Readable {
  on(event: "data", listener: (value: never) => void): void;
  on(event: "end", listener: () => void): void;
}
interface Client {
  ping(value: unknown, callback: Callback): void;
  beats(callback: Callback): Writable;
  bulk(callback: Callback): Writable;
  close(): void;
}
interface Server {
  addService(service: unknown, handlers: Record<string, unknown>): void;
  bindAsync(
    address: string,
    credentials: unknown,
    callback: (error: Error | null, port: number) => void,
  ): void;
}
/** What its documentation says of it, as far as it is used here. */
interface Grpc {
  Server: new (options: Record<string, number>) => Server;
  ServerCredentials: { createSsl(ca: Buffer, pairs: readonly unknown[], demand: boolean): unknown };
  credentials: { createSsl(ca: Buffer, key: Buffer, cert: Buffer): unknown };
  makeGenericClientConstructor(
    service: unknown,
    name: string,
  ): new (address: string, credentials: unknown, options: Record<string, number>) => Client;
}

const json = {
  serialize: (value: unknown) => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes: Buffer) => JSON.parse(bytes.toString()),
};
const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };

function method(name: string, requestStream: boolean, request: typeof json | typeof bytes): unknown {
  return {
    path: `/bench/${name}`,
    requestStream,
    responseStream: false,
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: json.serialize,
    responseDeserialize: json.deserialize,
  };
}
/** JSON as NATS has it, where others would have a compiler of `.proto` files. */
const service = {
  ping: method("ping", false, json),
  beats: method("beats", true, json),
  bulk: method("bulk", true, bytes),
};
const unlimited = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/** gRPC: a stream of messages, and a call for the rest. */
export const grpc: Protocol = {
  name: "gRPC",
  promise: "a stream, once",
  prepare: () => install(`${NAME}@${VERSION}`),

  async serve({ cert, key, ca }) {
    const { Server, ServerCredentials } = load(NAME) as Grpc;
    const server = new Server(unlimited);
    const counted = (look: (value: never) => void) => (call: Readable, callback: Callback) => {
      let count = 0;
      call.on("data", (value) => {
        look(value);
        count++;
      });
      call.on("end", () => callback(null, { count }));
    };
    server.addService(service, {
      ping: (_call: unknown, callback: Callback) => callback(null, {}),
      beats: counted(checkBeat),
      bulk: counted(() => {}),
    });
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
    const credentials = ServerCredentials.createSsl(Buffer.from(ca), [pair], true);
    return await new Promise((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", credentials, (error, port) => error ? reject(error) : resolve(port))
    );
  },

  dial({ cert, key, ca }, port) {
    const { credentials, makeGenericClientConstructor } = load(NAME) as Grpc;
    const secure = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));
    const Bench = makeGenericClientConstructor(service, "bench");
    const client = new Bench(`${SERVER}:${port}`, secure, unlimited);
    const chunk = Buffer.from(megabyte());
    const stream = async (name: "beats" | "bulk", value: unknown, count: number) => {
      const { promise, resolve, reject } = Promise.withResolvers<{ count: number }>();
      const call = client[name]((error, sums) => error ? reject(error) : resolve(sums as { count: number }));
      for (let i = 0; i < count; i++) {
        if (!call.write(value)) await new Promise<void>((resolve) => call.once("drain", resolve));
      }
      call.end();
      const sums = await promise;
      if (sums.count !== count) throw new Error(`gRPC: ${JSON.stringify(sums)}`);
    };
    return Promise.resolve({
      beats: (count) => stream("beats", beat, count),
      ping: () =>
        new Promise((resolve, reject) => client.ping({}, (error) => error ? reject(error) : resolve())),
      bulk: (count) => stream("bulk", chunk, count),
      close: () => Promise.resolve(client.close()),
    });
  },
};
