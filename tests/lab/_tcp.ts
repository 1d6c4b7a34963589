/** Files over TCP, as servers and clients that everybody has move them: HTTP without TLS, by nginx and curl. */
import { basename, dirname } from "node:path";
import type { MadeFile } from "../real/_files.ts";
import { type Contestant, expectSame, type Fetched } from "./_contest.ts";
import { reason, run } from "./_namespaces.ts";
import type { Place } from "./_place.ts";

const TRIES = 100;
const TRY_MS = 50;
/** What curl ends with when its time is over. */
const CURL_TIMED_OUT = 28;

let port = 8100;

/** TCP with a congestion control of the kernel. */
export function tcp(name: string, congestionControl: string): Contestant {
  return {
    name,
    whyNot: async () => {
      try {
        await run("curl", "--version");
        await run("nginx", "-v");
        const known = await run("cat", "/proc/sys/net/ipv4/tcp_available_congestion_control");
        const isKnown = known.trim().split(" ").includes(congestionControl);
        return isKnown ? "" : `this kernel has no ${congestionControl}`;
      } catch (error) {
        return reason(error);
      }
    },
    serve: async (place, file, folder) => {
      const nginx = new Nginx(place, file, await Deno.makeTempDir({ dir: folder }), port++);
      await place.setCongestionControl(nginx.port, congestionControl);
      await nginx.serves();
      return {
        port: nginx.port,
        fetch: (out, secondsMax) => curl(place, file, nginx.url, out, secondsMax),
        [Symbol.asyncDispose]: () => nginx[Symbol.asyncDispose](),
      };
    },
  };
}

class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #place: Place;
  readonly #child: Deno.ChildProcess;

  constructor(place: Place, file: MadeFile, folder: string, port: number) {
    this.#place = place;
    this.port = port;
    this.url = `http://${place.address}:${port}/${basename(file.path)}`;
    Deno.writeTextFileSync(`${folder}/nginx.conf`, configuration(place.address, port, dirname(file.path)));
    const [command, ...before] = [...place.via("exposer"), "nginx"];
    this.#child = new Deno.Command(command, {
      args: [...before, "-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
  }

  /** Waits until it answers. */
  async serves(): Promise<void> {
    for (let tries = 1;; tries++) {
      try {
        await run(...this.#place.via("exposer"), "curl", "--silent", "--fail", "--head", this.url);
        return;
      } catch (error) {
        if (tries === TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, TRY_MS));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
  }
}

function configuration(address: string, port: number, root: string): string {
  const server = `server { listen ${address}:${port}; location / { root ${root}; } }`;
  return `daemon off; master_process off; user root; pid nginx.pid;
    events {}
    http { access_log off; sendfile on; ${server} }`;
}

async function curl(
  place: Place,
  file: MadeFile,
  url: string,
  out: string,
  secondsMax: number,
): Promise<Fetched> {
  const started = performance.now();
  const [command, ...before] = [...place.via("puller"), "curl"];
  const format = "%{time_connect} %{time_pretransfer} %{time_total} %{size_download}";
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args: [...before, ...["-sS", "--fail", "--max-time", `${secondsMax}`, "-o", out, "-w", format, url]],
    stdin: "null",
  }).output();
  const wall = (performance.now() - started) / 1000;
  const [connect, request, total, bytes] = new TextDecoder().decode(stdout).split(" ").map(Number);
  const seconds = total - request;
  const took = { bytes, seconds, handshakeSeconds: connect, otherSeconds: wall - seconds - connect };
  if (code === CURL_TIMED_OUT) return { ...took, outcome: "cut off" };
  if (code !== 0) return { ...took, outcome: "failed", said: new TextDecoder().decode(stderr).trim() };
  await expectSame(file, out);
  return { ...took, outcome: "whole" };
}
