/**
 * How much room a disk has, from the C library: `node:fs` says it too, but takes a process longer to load than a small file takes to arrive.
 *
 * @module
 */
import { utf8 } from "../../core/bytes.ts";
import { Poller } from "./_poller.ts";

// Linux, include/uapi/asm-generic/fcntl.h and statfs.h: `struct statfs` begins with type, block size, blocks, free ones, and those that are
// free for all users; 8 bytes each, on x86_64 and on aarch64.
const O_CLOEXEC = 0o2000000;
const STATFS_WORDS = 15;
const [BLOCK_BYTES, BLOCKS_FREE] = [1, 4];

/** Bytes that the disk of a folder has free; `undefined` where the C library cannot be asked. */
export function freeBytesOf(folder: string): number | undefined {
  const poller = Poller.share();
  if (!poller) return undefined;
  const { call } = poller.libc;
  const about = new BigUint64Array(STATFS_WORDS);
  const descriptor = call.open(utf8(`${folder}\0`), O_CLOEXEC);
  try {
    if (descriptor < 0 || call.fstatfs(descriptor, about) !== 0) return undefined;
    return Number(about[BLOCK_BYTES] * about[BLOCKS_FREE]);
  } finally {
    if (descriptor >= 0) call.close(descriptor);
    poller.release();
  }
}
