import { HOST, run } from "./contest.ts";

/** Files: a server's certificate and key, and the authority that vouches for it. */
export interface Certificates {
  readonly leaf: string;
  readonly key: string;
  readonly authority: string;
}

/** Makes an authority and a server for {@linkcode HOST}, good for two days. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const of = (name: string) => `${folder}/${name}.pem`;
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-x509"];
  const make = (name: string, key: string, ...more: string[]) =>
    run("openssl", "req", ...made, "-keyout", of(key), "-out", of(name), ...more);
  await make("authority", "authority-key", "-subj", "/CN=bench authority");
  await make(
    ...["leaf", "key", "-subj", `/CN=${HOST}`, "-CA", of("authority")] as const,
    ...["-CAkey", of("authority-key"), "-addext", `subjectAltName=IP:${HOST}`],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  );
  return { leaf: of("leaf"), key: of("key"), authority: of("authority") };
}
