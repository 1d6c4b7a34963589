import { type Contestant, freePort, HOST, run, tcpServer } from "./contest.ts";

/** Where sshd wants to find a folder, whatever it is told. */
const SSHD_FOLDER = "/run/sshd";

/** scp from an sshd of its own, with keys made for it. */
export function scp(name: string, cipher: string, asked: Contestant["asked"]): Contestant {
  return {
    name,
    protects: "SSH",
    programs: { sshd: "openssh-server", scp: "openssh-client", "ssh-keygen": "openssh-client" },
    asked,
    serve: async ({ kind, path }, place) => {
      const port = freePort();
      const [host, user] = ["host-key", "user-key"].map((file) => `${place.folder}/${file}`);
      for (const key of [host, user]) await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
      await Deno.mkdir(SSHD_FOLDER, { recursive: true, mode: 0o755 });
      const server = {
        ListenAddress: HOST,
        HostKey: host,
        AuthorizedKeysFile: `${user}.pub`,
        PidFile: "none",
        StrictModes: "no",
        UsePAM: "no",
        PermitRootLogin: "yes",
        Subsystem: "sftp internal-sftp",
      };
      const client = {
        IdentityFile: user,
        IdentitiesOnly: "yes",
        StrictHostKeyChecking: "no",
        UserKnownHostsFile: "/dev/null",
        LogLevel: "ERROR",
        Compression: "no",
      };
      const sshd = (await run("which", "sshd")).trim();
      return await tcpServer(
        place,
        port,
        [sshd, "-D", "-f", "/dev/null", "-p", String(port), ...words(server)],
        (out) => [
          ...["scp", "-q", "-F", "none", "-c", cipher, "-P", String(port), ...words(client)],
          ...(kind === "files" ? ["-r"] : []),
          ...[`${HOST}:${path}`, out],
        ],
      );
    },
  };
}

function words(options: Readonly<Record<string, string>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}
