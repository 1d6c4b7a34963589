import { multiply } from "../../fec/gf256.ts";
import { compile } from "../../tools/build_kernel.ts";
import { prove } from "./contestant.ts";

/** The bare multiply-add over one symbol, source and sum in the first cache: times it so many times, in microseconds. */
export async function bareMultiplyAdd(symbolSize: number): Promise<(times: number) => number> {
  const { instance } = await WebAssembly.instantiate(await compile("bench/_peers/bare.as.ts", 1));
  const { memory, multiplyAdd } = instance.exports as {
    memory: WebAssembly.Memory;
    multiplyAdd: (tables: number, from: number, to: number, size: number, times: number) => void;
  };
  const bytes = new Uint8Array(memory.buffer);
  const [factor, from, to] = [0x57, 1024, 32_768];
  for (let half = 0; half < 16; half++) {
    bytes[half] = multiply(factor, half);
    bytes[16 + half] = multiply(factor, half << 4);
  }
  const source = bytes.subarray(from, from + symbolSize);
  crypto.getRandomValues(source);
  multiplyAdd(0, from, to, symbolSize, 1);
  prove("the bare kernel", bytes.slice(to, to + symbolSize), source.map((byte) => multiply(factor, byte)));
  return (times) => {
    const started = performance.now();
    multiplyAdd(0, from, to, symbolSize, times);
    return (performance.now() - started) * 1000;
  };
}
