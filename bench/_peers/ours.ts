import { type DataSymbols, makeParity, repair, symbolAt } from "../../fec/mod.ts";
import { type Contestant, prove, type Shape, timed } from "./contestant.ts";

/** Our code: symbols next to each other, as a puller has them; and in packets in shared memory, as an exposer's store has them. */
export function ours(shape: Shape, symbols: readonly Uint8Array[]): Contestant[] {
  return [
    ...contestants("fec/", shape, symbols, 0, (bytes) => new ArrayBuffer(bytes)),
    ...contestants("fec/, shared packets", shape, symbols, 24, (bytes) => new SharedArrayBuffer(bytes)).slice(
      0,
      1,
    ),
  ];
}

function contestants(
  name: string,
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
  encode();
  const spare = new Map(out.map((symbol, i) => [count + i, symbol.slice()]));
  const decode = () => repair(data, lost, spare);
  for (const index of lost) symbolAt(data, index).fill(0);
  decode();
  for (const index of lost) prove(name, symbolAt(data, index), symbols[index]);
  const oneByOne = () => out.forEach((symbol, i) => makeParity(data, count + i, [symbol]));
  return [
    { name, encode: timed(encode), decode: timed(decode) },
    { name: `${name}, one by one`, encode: timed(oneByOne) },
  ];
}
