/** What serves and fetches files in most places: nginx, and the clients that people have. */
import { basename, dirname } from "node:path";
import { makeCertificates } from "./certificates.ts";
import { type Contestant, freePort, HOST, tcpServer } from "./contest.ts";

/** A client: the words that fetch a URL, where `authority` (a file) vouches for the server. */
interface Client {
  readonly program: string;
  readonly package: string;
  readonly words: (url: string, out: string, authority: string) => readonly string[];
}

const clients = {
  curl: {
    program: "curl",
    package: "curl",
    words: (url, out, authority) => ["curl", "-sS", "--fail", "--cacert", authority, "-o", out, url],
  },
  aria2c: {
    program: "aria2c",
    package: "aria2",
    // As many connections as it is mostly told to use; it writes no file before there is something in it.
    words: (url, out, authority) => [
      ...["aria2c", "-q", "-x4", "-s4", "--file-allocation=none", `--ca-certificate=${authority}`],
      ...["-d", dirname(out), "-o", basename(out), url],
    ],
  },
  wget: {
    program: "wget",
    package: "wget",
    words: (url, out, authority) => ["wget", "-q", `--ca-certificate=${authority}`, "-O", out, url],
  },
} satisfies Record<string, Client>;

/** A client, and nginx with or without TLS. */
export function web(
  client: keyof typeof clients,
  scheme: "http" | "https",
  asked: Contestant["asked"] = { file: 0 },
): Contestant {
  const { program, package: from, words }: Client = clients[client];
  return {
    name: `${client}, ${scheme.toUpperCase()}`,
    protects: scheme === "https" ? "TLS 1.3" : "nothing",
    programs: { nginx: "nginx-light", openssl: "openssl", [program]: from },
    asked,
    serve: async ({ path }, place) => {
      const { folder } = place;
      const port = freePort();
      const { leaf, key, authority } = await makeCertificates(folder);
      const tls = scheme === "https"
        ? `ssl_certificate ${leaf}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`
        : "";
      const listen = `listen ${HOST}:${port}${scheme === "https" ? " ssl" : ""};`;
      await Deno.writeTextFile(
        `${folder}/nginx.conf`,
        `daemon off; master_process off; user root; pid ${folder}/nginx.pid;
        events {}
        http { access_log off; sendfile on; server { ${listen} ${tls} location / { root ${
          dirname(path)
        }; } } }`,
      );
      const url = `${scheme}://${HOST}:${port}/${basename(path)}`;
      return await tcpServer(
        place,
        port,
        ["nginx", "-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
        (out) => words(url, out, authority),
      );
    },
  };
}
