/** `rgtp expose` and `rgtp pull`, as people run them. */
import { BenchProcess, denoWords } from "../_processes.ts";
import { type Contestant, HOST } from "./contest.ts";

/** RGTP as it is, or with flags of both sides or of one. */
export function rgtp(
  name: string,
  flags: { readonly [side in "both" | "expose" | "pull"]?: readonly string[] } = {},
): Contestant {
  const { both = [], expose = [], pull = [] } = flags;
  return {
    name,
    protects: `${expose.includes("aes-256-gcm") ? "AES-256-GCM" : "ChaCha20-Poly1305"}, SHA-256 tree`,
    programs: {},
    // What is no folder's flag tells nothing of many files.
    asked: Object.keys(flags).length === 0 ? { file: 0, files: 0 } : { file: 0 },
    serve: async ({ path }, { folder, via }) => {
      const exposer = new BenchProcess("cli/main.ts", [
        ...[
          "expose",
          path,
          "--host",
          HOST,
          "--port",
          "0",
          "--no-shared",
          "--json",
          "--state-dir",
          `${folder}/state`,
        ],
        // All of it in memory: what sealing again costs is another question (`bench:memory`).
        ...["--memory", "8GiB", ...both, ...expose],
      ], { via });
      const { ticket } = await exposer.event("ready");
      return {
        pid: exposer.pid,
        ready: () => Promise.resolve(),
        fetch: (out) => denoWords("cli/main.ts", ["pull", String(ticket), out, "--json", ...both, ...pull]),
        seconds: (printed) => Number(JSON.parse(printed.trimEnd().split("\n").at(-1)!).seconds),
        [Symbol.asyncDispose]: () => exposer[Symbol.asyncDispose](),
      };
    },
  };
}
