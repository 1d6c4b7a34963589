/** Programs that move one file from one host to many, each started and ended as its users do. */
import { basename, dirname } from "node:path";
import { makeCertificates } from "./_compare/certificates.ts";
import { run } from "./_compare/contest.ts";
import type { BridgeHost } from "./_bridge.ts";
import { INTERFACE } from "./_bridge.ts";
import { denoWords, lines } from "./_processes.ts";

/** What is moved, from the first host to the others; `mbits` is what the first may send, `undefined` as much as it can. */
export interface CastJob {
  readonly file: string;
  readonly hosts: readonly BridgeHost[];
  /** Where receiver i, from 1, leaves it. */
  readonly outs: readonly string[];
  readonly folder: string;
  readonly mbits: number | undefined;
}

/** Somebody who can. */
export interface Caster {
  readonly name: string;
  readonly protects: string;
  /** Programs that it needs, and the packages of Debian that have them. */
  readonly programs: Readonly<Record<string, string>>;
  /**
   * Starts whatever is there before anybody asks for the file. What it answers with moves the file to all, once, and says after how many
   * seconds each of its programs had ended; then it is disposed of.
   */
  prepare(job: CastJob): Promise<{ run(): Promise<readonly number[]> } & AsyncDisposable>;
}

/**
 * RGTP, by multicast; its receivers with further flags, if any: without the hash of the whole file (`--no-sha256`), which others do not
 * make either, each chunk is verified all the same.
 */
export function rgtp(...flags: readonly string[]): Caster {
  return {
    name: ["rgtp, multicast", ...flags].join(" "),
    protects: "sealed, hashed",
    programs: {},
    prepare: async ({ file, hosts: [source, ...receivers], outs, folder }) => {
      const exposer = new Started([
        ...source.via,
        ...denoWords("cli/main.ts", [
          ...["expose", file, "--host", source.address, "--state-dir", `${folder}/state`, "--json"],
          ...[
            "--multicast",
            "239.77.0.1:9177",
            "--interface",
            INTERFACE,
            "--receivers",
            `${receivers.length}`,
          ],
        ]),
      ]);
      const ticket = String((await exposer.event("ready")).ticket);
      return {
        run: () =>
          together(
            receivers.map(({ via }, i) => [
              ...via,
              ...denoWords("cli/main.ts", [
                "pull",
                ticket,
                outs[i],
                "--interface",
                INTERFACE,
                "--no-shared",
                "--json",
                ...flags,
              ]),
            ]),
          ),
        [Symbol.asyncDispose]: () => exposer.end(),
      };
    },
  };
}

/** UFTP, a multicast file transfer with a daemon on each receiver. */
export function uftp(isSealed: boolean): Caster {
  return {
    name: isSealed ? "uftp, AES-128-GCM" : "uftp",
    protects: isSealed ? "AES-128-GCM" : "nothing",
    programs: { uftp: "uftp", uftpd: "uftp" },
    prepare: ({ file, hosts: [source, ...receivers], outs, mbits }) => {
      const daemons = receivers.map(({ via }, i) =>
        new Started([
          ...[...via, "uftpd", "-d", "-I", INTERFACE, "-U", id(i), "-D", dirname(outs[i])],
          ...["-T", `${dirname(outs[i])}/part`, "-B", "4194304"],
        ])
      );
      const rate = mbits === undefined ? "-1" : String(Math.round(mbits * 970));
      const key = isSealed ? ["-Y", "aes128-gcm", "-h", "sha256"] : [];
      return Promise.resolve({
        run: async () => {
          const everybody = receivers.map((_, i) => id(i)).join(",");
          const words = ["uftp", "-I", INTERFACE, "-R", rate, "-B", "4194304", "-H", everybody, ...key, file];
          const seconds = await together([[...source.via, ...words]]);
          for (const out of outs) await Deno.rename(`${dirname(out)}/${basename(file)}`, out);
          return seconds;
        },
        [Symbol.asyncDispose]: async () => {
          for (const daemon of daemons) await daemon.end();
        },
      });
    },
  };
}

/** Udpcast, which waits for its receivers. */
export const udpcast: Caster = {
  name: "udpcast",
  protects: "nothing",
  programs: { "udp-sender": "udpcast", "udp-receiver": "udpcast" },
  prepare: ({ file, hosts: [source, ...receivers], outs, mbits }) => {
    const common = [
      "--interface",
      INTERFACE,
      "--mcast-rdv-address",
      "239.77.0.9",
      "--nokbd",
      "--no-progress",
    ];
    const rate = mbits === undefined ? [] : ["--max-bitrate", `${Math.round(mbits * 0.97)}m`];
    return Promise.resolve({
      run: () =>
        together([
          [
            ...[...source.via, "udp-sender", "--file", file, ...common, "--full-duplex", ...rate],
            ...["--min-receivers", String(receivers.length)],
          ],
          ...receivers.map(({ via }, i) => [...via, "udp-receiver", "--file", outs[i], ...common]),
        ]),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};

/** Downloads of all receivers at once from a web server. */
export function curl(scheme: "http" | "https"): Caster {
  return {
    name: `curl, ${scheme.toUpperCase()}`,
    protects: scheme === "https" ? "TLS 1.3" : "nothing",
    programs: { nginx: "nginx-light", openssl: "openssl", curl: "curl" },
    prepare: async ({ file, hosts: [source, ...receivers], outs, folder }) => {
      const { leaf, key } = await makeCertificates(folder);
      const tls = scheme === "https"
        ? `ssl_certificate ${leaf}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`
        : "";
      const listen = `listen ${source.address}:8080${scheme === "https" ? " ssl" : ""};`;
      await Deno.writeTextFile(
        `${folder}/nginx.conf`,
        `daemon off; worker_processes 2; user root; pid ${folder}/nginx.pid; events {}
        http { access_log off; sendfile on; server { ${listen} ${tls} location / { root ${
          dirname(file)
        }; } } }`,
      );
      const nginx = ["nginx", "-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
      const server = new Started([...source.via, ...nginx]);
      const url = `${scheme}://${source.address}:8080/${basename(file)}`;
      // The certificate is for another address than that of this bridge: what TLS costs is the same.
      const words = [
        "curl",
        "-sS",
        "-k",
        "--fail",
        "--retry",
        "20",
        "--retry-connrefused",
        "--retry-delay",
        "0",
      ];
      await run(source.via[0], ...source.via.slice(1), ...words, "-r", "0-0", "-o", "/dev/null", url);
      return {
        run: () => together(receivers.map(({ via }, i) => [...via, ...words, "-o", outs[i], url])),
        [Symbol.asyncDispose]: () => server.end(),
      };
    },
  };
}

function id(receiver: number): string {
  return `0x${(receiver + 1).toString(16).padStart(8, "0")}`;
}

/** Runs commands at the same time, each to its end, and says how long each took. @throws {Error} with what it says, when one fails */
function together(all: readonly (readonly string[])[]): Promise<readonly number[]> {
  const started = performance.now();
  return Promise.all(all.map(async ([command, ...args]) => {
    await run(command, ...args);
    return (performance.now() - started) / 1000;
  }));
}

/** A program that runs until it is ended. */
class Started {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncGenerator<string>;

  constructor([command, ...args]: readonly string[]) {
    const options = {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    } as const;
    this.#child = new Deno.Command(command, options).spawn();
    this.#lines = lines(this.#child.stdout);
  }

  /** The next JSON line of that kind. */
  async event(name: string): Promise<Record<string, unknown>> {
    for (let next = await this.#lines.next(); !next.done; next = await this.#lines.next()) {
      const event = JSON.parse(next.value);
      if (event.event === name) return event;
    }
    throw new Error(`a program of a benchmark ended early, status ${(await this.#child.status).code}`);
  }

  /** Ends it. */
  async end(): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    for (let next = await this.#lines.next(); !next.done;) next = await this.#lines.next();
    await this.#child.status;
  }
}
