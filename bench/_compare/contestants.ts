import type { Contestant } from "./contest.ts";
import { iperf } from "./iperf.ts";
import { netcat } from "./netcat.ts";
import { quic } from "./quic.ts";
import { rgtp } from "./rgtp.ts";
import { rsync } from "./rsync.ts";
import { scp } from "./scp.ts";
import { web } from "./web.ts";

/** All that there are, ours first. */
export const contestants: readonly Contestant[] = [
  rgtp("RGTP"),
  rgtp("RGTP, --no-sha256", { pull: ["--no-sha256"] }),
  rgtp("RGTP, aes-256-gcm", { expose: ["--aead", "aes-256-gcm"] }),
  rgtp("RGTP, datagram_conn", { both: ["--link", "datagram_conn"] }),
  web("curl", "https", { file: 1.2, oneCore: 0.6 }),
  web("curl", "http", { file: 1 }),
  web("aria2c", "https"),
  web("aria2c", "http"),
  web("wget", "https"),
  web("wget", "http"),
  rsync,
  scp("scp, aes128-gcm", "aes128-gcm@openssh.com", { file: 1.8, files: 1 }),
  scp("scp, chacha20", "chacha20-poly1305@openssh.com", { file: 1.8 }),
  quic,
  netcat,
  iperf,
];
