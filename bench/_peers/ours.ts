import { kernelSums, prefer, type Sums } from "../../fec/_sums.ts";
import { type DataSymbols, makeParity, repair, symbolAt } from "../../fec/mod.ts";
import { loadLibisal } from "../../fec/native/_libisal.ts";
import { libisalSums } from "../../fec/native/libisal_sums.ts";
import { type Contestant, prove, type Shape, timed } from "./contestant.ts";

/**
 * Our code: symbols next to each other, as a puller has them; and in packets in shared memory, as an exposer's store has them. With our
 * kernel, and where it is there with ISA-L under it.
 */
export function ours(shape: Shape, symbols: readonly Uint8Array[]): Contestant[] {
  const library = loadLibisal();
  const makers: [string, Sums][] = [["fec/", kernelSums]];
  if (library) makers.push(["fec/ and libisal", libisalSums(library)]);
  return makers.flatMap(([name, sums]) => [
    ...contestants(name, sums, shape, symbols, 0, (bytes) => new ArrayBuffer(bytes)),
    ...contestants(`${name}, packets`, sums, shape, symbols, 24, (bytes) => new SharedArrayBuffer(bytes))
      .slice(0, 1),
  ]);
}

function contestants(
  name: string,
  sums: Sums,
  { data: count, parity, symbolSize, lost }: Shape,
  symbols: readonly Uint8Array[],
  gap: number,
  allocate: (bytes: number) => ArrayBufferLike,
): Contestant[] {
  const stride = symbolSize + gap;
  const bytes = new Uint8Array(allocate((count - 1) * stride + symbolSize));
  symbols.forEach((symbol, j) => bytes.set(symbol, j * stride));
  const data: DataSymbols = { bytes, count, symbolSize, stride };
  const out = symbols.slice(0, parity).map(() => new Uint8Array(symbolSize));
  const encode = () => makeParity(data, count, out);
  prefer(sums);
  encode();
  const spare = new Map(out.map((symbol, i) => [count + i, symbol.slice()]));
  const decode = () => repair(data, lost, spare);
  for (const index of lost) symbolAt(data, index).fill(0);
  decode();
  for (const index of lost) prove(name, symbolAt(data, index), symbols[index]);
  const oneByOne = () => out.forEach((symbol, i) => makeParity(data, count + i, [symbol]));
  const ownTimed = (work: () => void) => (times: number) => {
    prefer(sums);
    return timed(work)(times);
  };
  return [
    { name, encode: ownTimed(encode), decode: ownTimed(decode) },
    { name: `${name}, one by one`, encode: ownTimed(oneByOne) },
  ];
}
