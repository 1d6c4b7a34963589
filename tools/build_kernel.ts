/*
 * `deno task build:fec`: compiles the kernel of `fec/` from AssemblyScript. The same source gives the same bytes with the same compiler,
 * whose version is pinned; a test compares them with what is committed.
 */
import asc from "assemblyscript/asc";
import { projectRoot, projectText } from "./project_files.ts";

const SOURCE = "fec/_kernel.as.ts";
const ARTEFACT = "fec/_kernel.wasm";

if (import.meta.main) {
  const wasm = await buildKernel();
  await Deno.writeFile(projectRoot + ARTEFACT, wasm);
  console.log(`${ARTEFACT}: ${wasm.length} bytes`);
}

/** The kernel, compiled. Its memory of 19 pages of 64 KiB does not grow; `fec/_kernel.ts` says what lies in it. */
export function buildKernel(): Promise<Uint8Array<ArrayBuffer>> {
  return compile(SOURCE, 19);
}

/**
 * Compiles a file of the project.
 *
 * @param pages of its memory, which neither grows nor holds anything at the start
 * @throws {Error} with the compiler's findings
 */
export async function compile(source: string, pages: number): Promise<Uint8Array<ArrayBuffer>> {
  const artefact = "out.wasm";
  let wasm: Uint8Array<ArrayBuffer> | undefined;
  const { error, stderr } = await asc.main(
    [
      ...[
        source,
        "--outFile",
        artefact,
        "-O3",
        "--noAssert",
        "--runtime",
        "stub",
        "--enable",
        "relaxed-simd",
      ],
      ...["--initialMemory", `${pages}`, "--maximumMemory", `${pages}`],
    ],
    {
      readFile: (name) => name === source ? projectText(name) : null,
      writeFile: (name, contents) => {
        if (name === artefact && typeof contents !== "string") wasm = Uint8Array.from(contents);
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm) throw new Error(`${source} does not compile:\n${stderr.toString()}`, { cause: error });
  return wasm;
}
