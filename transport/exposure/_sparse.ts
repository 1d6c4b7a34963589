import type { OpenFile } from "./_positioned_file.ts";

const BLOCK_BYTES = 4096;

/**
 * Writes at a place of a file that holds zeros there, or ends before: blocks of zeros are left out, and become holes where the file system
 * has such. Answers with where in the file the last byte ends that was written, 0 if none was.
 */
export function writeSparse(file: OpenFile, at: number, bytes: Uint8Array): number {
  let end = 0;
  let from = 0;
  for (let block = 0; block < bytes.length;) {
    const next = Math.min(bytes.length, block + BLOCK_BYTES - (at + block) % BLOCK_BYTES);
    if (isZero(bytes, block, next)) {
      if (from < block) {
        file.writeAt(at + from, bytes.subarray(from, block));
        end = at + block;
      }
      from = next;
    }
    block = next;
  }
  if (from === bytes.length) return end;
  file.writeAt(at + from, from === 0 ? bytes : bytes.subarray(from));
  return at + bytes.length;
}

function isZero(bytes: Uint8Array, from: number, end: number): boolean {
  for (let i = from; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
