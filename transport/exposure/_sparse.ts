import type { PositionedFile } from "./_positioned_file.ts";

const BLOCK_BYTES = 4096;

/** Writes at a place of a file that holds zeros there: blocks of zeros are left out, and become holes where the file system has such. */
export function writeSparse(file: PositionedFile, at: number, bytes: Uint8Array): void {
  let from = 0;
  for (let block = 0; block < bytes.length;) {
    const end = Math.min(bytes.length, block + BLOCK_BYTES - (at + block) % BLOCK_BYTES);
    if (isZero(bytes, block, end)) {
      if (from < block) file.writeAt(at + from, bytes.subarray(from, block));
      from = end;
    }
    block = end;
  }
  if (from < bytes.length) file.writeAt(at + from, from === 0 ? bytes : bytes.subarray(from));
}

function isZero(bytes: Uint8Array, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
