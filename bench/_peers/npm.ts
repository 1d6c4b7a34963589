import { install, load } from "./install.ts";
import { type Absent, type Contestant, prove, type Shape, timed } from "./contestant.ts";

/** What its documentation says of it, as far as it is used here. */
interface ReedSolomonErasure {
  encode(shards: Uint8Array, data: number, parity: number): number;
  reconstruct(shards: Uint8Array, data: number, parity: number, present: readonly boolean[]): number;
}

const NAME = "@subspace/reed-solomon-erasure.wasm";
const VERSION = "0.2.5";

/** The Rust crate `reed-solomon-erasure`, compiled to WebAssembly: installed for the benchmark alone, no dependency of the project. */
export async function subspace(shape: Shape, symbols: readonly Uint8Array[]): Promise<Contestant | Absent> {
  const trouble = await install(`${NAME}@${VERSION}`);
  if (trouble !== "") return { name: NAME, why: trouble };
  const { ReedSolomonErasure } = load(NAME) as {
    ReedSolomonErasure: { fromCurrentDirectory(): Promise<ReedSolomonErasure> };
  };
  const coder = await ReedSolomonErasure.fromCurrentDirectory();

  const { data, parity, symbolSize, lost } = shape;
  const shards = new Uint8Array((data + parity) * symbolSize);
  symbols.forEach((symbol, j) => shards.set(symbol, j * symbolSize));
  const present = Array.from({ length: data + parity }, (_, j) => !lost.includes(j));
  const encode = () => ok(coder.encode(shards, data, parity));
  const decode = () => ok(coder.reconstruct(shards, data, parity, present));
  encode();
  for (const index of lost) shards.fill(0, index * symbolSize, (index + 1) * symbolSize);
  decode();
  for (const index of lost) {
    prove(NAME, shards.subarray(index * symbolSize, (index + 1) * symbolSize), symbols[index]);
  }
  return { name: "reed-solomon-erasure, wasm", encode: timed(encode), decode: timed(decode) };
}

function ok(result: number): void {
  if (result !== 0) throw new Error(`${NAME}: error ${result}`);
}
