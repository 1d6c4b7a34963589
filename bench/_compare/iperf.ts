import { type Contestant, freePort, HOST, tcpServer } from "./contest.ts";

/** What TCP gives when nobody reads a file and nobody writes one. */
export const iperf: Contestant = {
  name: "iperf3 (bound)",
  protects: "nothing",
  programs: { iperf3: "iperf3" },
  asked: { file: 0 },
  isBound: true,
  serve: ({ bytes }, place) => {
    const port = freePort();
    return tcpServer(
      place,
      port,
      ["iperf3", "-s", "-B", HOST, "-p", String(port)],
      () => ["iperf3", "-c", HOST, "-p", String(port), "-R", "-n", String(bytes)],
    );
  },
};
