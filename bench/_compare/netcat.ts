import { type Contestant, freePort, HOST, tcpServer } from "./contest.ts";

/** Bytes through a bare connection; many files with tar. */
export const netcat: Contestant = {
  name: "nc",
  protects: "nothing",
  programs: { nc: "netcat-openbsd", tar: "tar" },
  asked: { file: 0, files: 0 },
  serve: ({ kind, path }, place) => {
    const port = freePort();
    // It serves whoever comes first, and ends: a shell starts it again.
    const listen = `nc -N -l ${HOST} ${port}`;
    const once = kind === "file" ? `${listen} <"$0"` : `tar -c -C "$0" . | ${listen} >/dev/null`;
    const fetch = kind === "file"
      ? `nc -d ${HOST} ${port} >"$0"`
      : `mkdir "$0" && nc -d ${HOST} ${port} | tar -x -C "$0"`;
    return tcpServer(
      place,
      port,
      ["sh", "-c", `while :; do ${once}; done`, path],
      (out) => ["sh", "-c", fetch, out],
    );
  },
};
