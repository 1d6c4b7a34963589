/** Files over QUIC as the runtime has it, with a stream for each, in TLS. */
import type { MadeFile } from "../real/_files.ts";
import { type Contestant, expectSame, type Fetched } from "./_contest.ts";
import { reason, run } from "./_namespaces.ts";
import type { Place } from "./_place.ts";
import { type Progress, SERVER_NAME } from "./_quic_file.ts";

const READY_MS = 30_000;

/** QUIC as the runtime has it. */
export function quic(name: string): Contestant {
  return {
    name,
    whyNot: async () => {
      try {
        await run("openssl", "version");
        return "QuicEndpoint" in Deno ? "" : "Deno without QUIC";
      } catch (error) {
        return reason(error);
      }
    },
    serve: async (place, file, folder) => {
      const certificates = await makeCertificates(await Deno.makeTempDir({ dir: folder }));
      const { leaf, key, authority } = certificates;
      const server = script(place.via("exposer"), "serve", place.address, file.path, leaf, key);
      const lines = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const timer = setTimeout(() => server.kill("SIGKILL"), READY_MS);
      const port = Number((await lines.read()).value);
      clearTimeout(timer);
      if (!(port > 0)) throw new Error("the QUIC server does not start");
      return {
        port,
        fetch: (out, secondsMax) => fetchFile(place, file, port, authority, out, secondsMax),
        [Symbol.asyncDispose]: async () => {
          await lines.cancel();
          try {
            server.kill("SIGKILL");
          } catch {
            // It has ended by itself.
          }
          await server.status;
        },
      };
    },
  };
}

async function fetchFile(
  place: Place,
  file: MadeFile,
  port: number,
  authority: string,
  out: string,
  secondsMax: number,
): Promise<Fetched> {
  const started = performance.now();
  const client = script(place.via("puller"), "fetch", place.address, `${port}`, out, authority);
  let isCut = false;
  const timer = setTimeout(() => {
    isCut = true;
    client.kill("SIGKILL");
  }, secondsMax * 1000);
  let text = "";
  for await (const part of client.stdout.pipeThrough(new TextDecoderStream())) text += part;
  await client.status;
  clearTimeout(timer);
  const wall = (performance.now() - started) / 1000;
  const last = text.split("\n").findLast((line) => line.endsWith("}"));
  const { bytes, seconds, handshakeSeconds, whole }: Progress = last
    ? JSON.parse(last)
    : { bytes: 0, seconds: wall, handshakeSeconds: 0 };
  if (whole) {
    await expectSame(file, out);
    return {
      outcome: "whole",
      bytes,
      seconds,
      handshakeSeconds,
      otherSeconds: wall - seconds - handshakeSeconds,
    };
  }
  const cut = { bytes, seconds: wall - handshakeSeconds, handshakeSeconds, otherSeconds: 0 };
  return isCut ? { ...cut, outcome: "cut off" } : { ...cut, outcome: "failed", said: "the client has ended" };
}

/** An authority, and a server that it vouches for. */
async function makeCertificates(
  folder: string,
): Promise<{ leaf: string; key: string; authority: string }> {
  const of = (name: string) => `${folder}/${name}.pem`;
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509"];
  const make = (name: string, keyName: string, ...more: string[]) =>
    run("openssl", "req", ...made, "-keyout", of(keyName), "-out", of(name), ...more);
  await make("authority", "authority-key", "-subj", "/CN=lab authority");
  await make(
    ...["leaf", "key", "-subj", `/CN=${SERVER_NAME}`, "-CA", of("authority"), "-CAkey"] as const,
    of("authority-key"),
    ...["-addext", `subjectAltName=DNS:${SERVER_NAME}`, "-addext", "basicConstraints=critical,CA:FALSE"],
  );
  return { leaf: of("leaf"), key: of("key"), authority: of("authority") };
}

function script(via: readonly string[], ...args: string[]): Deno.ChildProcess {
  const file = (name: string) => new URL(name, import.meta.url).pathname;
  const [command, ...before] = [...via, Deno.execPath()];
  return new Deno.Command(command, {
    args: [
      ...[...before, "run", "-A", "--quiet", "--config", file("../../deno.json")],
      ...[file("_quic_file.ts"), ...args],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}
