/*
 * `deno task build:fec`: compiles the kernel of `fec/` from AssemblyScript. The same source gives the same bytes with the same compiler,
 * whose version is pinned; a test compares them with what is committed.
 */
import asc from "assemblyscript/asc";
import { projectRoot, projectText } from "./project_files.ts";

const SOURCE = "fec/_kernel.as.ts";
const ARTEFACT = "fec/_kernel.wasm";

/** Memory pages of 64 KiB. The memory neither is smaller nor grows: `fec/_kernel.ts` says what lies in it. */
const PAGES = "19";

if (import.meta.main) {
  const wasm = await buildKernel();
  await Deno.writeFile(projectRoot + ARTEFACT, wasm);
  console.log(`${ARTEFACT}: ${wasm.length} bytes`);
}

/** The compiled kernel. @throws {Error} with the compiler's findings */
export async function buildKernel(): Promise<Uint8Array> {
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...[
        SOURCE,
        "--outFile",
        ARTEFACT,
        "-O3",
        "--noAssert",
        "--runtime",
        "stub",
        "--enable",
        "relaxed-simd",
      ],
      ...["--initialMemory", PAGES, "--maximumMemory", PAGES],
    ],
    {
      readFile: (name) => name === SOURCE ? projectText(name) : null,
      writeFile: (name, contents) => {
        if (name === ARTEFACT && typeof contents !== "string") wasm = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm) throw new Error(`${SOURCE} does not compile:\n${stderr.toString()}`, { cause: error });
  return wasm;
}
