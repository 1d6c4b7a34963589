import { BenchProcess, denoWords } from "../_processes.ts";
import { makeCertificates } from "./certificates.ts";
import { type Contestant, HOST } from "./contest.ts";

const PROGRAM = "bench/_peers/quic_file.ts";

/** QUIC as the runtime has it. */
export const quic: Contestant = {
  name: "Deno QUIC",
  protects: "QUIC TLS",
  programs: { openssl: "openssl" },
  asked: { file: 2.2 },
  serve: async ({ path }, { folder, via }) => {
    const { leaf, key, authority } = await makeCertificates(folder);
    const server = new BenchProcess(PROGRAM, ["serve", HOST, path, leaf, key], { via });
    const port = await server.line();
    return {
      pid: server.pid,
      ready: () => Promise.resolve(),
      fetch: (out) => denoWords(PROGRAM, ["fetch", HOST, port, out, authority]),
      seconds: Number,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};
