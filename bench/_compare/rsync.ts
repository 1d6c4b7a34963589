import { dirname } from "node:path";
import { type Contestant, freePort, HOST, tcpServer } from "./contest.ts";

/** A daemon of rsync. Nothing is compared that is not there: whole files, written where they belong. */
export const rsync: Contestant = {
  name: "rsync daemon",
  protects: "a checksum",
  programs: { rsync: "rsync" },
  asked: { file: 0, files: 1 },
  serve: ({ kind, path }, place) => {
    const port = freePort();
    const configuration = `${place.folder}/rsyncd.conf`;
    const root = kind === "file" ? dirname(path) : path;
    Deno.writeTextFileSync(
      configuration,
      `use chroot = no\nuid = 0\ngid = 0\naddress = ${HOST}\n[load]\npath = ${root}\nread only = yes\n`,
    );
    const from = `rsync://${HOST}:${port}/load/${kind === "file" ? path.slice(root.length + 1) : ""}`;
    return tcpServer(
      place,
      port,
      ["rsync", "--daemon", "--no-detach", `--port=${port}`, `--config=${configuration}`],
      (out) => ["rsync", "-a", "--whole-file", "--inplace", from, out],
    );
  },
};
