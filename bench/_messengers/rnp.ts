import { count, record, startNode } from "../../cluster/mod.ts";
import { beat, megabyte, type Protocol, SERVER } from "./messenger.ts";

const sums = record({ beats: count, chunks: count });

/** Ours. */
export const rnp: Protocol = {
  name: "RNP",
  promise: "exactly once",
  prepare: () => Promise.resolve(""),

  async serve(credentials) {
    const node = await startNode({ credentials, listen: { host: "127.0.0.1", port: 0 } });
    let [beats, chunks] = [0, 0];
    node.handle("heartbeat", () => void beats++);
    node.handle("fs.replicate", () => void chunks++, { borrows: true });
    node.define("app.sums", sums);
    node.handle("app.sums", () => ({ type: "app.sums", data: { beats, chunks } }));
    return node.address!.port;
  },

  async dial(credentials, port) {
    const node = await startNode({ credentials, peers: { [SERVER]: { host: "127.0.0.1", port } } });
    node.define("app.sums", sums);
    const chunk_data = megabyte();
    const data = { file_id: "bench", chunk_id: 0, chunk_data, checksum: "sha256:0" };
    let [beats, chunks] = [0, 0];
    const check = async () => {
      const { data } = await node.request(SERVER, "app.sums", { beats: 0, chunks: 0 });
      if (data.beats !== beats || data.chunks !== chunks) throw new Error(`RNP: ${JSON.stringify(data)}`);
    };
    return {
      async beats(count) {
        for (let i = 1; i < count; i++) if (!node.post(SERVER, "heartbeat", beat)) await node.room(SERVER);
        await node.send(SERVER, "heartbeat", beat);
        beats += count;
        await check();
      },
      ping: async () => void await node.ping(SERVER),
      async bulk(count) {
        const options = { pool: "data", channel: "bulk" } as const;
        for (let i = 1; i < count; i++) {
          if (!node.post(SERVER, "fs.replicate", data, options)) await node.room(SERVER);
        }
        await node.send(SERVER, "fs.replicate", data, options);
        chunks += count;
        await check();
      },
      close: () => node.close(),
    };
  },
};
