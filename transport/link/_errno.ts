/*
 * Why system calls fail. Linux, include/uapi/asm-generic/errno-base.h and errno.h: the same numbers on x86_64 and aarch64.
 */

const errors = {
  EPERM: [1, "operation not permitted"],
  EINTR: [4, "interrupted"],
  EIO: [5, "input or output error"],
  ENXIO: [6, "no such device"],
  EBADF: [9, "the descriptor is not open"],
  EAGAIN: [11, "would have to wait"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  ENODEV: [19, "no such device, or none that leads there"],
  EINVAL: [22, "invalid argument"],
  ENFILE: [23, "too many open files on this machine"],
  EMFILE: [24, "too many open files"],
  EFBIG: [27, "the file is too large"],
  ENOSPC: [28, "no space left"],
  EROFS: [30, "the file system is read-only"],
  ENOTSOCK: [88, "the descriptor is no socket"],
  EMSGSIZE: [90, "message too long"],
  ENOPROTOOPT: [92, "no such option"],
  EAFNOSUPPORT: [97, "address family not supported"],
  EADDRINUSE: [98, "address in use"],
  EADDRNOTAVAIL: [99, "address not available"],
  ENETDOWN: [100, "network is down"],
  ENETUNREACH: [101, "network is unreachable"],
  ENOBUFS: [105, "no buffer space"],
  ECONNREFUSED: [111, "connection refused"],
  EHOSTUNREACH: [113, "no route to host"],
  EDQUOT: [122, "the disk quota is used up"],
} as const;

/** The name of an error that is told apart here. */
export type ErrnoName = keyof typeof errors;

const byNumber = new Map<number, readonly [ErrnoName, string]>(
  Object.entries(errors).map(([name, [number, text]]) => [number, [name as ErrnoName, text]]),
);

/** Whether an error number is one of these. */
export function isErrno(number: number, ...names: readonly ErrnoName[]): boolean {
  return names.some((name) => errors[name][0] === number);
}

/** A failed system call as an error whose `code` is the name of its number, as Deno's own errors have it. */
export function systemError(call: string, number: number): Error {
  const [code, text] = byNumber.get(number) ?? [`E${number}`, "failed"];
  return Object.assign(new Error(`${text} (${call}: ${code})`), { code });
}
